"""A real browser on a real server: Debian's chromium through Playwright, each page watched for what it must not do."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.core.signals import request_finished, request_started
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from annotate.models import Labeler, Project, RankingTask, User
from annotate.roles import labeler_for
from tests import factories
from tests.browser.desk_page import TEXTS

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Playwright's loop runs in the tests' thread, where Django would take the queries of a test for asynchronous code.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.fail("chromium is missing. Install it once: sudo apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def server(live_server) -> str:
    return live_server.url


class Watched:
    """What a page did wrong while a test ran: script errors, refused contents, requests to another host."""

    def __init__(self, page: Page, server: str) -> None:
        self.wrong: list[str] = []
        page.on("pageerror", lambda error: self.wrong.append(f"script: {error}"))
        page.on("dialog", lambda dialog: (self.wrong.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("console", self._console)
        page.on("request", lambda request: request.url.startswith((server, "data:")) or self._add(request.url))

    def _console(self, message) -> None:
        if "Content Security Policy" in message.text or "Content-Security-Policy" in message.text:
            self._add(message.text)

    def _add(self, text: str) -> None:
        self.wrong.append(text)


@pytest.fixture
def no_request_outlives_its_test(server) -> Iterator[None]:
    """A page says goodbye with a last draft: the tables are emptied only after the server has answered."""
    under_way: set[object] = set()

    def begin(**_) -> None:
        under_way.add(threading.get_ident())

    def end(**_) -> None:
        under_way.discard(threading.get_ident())

    request_started.connect(begin, weak=False)
    request_finished.connect(end, weak=False)
    yield
    deadline = time.monotonic() + 10
    while under_way and time.monotonic() < deadline:
        time.sleep(0.02)
    request_started.disconnect(begin)
    request_finished.disconnect(end)


@pytest.fixture
def context(browser, server, no_request_outlives_its_test) -> Iterator[BrowserContext]:
    context = browser.new_context(base_url=server, viewport={"width": 1280, "height": 860})
    context.set_default_timeout(10_000)
    yield context
    context.set_offline(True)
    context.close()


@pytest.fixture
def page(context, server) -> Iterator[Page]:
    """A page that fails its test, at the end, if anything on it went wrong."""
    page = context.new_page()
    watched = Watched(page, server)
    yield page
    assert watched.wrong == []


@pytest.fixture
def sign_in(context, server, client):
    """Signs a person in without the form, as their next request does."""

    def sign_in(user: User) -> None:
        client.force_login(user)
        name = django_settings.SESSION_COOKIE_NAME
        context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": server}])

    return sign_in


@pytest.fixture
def project(transactional_db: None) -> Project:
    return factories.make_project("bread", name="Bread")


@pytest.fixture
def mia(project: Project, sign_in: Callable[[User], None]) -> Labeler:
    user = factories.make_member(project)
    sign_in(user)
    return labeler_for(user, project)


@pytest.fixture
def tasks(project: Project) -> list[RankingTask]:
    return [factories.make_task(answers=factories.make_answers(factories.make_prompt(project), TEXTS)) for _ in "12"]


@pytest.fixture
def desk(page: Page, mia: Labeler, tasks: list[RankingTask]) -> Page:
    page.goto("/projects/bread/rank")
    expect(page.locator("[data-question]")).to_have_text("Which is better, A or B?")
    return page
