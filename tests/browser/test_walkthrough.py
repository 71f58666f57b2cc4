"""Once round the loop, as a person does it: a real browser, a real server, real workers, a tiny real model.

Sign in by a link, draw answers, rank them by keys, freeze, train a reward model and watch it, pick the best of N,
bring the winners back to the desk, export."""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from annotate import accounts
from annotate.models import Ranking
from rewards.models import RewardModel
from tests import factories
from tests.training.jobs import make_policy, real_worker

PASSWORD = "a long enough phrase"
PROMPTS = 6
PATIENCE = 90_000  # ms, for a job on a machine that does other things too

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(600)]


@pytest.fixture
def project():
    project = factories.make_project("bread", name="Bread")
    for number in range(PROMPTS):
        factories.make_prompt(project, text=f"Say {number}.")
    return project


@pytest.fixture
def rita(project):
    return factories.make_member(project, "researcher", factories.make_user("rita"))


@pytest.fixture
def worker(transactional_db):
    make_policy("tiny")
    with real_worker() as worker, real_worker("light"):
        yield worker


def sign_in_by_link(page: Page, person, server: str) -> None:
    page.goto(accounts.sign_in_link(person, server))
    page.get_by_role("button", name="Sign in as rita").click()
    for field in page.locator("input[type=password]").all():
        field.fill(PASSWORD)
    page.get_by_role("button", name="Set the password").click()
    expect(page.get_by_role("heading", name="Your work")).to_be_visible()


def settings(page: Page, **values: str) -> None:
    page.locator("summary", has_text="All settings").click()
    for name, value in values.items():
        field = page.locator(f"[name={name}]")
        field.select_option(value) if field.evaluate("e => e.tagName") == "SELECT" else field.fill(value)


def watch_to_the_end(page: Page) -> None:
    """The page follows the job by itself, without being loaded again."""
    page.wait_for_url(re.compile(r"/jobs/\d+$"))
    page.evaluate("window.sameDocument = true")
    state = page.locator("#job .state-line .state")
    expect(state).to_have_attribute("data-state", re.compile("succeeded|failed|cancelled"), timeout=PATIENCE)
    assert state.get_attribute("data-state") == "succeeded", page.locator("#job").inner_text()
    assert page.evaluate("window.sameDocument")


def draw_answers(page: Page) -> None:
    page.get_by_role("link", name="Draw answers").first.click()
    settings(page, answers="3", max_new_tokens="8", temperature="1.5", threads="1", precision="float32")
    page.get_by_role("button", name="Draw answers").click()
    watch_to_the_end(page)
    expect(page.locator(".answer-stream article")).to_have_count(5)


def rank_all_by_keys(page: Page, count: int) -> None:
    page.goto("/projects/bread/")
    page.keyboard.press("r")
    for _ in range(count):
        expect(page.locator("[data-question]")).to_have_text("Which is better, A or B?")
        assignment = page.locator("#task").get_attribute("data-assignment")
        for key in ("ArrowRight", "ArrowLeft", "ArrowLeft", "Enter"):
            page.keyboard.press(key)
        expect(page.locator(f"#task[data-assignment='{assignment}']")).to_have_count(0)
    expect(page.get_by_role("heading", name="Nothing left to rank")).to_be_visible()


def freeze(page: Page) -> None:
    page.goto("/projects/bread/snapshots/")
    page.get_by_role("link", name="Freeze a snapshot").click()
    page.get_by_role("button", name="Freeze").click()
    expect(page.get_by_role("heading", level=1, name="Rankings")).to_be_visible()


def train(page: Page) -> None:
    page.get_by_role("link", name="Train a reward model").click()
    expect(page.get_by_label("Rankings")).not_to_have_value("")
    settings(page, epochs="20", prompts_per_step="1", evaluate_every="10", threads="1", learning_rate="0.001")
    page.get_by_role("button", name="Train").click()
    watch_to_the_end(page)
    for title in ("Loss (training)", "Accuracy on held-out prompts"):
        figure = page.locator("figure.chart", has_text=title).first
        expect(figure.locator("canvas")).to_be_visible()
        assert figure.locator("tbody tr").count() > 1


def pick_the_best_of_two(page: Page) -> None:
    page.get_by_role("link", name="tiny on").click()
    expect(page.get_by_role("heading", name="Does it agree with people?")).to_be_visible()
    page.keyboard.press("b")
    settings(page, n="2", max_new_tokens="8", temperature="1.5", threads="1", precision="float32")
    page.get_by_role("button", name="Draw and pick").click()
    watch_to_the_end(page)


def send_all_to_the_desk(page: Page) -> None:
    page.goto("/projects/bread/")
    for box in page.locator("#batches input[type=checkbox]").all():
        box.check()
    page.get_by_role("button", name="Send to the desk").click()
    expect(page.locator("#messages")).to_contain_text(f"{PROMPTS} ranking tasks were made.")


def lines(page: Page, format: str) -> list[dict]:
    page.get_by_label("Rows", exact=True).select_option(format)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    return [json.loads(line) for line in Path(download.value.path()).read_text().splitlines()]


def test_once_round_the_loop(page, server, project, rita, worker):
    sign_in_by_link(page, rita, server)
    draw_answers(page)
    rank_all_by_keys(page, PROMPTS)
    assert [ranking.ranks.count(1) for ranking in Ranking.objects.all()] == [1] * PROMPTS
    freeze(page)
    snapshot = page.url
    train(page)
    model = RewardModel.objects.get()
    assert model.metrics["steps"] > 20 and model.log_loss is not None
    pick_the_best_of_two(page)
    winners = model.samplings.get().batch
    assert winners.answers.count() == PROMPTS
    send_all_to_the_desk(page)
    page.goto(snapshot)
    rankings = lines(page, "ranking")
    preferences = lines(page, "preference")
    assert len(rankings) == PROMPTS and sorted(rankings[0]["ranks"]) == [1, 2, 3]
    assert len(preferences) == 3 * PROMPTS
    assert preferences[0]["chosen"][-1]["role"] == "assistant"
