"""API tokens in a real browser."""

import re

import pytest
from playwright.sync_api import expect

from annotate.models import Token
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_token_is_shown_once_and_revoked_after_a_question(page, sign_in):
    sign_in(factories.make_user())
    page.goto("/account/tokens")
    page.get_by_label("Name").fill("nightly export")
    page.get_by_role("button", name="Make the token").click()
    secret = page.get_by_label("The token nightly export")
    expect(secret).to_have_value(re.compile(r"plackett_\S{43}"))
    page.get_by_role("button", name="Copy").click()
    page.reload()
    expect(secret).to_have_count(0)
    page.get_by_role("button", name="Revoke nightly export").click()
    page.get_by_role("button", name="Go back").click()
    assert Token.objects.count() == 1
    page.get_by_role("button", name="Revoke nightly export").click()
    page.get_by_role("button", name="Yes, do it").click()
    expect(page.get_by_text("is revoked")).to_be_visible()
    assert not Token.objects.exists()


def test_the_page_of_the_api_opens_an_operation(page, sign_in):
    sign_in(factories.make_user())
    page.goto("/api/docs/")
    page.get_by_text("Freeze a snapshot").click()
    expect(page.get_by_text("most_per_labeler")).to_be_visible()
