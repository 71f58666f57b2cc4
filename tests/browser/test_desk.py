"""The desk in a browser: by keys alone, by mouse, without scripts, on a phone, and through a loss of the network."""

import json
import re

import pytest
from django.utils.timezone import now
from playwright.sync_api import expect

from annotate import drafts
from annotate.models import Assignment, Ranking
from annotate.roles import labeler_for
from tests import factories

TEXTS = ("first", "second", "third", "fourth")


@pytest.fixture
def project(transactional_db):
    return factories.make_project("bread", name="Bread")


@pytest.fixture
def mia(project, sign_in):
    user = factories.make_member(project)
    sign_in(user)
    return labeler_for(user, project)


@pytest.fixture
def tasks(project):
    return [factories.make_task(answers=factories.make_answers(factories.make_prompt(project), TEXTS)) for _ in "12"]


@pytest.fixture
def desk(page, mia, tasks):
    page.goto("/projects/bread/rank")
    expect(page.locator("[data-question]")).to_have_text("Which is better, A or B?")
    return page


def badges_are(page, words):
    expect(page.locator("[data-badge]")).to_have_text(words)


def by_letter(ranking):
    """Ranks in the order of the letters that the labeler saw."""
    ranks = dict(zip(ranking.task.task_answers.values_list("answer_id", flat=True), ranking.ranks, strict=True))
    return [ranks[pk] for pk in ranking.assignment.order]


def next_task_is_here(page):
    """The task before it was placed whole, and so asked nothing."""
    expect(page.locator("[data-question]")).to_have_text("Which is better, A or B?")


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def hold(page, key):
    for _ in "123":
        page.keyboard.down(key)  # from the second on the browser calls it a repeat
    page.keyboard.up(key)


def test_a_ranking_by_keys_alone_with_a_tie(desk):
    press(desk, "ArrowLeft", "ArrowLeft", "=")  # B after A; C after B; D as good as B, the middle of three
    badges_are(desk, ["1st", "2nd =", "4th", "2nd ="])
    desk.keyboard.press("Enter")
    next_task_is_here(desk)
    assert by_letter(Ranking.objects.get()) == [1, 2, 4, 2]


def test_the_key_to_the_left_says_that_the_card_at_the_left_is_better(page, mia, project):
    task = factories.make_task(answers=factories.make_answers(factories.make_prompt(project), TEXTS[:2]))
    page.goto("/projects/bread/rank")
    left, right = (page.locator(f".answer[data-letter={letter}]") for letter in "AB")
    assert left.bounding_box()["x"] < right.bounding_box()["x"]
    expect(page.locator("[data-verdicts] button")).to_have_text(["←A is better", "=equal", "B is better→"])
    press(page, "ArrowLeft", "Enter")
    expect(page.get_by_role("heading", name="Nothing left to rank")).to_be_visible()
    ranking = Ranking.objects.get()
    assert (ranking.task, by_letter(ranking)) == (task, [1, 2])
    assert ranking.comparisons.get(kind="judged").chosen_id == ranking.assignment.order[0]


def test_the_key_to_the_left_stands_for_the_one_shown_first_also_where_that_is_placed_anew(desk):
    press(desk, "ArrowLeft", "ArrowLeft", "ArrowLeft", "ArrowLeft", "ArrowLeft")
    desk.get_by_label("Rank of A").select_option("not yet")
    desk.get_by_role("heading", name="Rank 4 answers").focus()
    expect(desk.locator("[data-question]")).to_have_text("Which is better, A or C?")
    press(desk, "ArrowLeft")
    expect(desk.locator("[data-question]")).to_have_text("Which is better, A or B?")
    press(desk, "ArrowRight")
    badges_are(desk, ["2nd", "1st", "3rd", "4th"])


def test_who_speaks_is_shown_by_a_picture_that_looks_like_no_key(desk):
    expect(desk.locator(".avatar .icon")).to_be_visible()
    expect(desk.locator(".avatar")).to_have_text("")


