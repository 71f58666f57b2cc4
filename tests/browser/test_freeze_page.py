"""From the form that freezes to the snapshot, over the job, and back."""

import re

import pytest
from playwright.sync_api import expect

from annotate.models import Prompt
from tests import factories
from tests.training.jobs import claim
from training import supervisor

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def form(page, sign_in):
    project = factories.make_project("bread", name="Bread")
    factories.make_ranking(factories.make_task(project), ranks=(1, 2, 2))
    sign_in(factories.make_member(project, "researcher"))
    page.goto("/projects/bread/snapshots/")
    page.get_by_role("link", name="Choose what to freeze").click()
    page.get_by_label("Ties").select_option("drop")
    page.get_by_role("button", name="Freeze").click()
    expect(page).to_have_url(re.compile(r"/jobs/\d+\?follow$"))
    return page


def test_the_page_of_the_job_goes_on_to_the_snapshot_and_back_leads_past_it(form):
    expect(form.get_by_role("button", name="Cancel")).to_be_visible()
    supervisor.run(claim("light"))
    expect(form.get_by_role("heading", level=1, name="Rankings")).to_be_visible()
    expect(form.locator("#messages")).to_contain_text("is frozen.")
    form.go_back()
    expect(form.get_by_role("heading", level=1, name="Freeze a snapshot")).to_be_visible()
    form.goto("/jobs/")
    form.locator("main table a").first.click()
    form.get_by_role("link", name="Open the snapshot").click()
    expect(form.get_by_role("heading", level=1, name="Rankings")).to_be_visible()


def test_what_stands_in_the_way_is_said_and_leads_back_to_the_same_choices(form):
    prompt = Prompt.objects.get()
    factories.make_prompt(prompt.project, text=prompt.messages[0]["content"], split="id_test")
    supervisor.run(claim("light"))
    expect(form.get_by_role("alert")).to_contain_text("would leak the test")
    form.get_by_role("link", name="Change what was asked for").click()
    expect(form.get_by_label("Ties")).to_have_value("drop")
    expect(form.locator("#preview")).to_contain_text("would leak the test")
