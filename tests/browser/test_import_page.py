"""A file from the form into the project, over the job that brings it in."""

import re

import pytest
from playwright.sync_api import expect

from tests import factories
from tests.training.jobs import claim
from training import supervisor

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def form(page, sign_in):
    sign_in(factories.make_member(factories.make_project("bread", name="Bread"), "researcher"))
    page.goto("/projects/bread/prompts/import")
    page.get_by_label("Split").select_option("id_test")
    return page


def bring(page, text):
    file = {"name": "prompts.jsonl", "mimeType": "text/plain", "buffer": text.encode()}
    page.locator("[type=file]").set_input_files([file])
    page.get_by_role("button", name="Import").click()
    expect(page).to_have_url(re.compile(r"/jobs/\d+\?follow$"))


def test_what_came_of_a_file_shows_by_itself(form):
    bring(form, '{"prompt": "One?"}\n{"prompt": "Two?"}\n')
    expect(form.get_by_role("button", name="Cancel")).to_be_visible()
    supervisor.run(claim("light"))
    expect(form.get_by_role("heading", name="Stored")).to_be_visible()
    expect(form.locator(".tile", has_text="New prompts")).to_contain_text("2")
    form.get_by_role("link", name="See the prompts").click()
    expect(form.get_by_text("Two?")).to_be_visible()


def test_a_mistake_is_named_and_the_mended_file_is_brought_by_the_same_choices(form):
    bring(form, '{"prompt": "One?"}\n{"question": "Two?"}\n')
    supervisor.run(claim("light"))
    expect(form.get_by_role("alert")).to_contain_text("Line 2")
    form.get_by_role("link", name="Files that came in").click()
    expect(form.locator(".notice.error")).to_contain_text("prompts.jsonl did not come in")
    form.get_by_role("link", name="prompts.jsonl").click()
    form.get_by_role("link", name="Choose the file again").click()
    expect(form.get_by_label("Split")).to_have_value("id_test")
    bring(form, '{"prompt": "One?"}\n{"prompt": "Two?"}\n')
    supervisor.run(claim("light"))
    expect(form.get_by_role("heading", name="Stored")).to_be_visible()
    form.goto("/projects/bread/imports/")
    expect(form.get_by_text("2 new prompts.")).to_be_visible()
    expect(form.locator(".notice.error")).to_have_count(0)