def test_a_ranking_by_numbers(desk):
    press(desk, "2", "1", "2", "4")  # B, then A, which had only been assumed first, C and D
    badges_are(desk, ["1st", "2nd =", "2nd =", "4th"])


def test_a_number_moves_a_placed_answer_among_the_numbers_that_the_others_show(desk):
    press(desk, "1", "2", "3", "4")
    badges_are(desk, ["2nd", "1st", "3rd", "4th"])  # the first number was B's
    press(desk, "b", "1")
    badges_are(desk, ["2nd", "1st", "3rd", "4th"])
    press(desk, "c", "1")
    badges_are(desk, ["3rd", "1st =", "1st =", "4th"])
    press(desk, "b", "2")
    badges_are(desk, ["2nd =", "2nd =", "1st", "4th"])


def test_a_letter_and_a_number_speak_of_that_answer_also_while_another_is_being_placed(desk):
    press(desk, "a", "1", "b", "2", "c", "2", "d", "3")
    badges_are(desk, ["1st", "2nd =", "2nd =", "4th"])


def test_a_ringed_answer_is_asked_about_until_a_verdict_or_the_letter_again(desk):
    press(desk, "a")
    expect(desk.locator("[data-question]")).to_have_text("Where does A belong?")
    press(desk, "a")
    expect(desk.locator("[data-question]")).to_have_text("Which is better, A or B?")
    press(desk, "a", "ArrowLeft")
    expect(desk.locator("[data-question]")).to_have_text("Which is better, B or C?")


def test_letters_and_arrows_change_the_order(desk):
    press(desk, "1", "2", "3", "4")
    badges_are(desk, ["2nd", "1st", "3rd", "4th"])
    press(desk, "d", "Shift+ArrowUp", "Shift+ArrowUp", "=")
    badges_are(desk, ["3rd", "1st =", "4th", "1st ="])


def test_a_key_held_down_says_one_thing_but_moves_on_with_shift(desk):
    hold(desk, "ArrowLeft")
    expect(desk.locator("[data-question]")).to_have_text("Which is better, B or C?")
    press(desk, "ArrowLeft", "ArrowLeft", "ArrowLeft", "d")
    desk.keyboard.down("Shift")
    hold(desk, "ArrowUp")
    desk.keyboard.up("Shift")
    badges_are(desk, ["2nd", "3rd", "4th", "1st"])


def test_undo_goes_back_step_by_step_and_then_takes_back_the_last_ranking(desk):
    press(desk, "ArrowLeft", "ArrowLeft", "ArrowLeft", "ArrowLeft", "u")
    badges_are(desk, ["1st", "2nd", "3rd", "placing"])
    press(desk, "ArrowLeft", "Enter")
    next_task_is_here(desk)
    desk.keyboard.press("u")
    expect(desk.locator("#task")).to_have_attribute("data-assignment", str(Ranking.objects.get().assignment_id))
    badges_are(desk, ["1st", "2nd", "3rd", "4th"])
    assert not Ranking.objects.standing().exists()


def test_undo_asks_before_it_takes_back_a_ranking_when_a_reload_forgot_the_steps(desk):
    press(desk, "ArrowLeft", "ArrowLeft", "ArrowLeft", "ArrowLeft", "Enter")
    next_task_is_here(desk)
    press(desk, "ArrowLeft")
    expect(desk.locator("[data-saved]")).to_have_text("saved")
    desk.reload()
    badges_are(desk, ["1st", "2nd", "placing", "not placed"])
    desk.keyboard.press("u")
    desk.get_by_role("button", name="Go back").click()
    badges_are(desk, ["1st", "2nd", "placing", "not placed"])
    assert Ranking.objects.standing().count() == 1
    desk.keyboard.press("u")
    desk.get_by_role("button", name="Yes, do it").click()
    badges_are(desk, ["1st", "2nd", "3rd", "4th"])
    assert not Ranking.objects.standing().exists()


