"""What a labeler does is kept: through a reload, a loss of the network, a server that restarts, a sign-out."""

import pytest
from django.utils.timezone import now
from playwright.sync_api import expect

from annotate import drafts
from annotate.models import Assignment, Ranking
from tests.browser.desk_page import badges_are, next_task_is_here, press


def test_a_reload_shows_what_was_placed(desk):
    press(desk, "ArrowLeft", "ArrowRight", "=")
    expect(desk.locator("[data-saved]")).to_have_text("saved")
    desk.reload()
    expect(desk.locator("[data-badge]").first).to_have_text("1st")
    badges_are(desk, ["1st", "2nd =", "4th", "2nd ="])


def test_what_is_done_without_a_network_is_kept_and_sent_later(desk, context):
    context.set_offline(True)
    press(desk, "ArrowLeft", "ArrowRight", "=")
    expect(desk.locator("[data-saved]")).to_have_text("not saved yet, will retry")
    context.set_offline(False)
    expect(desk.locator("[data-saved]")).to_have_text("saved")
    assert sorted(Assignment.objects.get().draft["ranks"].values()) == [1, 2, 2, 4]


def test_a_draft_that_never_left_the_browser_is_there_at_the_next_visit(desk, context):
    desk.route("**/draft", lambda route: route.abort())
    press(desk, "ArrowLeft", "ArrowRight")
    expect(desk.locator("[data-saved]")).to_have_text("not saved yet, will retry")
    desk.unroute("**/draft")
    desk.goto("/projects/")
    Assignment.objects.update(draft={})  # as if the page had been closed before anything arrived
    desk.goto("/projects/bread/rank")
    expect(desk.locator("[data-badge]").nth(2)).to_have_text("3rd")


def test_a_draft_that_was_left_behind_gives_way_to_later_work_on_another_device(desk):
    desk.route("**/draft", lambda route: route.abort())
    press(desk, "ArrowLeft", "ArrowRight")
    expect(desk.locator("[data-saved]")).to_have_text("not saved yet, will retry")
    desk.unroute("**/draft")
    desk.goto("/projects/")
    held = Assignment.objects.get()
    held.draft = {"ranks": {held.order[3]: 1}, "judged": [], "at": drafts.milliseconds(now())}
    held.save()
    desk.goto("/projects/bread/rank")
    badges_are(desk, ["placing", "not placed", "not placed", "1st"])


def test_a_draft_under_way_says_nothing_at_the_next_task(desk):
    press(desk, "ArrowLeft", "ArrowRight", "=")
    expect(desk.locator("[data-saved]")).to_have_text("saved")
    under_way = []
    desk.route("**/draft", lambda route: under_way.append(route))
    with desk.expect_request("**/draft"):
        press(desk, "d", "Shift+ArrowUp")
    desk.keyboard.press("Enter")
    next_task_is_here(desk)
    under_way[0].abort()
    desk.wait_for_timeout(200)
    expect(desk.locator("[data-saved]")).to_have_text("")


def test_a_ranking_submitted_without_a_network_is_sent_by_itself_once(desk, context):
    press(desk, "ArrowLeft", "ArrowRight", "=")
    context.set_offline(True)
    desk.keyboard.press("Enter")
    expect(desk.locator("[data-problem]")).to_contain_text("sent again by itself")
    context.set_offline(False)
    next_task_is_here(desk)
    assert Ranking.objects.count() == 1


def test_a_ranking_that_meets_a_restarting_server_is_sent_by_itself_once(desk):
    desk.route("**/submit", lambda route: route.fulfill(status=503))
    press(desk, "ArrowLeft", "ArrowRight", "=")
    expect(desk.locator("[data-saved]")).to_have_text("saved")  # by then the route holds
    desk.keyboard.press("Enter")
    expect(desk.locator("[data-problem]")).to_contain_text("sent again by itself")
    desk.unroute("**/submit")  # only now is the server up again: the notice stands until a retry gets through
    next_task_is_here(desk)
    assert Ranking.objects.count() == 1


@pytest.mark.parametrize("forgotten", ["sessionid", "csrftoken"])
def test_who_was_signed_out_meanwhile_signs_in_and_goes_on_where_they_were(desk, context, forgotten):
    cookies = context.cookies()
    context.clear_cookies(name=forgotten)
    press(desk, "ArrowLeft", "ArrowRight", "=")
    expect(desk.locator("[data-saved]")).to_have_text("not saved yet, will retry")
    with desk.expect_navigation():
        desk.keyboard.press("Enter")
    context.add_cookies(cookies)
    desk.goto("/projects/bread/rank")
    badges_are(desk, ["1st", "2nd =", "4th", "2nd ="])


def test_a_double_click_on_submit_stores_one_ranking(desk):
    press(desk, "ArrowLeft", "ArrowRight", "=")
    desk.get_by_role("button", name="Submit").dblclick()
    next_task_is_here(desk)
    assert Ranking.objects.count() == 1
