"""Reading one disagreement after the other, by keys."""

import pytest
from playwright.sync_api import Page, expect

from tests import factories
from tests.training.heldout_files import make_tested_model, many

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_next_one_and_the_one_before_are_a_key_away(page: Page, project, sign_in) -> None:
    sign_in(factories.make_member(project, "researcher"))
    model = make_tested_model(project, many(12))
    page.goto(f"/reward-models/{model.pk}")
    page.get_by_role("link", name="Read where it disagrees with people").click()
    expect(page.get_by_text("1 of 3")).to_be_visible()
    page.keyboard.press("j")
    expect(page.get_by_text("2 of 3")).to_be_visible()
    expect(page.locator(".conversation")).to_contain_text("Is 8 a number?")
    page.keyboard.press("k")
    expect(page.get_by_text("1 of 3")).to_be_visible()