def test_a_screen_reader_hears_each_question_and_the_focus_follows_the_task(desk):
    desk.keyboard.press("ArrowRight")
    expect(desk.locator("#desk-live")).to_have_text("B is 1st. Which is better, A or C?")
    press(desk, "ArrowLeft", "ArrowLeft", "ArrowLeft", "Enter")
    next_task_is_here(desk)
    expect(desk.get_by_role("heading", name="Rank 4 answers")).to_be_focused()


def test_enter_says_what_is_not_placed_yet(desk):
    press(desk, "ArrowLeft", "Enter")
    expect(desk.locator("#desk-live")).to_contain_text("Not placed yet: C, D.")
    assert not Ranking.objects.exists()


def test_buttons_and_selects_do_what_keys_do(desk):
    desk.get_by_role("button", name="B is better").click()
    desk.get_by_label("Rank of C").select_option("3")
    desk.get_by_label("Rank of D").select_option("4")
    desk.get_by_role("button", name="D is equal with the one above").click()
    desk.get_by_role("button", name="Move B down").click()
    badges_are(desk, ["1st", "2nd", "3rd =", "3rd ="])


@pytest.mark.parametrize("source", [".order [data-chip]:text-is('D')", "[data-letter=D] [data-chip]"])
def test_an_answer_is_dragged_into_another_place(desk, source):
    press(desk, "ArrowLeft", "ArrowLeft", "ArrowLeft", "ArrowLeft")
    badges_are(desk, ["1st", "2nd", "3rd", "4th"])
    start = desk.locator(source).bounding_box()
    target = desk.locator(".order [data-chip]:text-is('B')").bounding_box()
    desk.mouse.move(start["x"] + 10, start["y"] + 10)
    desk.mouse.down()
    desk.mouse.move(target["x"] + target["width"] - 6, target["y"] + target["height"] / 2, steps=12)
    desk.wait_for_timeout(200)  # a drag looks where the pointer is every 50 ms
    desk.mouse.up()
    badges_are(desk, ["1st", "2nd =", "4th", "2nd ="])


def test_a_reload_shows_what_was_placed(desk):
    press(desk, "ArrowLeft", "ArrowLeft", "=")
    expect(desk.locator("[data-saved]")).to_have_text("saved")
    desk.reload()
    expect(desk.locator("[data-badge]").first).to_have_text("1st")
    badges_are(desk, ["1st", "2nd =", "4th", "2nd ="])


def test_what_is_done_without_a_network_is_kept_and_sent_later(desk, context):
    context.set_offline(True)
    press(desk, "ArrowLeft", "ArrowLeft", "=")
    expect(desk.locator("[data-saved]")).to_have_text("not saved yet, will retry")
    context.set_offline(False)
    expect(desk.locator("[data-saved]")).to_have_text("saved")
    assert sorted(Assignment.objects.get().draft["ranks"].values()) == [1, 2, 2, 4]


def test_a_draft_that_never_left_the_browser_is_there_at_the_next_visit(desk, context):
    desk.route("**/draft", lambda route: route.abort())
    press(desk, "ArrowLeft", "ArrowLeft")
    expect(desk.locator("[data-saved]")).to_have_text("not saved yet, will retry")
    desk.unroute("**/draft")
    desk.goto("/projects/")
    Assignment.objects.update(draft={})  # as if the page had been closed before anything arrived
    desk.goto("/projects/bread/rank")
    expect(desk.locator("[data-badge]").nth(2)).to_have_text("3rd")


def test_a_draft_that_was_left_behind_gives_way_to_later_work_on_another_device(desk):
    desk.route("**/draft", lambda route: route.abort())
    press(desk, "ArrowLeft", "ArrowLeft")
    expect(desk.locator("[data-saved]")).to_have_text("not saved yet, will retry")
    desk.unroute("**/draft")
    desk.goto("/projects/")
    held = Assignment.objects.get()
    held.draft = {"ranks": {held.order[3]: 1}, "judged": [], "at": drafts.milliseconds(now())}
    held.save()
    desk.goto("/projects/bread/rank")
    badges_are(desk, ["placing", "not placed", "not placed", "1st"])


