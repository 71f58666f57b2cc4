"""Launch forms: what follows from a choice is suggested anew, and what was typed stays."""

import pytest
from playwright.sync_api import expect

from tests import factories
from tests.training.learned import make_policy, make_snapshot

pytestmark = pytest.mark.django_db(transaction=True)


def test_another_snapshot_brings_another_suggestion_and_leaves_the_rest_alone(page, sign_in):
    project = factories.make_project("bread", name="Bread")
    sign_in(factories.make_member(project, "researcher"))
    make_policy()
    few = make_snapshot(project, counts={"prompts": 18, "comparisons": 108, "ties": 4})
    many = make_snapshot(project, counts={"prompts": 500, "comparisons": 3000, "ties": 0})
    page.goto("/projects/bread/train")
    page.get_by_label("Learning rate").fill("0.001")
    for snapshot, size, epochs in ((few, "2", "3"), (many, "8", "1")):
        page.get_by_label("Rankings").select_option(str(snapshot.pk))
        expect(page.locator("#suggested")).to_contain_text(f"{size} a step")
        expect(page.get_by_label("Prompts per step")).to_have_value(size)
        expect(page.get_by_label("Epochs")).to_have_value(epochs)
    expect(page.get_by_label("Learning rate")).to_have_value("0.001")
    expect(page.get_by_label("Rankings")).to_have_value(str(many.pk))


def test_a_number_that_was_typed_is_kept_when_another_snapshot_is_chosen(page, sign_in):
    project = factories.make_project("bread", name="Bread")
    sign_in(factories.make_member(project, "researcher"))
    make_policy()
    few = make_snapshot(project, counts={"prompts": 18, "comparisons": 108, "ties": 4})
    many = make_snapshot(project, counts={"prompts": 500, "comparisons": 3000, "ties": 0})
    page.goto("/projects/bread/train")
    page.get_by_label("Rankings").select_option(str(few.pk))
    expect(page.get_by_label("Prompts per step")).to_have_value("2")
    page.get_by_label("Epochs").fill("5")
    for snapshot, size in ((many, "8"), (few, "2")):
        page.get_by_label("Rankings").select_option(str(snapshot.pk))
        expect(page.get_by_label("Prompts per step")).to_have_value(size)
        expect(page.get_by_label("Epochs")).to_have_value("5")


def test_a_typed_number_that_a_snapshot_suggests_too_stays_typed(page, sign_in):
    project = factories.make_project("bread", name="Bread")
    sign_in(factories.make_member(project, "researcher"))
    make_policy()
    few = make_snapshot(project, counts={"prompts": 18, "comparisons": 108, "ties": 4})
    many = make_snapshot(project, counts={"prompts": 500, "comparisons": 3000, "ties": 0})
    page.goto(f"/projects/bread/train?snapshot={few.pk}")
    page.get_by_label("Prompts per step").fill("8")
    for snapshot, epochs in ((many, "1"), (few, "3")):  # of many prompts, 8 are suggested
        page.get_by_label("Rankings").select_option(str(snapshot.pk))
        expect(page.get_by_label("Epochs")).to_have_value(epochs)
        expect(page.get_by_label("Prompts per step")).to_have_value("8")


@pytest.mark.parametrize("status", [503, 204])
def test_what_was_typed_after_an_answer_that_was_not_swapped_stays(page, sign_in, status):
    project = factories.make_project("bread", name="Bread")
    sign_in(factories.make_member(project, "researcher"))
    make_policy()
    many = make_snapshot(project, counts={"prompts": 500, "comparisons": 3000, "ties": 0})
    page.route(
        "**/projects/bread/train",
        lambda route: route.fulfill(status=status) if route.request.method == "POST" else route.continue_(),
    )
    page.goto("/projects/bread/train")
    page.get_by_label("Learning rate").fill("0.001")
    page.get_by_label("Prompts per step").fill("2")
    page.get_by_label("Epochs").fill("2")
    with page.expect_response(lambda response: response.status == status):
        page.get_by_role("button", name="Train").click()
    page.get_by_label("Learning rate").fill("0.002")
    page.get_by_label("Rankings").select_option(str(many.pk))
    expect(page.locator("#suggested")).to_contain_text("8 a step")
    expect(page.get_by_label("Learning rate")).to_have_value("0.002")
