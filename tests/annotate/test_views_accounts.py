"""Signing in and out, the account page, and the limits on guessing."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now

from annotate import accounts
from annotate.models import AuditEvent, SignInLink, Token, User
from tests.factories import make_token, make_user

pytestmark = pytest.mark.django_db
PASSWORD = "a long enough secret"


@pytest.fixture(autouse=True)
def fast_hashes(settings):
    """The product's hash takes its time, by design."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def person_with_password(name="mia"):
    user = make_user(name)
    user.set_password(PASSWORD)
    user.save()
    return user


def link_for(user) -> str:
    return accounts.sign_in_link(user, "").removeprefix("http://testserver")


def sign_in(client, name, password):
    return client.post(reverse("sign_in"), {"username": name, "password": password})


def is_signed_in(client) -> bool:
    return "_auth_user_id" in client.session


def test_the_right_password_signs_in(client):
    person_with_password()
    assert sign_in(client, "mia", PASSWORD).status_code == 302
    assert is_signed_in(client)


def test_a_wrong_password_is_refused_with_the_page(client):
    person_with_password()
    response = sign_in(client, "mia", "not the secret")
    assert response.status_code == 422
    assert b"do not belong together" in response.content
    assert not is_signed_in(client)


def test_five_wrong_passwords_lock_even_the_right_one_out(client):
    person_with_password()
    answers = [sign_in(client, "mia", "guess").status_code for _ in range(5)]
    assert answers == [422] * 4 + [429]
    response = sign_in(client, "mia", PASSWORD)
    assert response.status_code == 429
    assert b"Try again in 15 minutes" in response.content
    assert not is_signed_in(client)


def test_the_lock_holds_for_the_name_that_was_tried_only(client):
    person_with_password()
    person_with_password("jonas")
    for _ in range(5):
        sign_in(client, "mia", "guess")
    assert sign_in(client, "jonas", PASSWORD).status_code == 302


def test_a_failure_leaves_an_audit_row_that_repeats_no_password(client):
    person_with_password()
    sign_in(client, "mia", "guess-me-not")
    sign_in(client, "guess-me-not", "")
    events = AuditEvent.objects.filter(action="sign_in.failed").order_by("pk")
    assert [(event.subject, event.ip_address) for event in events] == [
        ("mia", "127.0.0.1"),
        ("an unknown name", "127.0.0.1"),
    ]
    assert not any("guess-me-not" in str(vars(event)) for event in events)


def test_a_name_that_no_database_takes_is_refused_like_any_other(client):
    assert sign_in(client, "mi\x00a", PASSWORD).status_code == 422


def test_sign_in_leads_nowhere_outside(client):
    person_with_password()
    answer = client.post(reverse("sign_in") + "?next=https://evil.example/", {"username": "mia", "password": PASSWORD})
    assert answer.url == reverse("home")


def test_looking_at_a_link_says_whom_it_is_for_and_does_not_use_it_up(client):
    link = link_for(make_user("mia"))
    for _ in range(2):
        response = client.get(link)
        assert response.status_code == 200
        assert b"Sign in as mia" in response.content
    assert not is_signed_in(client)


def test_a_link_signs_in_once_and_asks_for_a_password(client):
    link = link_for(make_user("mia"))
    response = client.post(link)
    assert (response.status_code, response.url) == (302, reverse("password"))
    assert is_signed_in(client)


def test_a_used_link_is_refused(client):
    link = link_for(make_user("mia"))
    client.post(link)
    client.logout()
    for response in (client.get(link), client.post(link)):
        assert response.status_code == 410
        assert b"This link is spent" in response.content
    assert not is_signed_in(client)


def test_a_lapsed_link_is_refused(client):
    link = link_for(make_user("mia"))
    SignInLink.objects.update(expires_at=now() - timedelta(seconds=1))
    assert client.get(link).status_code == 410
    assert client.post(link).status_code == 410
    assert not is_signed_in(client)


def test_the_link_of_a_closed_account_is_refused(client):
    user = make_user("mia")
    link = link_for(user)
    User.objects.update(is_active=False)
    assert client.post(link).status_code == 410


def test_a_first_password_is_set_without_an_old_one(client):
    user = make_user("mia")
    client.post(link_for(user))
    response = client.post(reverse("password"), {"new_password1": PASSWORD, "new_password2": PASSWORD})
    assert (response.status_code, response.url) == (302, reverse("home"))
    user.refresh_from_db()
    assert user.check_password(PASSWORD)
    assert is_signed_in(client)


def test_a_weak_password_is_refused(client):
    user = make_user("mia")
    client.force_login(user)
    response = client.post(reverse("password"), {"new_password1": "short", "new_password2": "short"})
    assert response.status_code == 422
    user.refresh_from_db()
    assert not user.has_usable_password()


def test_a_second_password_wants_the_first_one(client):
    user = person_with_password()
    client.force_login(user)
    new = {"new_password1": "another long secret", "new_password2": "another long secret"}
    assert client.post(reverse("password"), new).status_code == 422
    assert client.post(reverse("password"), {**new, "old_password": PASSWORD}).status_code == 302


def test_a_lost_password_is_replaced_after_a_link(client):
    user = person_with_password()
    assert client.post(link_for(user)).url == reverse("home")
    new = {"new_password1": "another long secret", "new_password2": "another long secret"}
    assert client.post(reverse("password"), new).status_code == 302
    user.refresh_from_db()
    assert user.check_password("another long secret")


def test_a_new_password_ends_other_sessions_and_tokens(client):
    user = person_with_password()
    elsewhere = Client()
    elsewhere.force_login(user)
    make_token(user)
    client.force_login(user)
    new = {"new_password1": "another long secret", "new_password2": "another long secret"}
    client.post(reverse("password"), {**new, "old_password": PASSWORD})
    assert not Token.objects.filter(user=user).exists()
    assert elsewhere.get(reverse("account")).status_code == 302
    assert client.get(reverse("account")).status_code == 200


def test_signing_out_wants_a_post(client):
    client.force_login(make_user())
    assert client.get(reverse("sign_out")).status_code == 405
    assert client.post(reverse("sign_out")).status_code == 302
    assert not is_signed_in(client)


def test_a_name_is_changed_and_shown_inert(client):
    user = make_user("mia")
    client.force_login(user)
    assert client.post(reverse("account"), {"first_name": "<script>alert(1)</script>"}).status_code == 302
    page = client.get(reverse("account")).content
    assert b"<script>alert(1)" not in page
    assert b"&lt;script&gt;alert(1)" in page