def test_a_draft_under_way_says_nothing_at_the_next_task(desk):
    press(desk, "ArrowLeft", "ArrowLeft", "=")
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
    press(desk, "ArrowLeft", "ArrowLeft", "=")
    context.set_offline(True)
    desk.keyboard.press("Enter")
    expect(desk.locator("[data-problem]")).to_contain_text("sent again by itself")
    context.set_offline(False)
    next_task_is_here(desk)
    assert Ranking.objects.count() == 1


def test_a_ranking_that_meets_a_restarting_server_is_sent_by_itself_once(desk):
    desk.route("**/submit", lambda route: route.fulfill(status=503))
    press(desk, "ArrowLeft", "ArrowLeft", "=")
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
    press(desk, "ArrowLeft", "ArrowLeft", "=")
    expect(desk.locator("[data-saved]")).to_have_text("not saved yet, will retry")
    with desk.expect_navigation():
        desk.keyboard.press("Enter")
    context.add_cookies(cookies)
    desk.goto("/projects/bread/rank")
    badges_are(desk, ["1st", "2nd =", "4th", "2nd ="])


def test_a_double_click_on_submit_stores_one_ranking(desk):
    press(desk, "ArrowLeft", "ArrowLeft", "=")
    desk.get_by_role("button", name="Submit").dblclick()
    next_task_is_here(desk)
    assert Ranking.objects.count() == 1


def test_a_skip_asks_for_its_reason(desk):
    first = desk.locator("#task").get_attribute("data-assignment")
    desk.keyboard.press("s")
    desk.get_by_label("Anything to add?").fill("Which dog?")
    desk.get_by_label("The prompt is unclear").focus()
    press(desk, "Space", "Enter")
    expect(desk.locator("#task")).not_to_have_attribute("data-assignment", first)
    skipped = Assignment.objects.get(pk=first)
    assert (skipped.skip_reason, skipped.skip_note) == ("unclear", "Which dog?")


def test_enter_right_after_a_skip_was_called_off_asks_no_hidden_form(desk):
    said = []
    desk.on("console", lambda message: said.append(message.text))
    desk.evaluate("document.activeElement.blur()")
    desk.keyboard.press("s")
    expect(desk.get_by_label("The prompt is unclear")).to_be_focused()
    for key in ("Escape", "Enter"):
        desk.keyboard.down(key)
    expect(desk.get_by_label("The prompt is unclear")).to_be_hidden()
    desk.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert [text for text in said if "not focusable" in text] == []


def test_a_key_between_two_tasks_does_nothing_to_the_next(desk):
    press(desk, "ArrowLeft", "ArrowLeft", "=")
    desk.evaluate("""() => document.addEventListener("htmx:afterSwap", () => {
        for (const key of ["u", "Enter"]) {
            document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
        }
        window.sameDocument = true;
    })""")
    desk.keyboard.press("Enter")
    next_task_is_here(desk)
    desk.wait_for_timeout(300)
    assert desk.evaluate("window.sameDocument")
    assert Ranking.objects.standing().count() == 1


def test_a_task_that_was_finished_in_another_tab_says_so(desk, context):
    press(desk, "ArrowLeft", "ArrowLeft", "=")
    expect(desk.locator("[data-saved]")).to_have_text("saved")
    other = context.new_page()
    other.goto("/projects/bread/rank")
    expect(other.locator("[data-badge]").first).to_have_text("1st")
    other.keyboard.press("Enter")
    next_task_is_here(other)
    desk.keyboard.press("Enter")
    expect(desk.get_by_role("alert")).to_contain_text("You have ranked this task already.")


def test_an_empty_queue_finds_the_next_task_by_itself(page, mia, project):
    page.clock.install()
    page.goto("/projects/bread/rank")
    expect(page.get_by_role("heading", name="No answers to rank yet")).to_be_visible()
    factories.make_task(project)
    page.clock.fast_forward(11_000)
    expect(page.locator("[data-question]")).to_have_text("Which is better, A or B?")


