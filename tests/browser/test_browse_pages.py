"""The lists of a project's data: searched by keys, narrowed by filters, each filter taken off again."""

import pytest
from playwright.sync_api import expect

from annotate import searching
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def lists(page, sign_in):
    project = factories.make_project("bread", name="Bread")
    sign_in(factories.make_member(project, "researcher"))
    factories.make_prompt(project, "How long does dough rise?")
    factories.make_prompt(project, "Which flour is best?", split="id_test")
    searching.catch_up(1)
    page.goto("/projects/bread/prompts/")
    return page


def test_a_search_is_begun_by_a_key_and_narrows_the_list_as_one_types(lists):
    lists.keyboard.press("/")
    expect(lists.get_by_role("searchbox", name="Search")).to_be_focused()
    lists.keyboard.type("dough")
    expect(lists.get_by_role("link", name="Which flour is best?")).to_have_count(0)
    expect(lists.get_by_role("link", name="How long does dough rise?")).to_be_visible()
    expect(lists.get_by_role("searchbox", name="Search")).to_be_focused()


@pytest.mark.parametrize("delay", [310, 350])
def test_what_is_typed_while_an_answer_arrives_stays(lists, delay):
    lists.keyboard.press("/")
    lists.keyboard.type("dough rise", delay=delay)
    expect(lists.get_by_role("link", name="Which flour is best?")).to_have_count(0)
    expect(lists.get_by_role("searchbox", name="Search")).to_have_value("dough rise")
    expect(lists.get_by_role("link", name="How long does dough rise?")).to_be_visible()


def test_a_filter_that_cannot_be_meant_is_said_where_the_list_was(lists):
    lists.goto("/projects/bread/rankings/")
    lists.get_by_label("Labeler").fill("nobody")
    lists.get_by_label("Labeler").press("Enter")
    expect(lists.get_by_role("alert")).to_contain_text("Nobody in this project has this pseudonym.")


def test_a_filter_stands_in_the_address_and_is_taken_off_by_its_chip(lists):
    lists.get_by_label("Split").select_option("id_test")
    expect(lists.get_by_role("link", name="How long does dough rise?")).to_have_count(0)
    lists.reload()
    expect(lists.get_by_role("link", name="How long does dough rise?")).to_have_count(0)
    lists.get_by_role("link", name="Remove the filter Split").click()
    expect(lists.get_by_role("link", name="How long does dough rise?")).to_be_visible()


def test_the_filters_work_without_scripts(browser, server, lists):
    context = browser.new_context(base_url=server, java_script_enabled=False)
    context.add_cookies(lists.context.cookies())
    page = context.new_page()
    page.goto("/projects/bread/prompts/")
    page.get_by_role("searchbox", name="Search").fill("flour")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("link", name="Which flour is best?")).to_be_visible()
    expect(page.get_by_role("link", name="How long does dough rise?")).to_have_count(0)
    context.close()
