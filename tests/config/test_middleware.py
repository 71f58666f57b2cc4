import pytest
from django.urls import reverse

from tests.factories import make_user


@pytest.mark.django_db
def test_a_cache_keeps_the_page_and_its_partial_apart(client):
    client.force_login(make_user())
    for headers in ({}, {"HX-Request": "true"}):
        response = client.get(reverse("home"), headers=headers)
        assert response.status_code == 200
        assert {"HX-Request", "Cookie"} <= set(response["Vary"].split(", "))