def test_keys_open_the_guidelines_the_shortcuts_and_the_raw_text(page, mia, tasks, project):
    factories.make_guidelines(project, "Prefer the true one.")
    page.goto("/projects/bread/rank")
    expect(page.locator("[data-question]")).to_have_text("Which is better, A or B?")
    for key, words in {"g": "Prefer the true one.", "?": "Keyboard shortcuts"}.items():
        page.keyboard.press(key)
        expect(page.locator(":popover-open")).to_contain_text(words)
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Escape")
        expect(page.locator(":popover-open")).to_have_count(0)
    expect(page.locator("[data-question]")).to_have_text("Which is better, A or B?")
    page.keyboard.press("r")
    expect(page.locator(".raw-text pre").first).to_be_visible()
    expect(page.locator(".rendered").first).to_be_hidden()


def test_new_guidelines_stand_beside_the_next_task_and_the_first_is_filed_under_the_old(page, mia, tasks, project):
    factories.make_guidelines(project, "Prefer the true one.", version=1)
    page.goto("/projects/bread/rank")
    expect(page.locator("[data-question]")).to_have_text("Which is better, A or B?")
    factories.make_guidelines(project, "Prefer the short one.", version=2)
    press(page, "ArrowLeft", "ArrowLeft", "=", "Enter")
    next_task_is_here(page)
    page.keyboard.press("g")
    expect(page.locator(":popover-open")).to_contain_text("Guidelines v2")
    expect(page.locator(":popover-open")).to_contain_text("Prefer the short one.")
    assert Ranking.objects.get().guidelines_version == 1


def test_single_key_shortcuts_can_be_switched_off(desk):
    desk.keyboard.press("?")
    desk.get_by_role("switch", name="Single-key shortcuts").uncheck()
    desk.keyboard.press("Escape")
    desk.keyboard.press("ArrowRight")
    expect(desk.locator("[data-question]")).to_have_text("Which is better, A or B?")


def test_the_tray_covers_no_answer_on_a_phone(desk):
    desk.set_viewport_size({"width": 390, "height": 844})
    desk.evaluate("scrollTo(0, document.body.scrollHeight)")
    last, tray = (desk.locator(place).bounding_box() for place in ("[data-letter=D]", ".tray"))
    assert last["y"] + last["height"] <= tray["y"]
    assert desk.evaluate("document.documentElement.scrollWidth") == 390


def test_the_desk_works_without_scripts(browser, server, mia, tasks, client, sign_in, context):
    plain = browser.new_context(base_url=server, java_script_enabled=False, storage_state=context.storage_state())
    page = plain.new_page()
    page.goto("/projects/bread/rank")
    for letter, rank in {"A": "2", "B": "1", "C": "2", "D": "4"}.items():
        page.get_by_label(f"Rank of {letter}").select_option(rank)
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_label("Rank of A")).to_have_value("")
    page.get_by_role("button", name="Skip", exact=False).first.click()
    page.get_by_label("I cannot judge this subject").check()
    page.get_by_role("button", name="Skip this task").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("Nothing left|ranked everything"))
    plain.close()
    assert by_letter(Ranking.objects.get()) == [2, 1, 2, 4]
    assert Assignment.objects.filter(skip_reason="cannot_judge").exists()


def test_hostile_answers_do_nothing_in_a_browser(page, mia, project):
    from tests.annotate.test_rendering import HOSTILE

    prompt = factories.make_prompt(project, HOSTILE[0])
    texts = [json.dumps(HOSTILE[n::4]) + "\n\n" + "\n\n".join(HOSTILE[n::4]) for n in range(4)]
    factories.make_task(answers=factories.make_answers(prompt, texts))
    page.goto("/projects/bread/rank")
    expect(page.locator("[data-question]")).to_have_text("Which is better, A or B?")
    page.keyboard.press("r")
    expect(page.locator(".raw-text pre").first).to_be_visible()
    assert page.locator(".prose img, .prose script, .prose form, .prose [hx-post], .prose [data-hx-get]").count() == 0
