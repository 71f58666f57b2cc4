"""The desk in a browser: by keys alone, by mouse, without scripts, on a phone."""

import json
import re

import pytest
from playwright.sync_api import expect

from annotate.models import Assignment, Ranking
from tests import factories
from tests.browser.desk_page import TEXTS, badges_are, by_letter, hold, next_task_is_here, press


def test_a_ranking_by_keys_alone_with_a_tie(desk):
    press(desk, "ArrowLeft", "ArrowRight", "=")  # B after A; C after B; D as good as B, the middle of three
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


def test_of_two_cards_one_below_the_other_the_key_to_the_left_stands_for_the_upper(desk):
    press(desk, "ArrowLeft", "ArrowRight", "ArrowLeft", "ArrowLeft", "ArrowLeft")
    desk.get_by_label("Rank of A").select_option("not yet")
    desk.get_by_role("heading", name="Rank 4 answers").focus()
    expect(desk.locator("[data-question]")).to_have_text("Which is better, A or C?")
    press(desk, "ArrowLeft")
    expect(desk.locator("[data-question]")).to_have_text("Which is better, A or B?")
    press(desk, "ArrowRight")
    badges_are(desk, ["2nd", "1st", "3rd", "4th"])


def test_the_key_to_the_left_stands_for_the_card_at_the_left_where_that_is_the_lower(desk):
    press(desk, "ArrowLeft", "ArrowRight", "ArrowLeft", "ArrowLeft", "ArrowLeft")
    desk.get_by_label("Rank of B").select_option("not yet")
    desk.get_by_role("heading", name="Rank 4 answers").focus()
    expect(desk.locator("[data-question]")).to_have_text("Which is better, C or B?")
    desk.set_viewport_size({"width": 500, "height": 900})  # one column: B stands above C
    expect(desk.locator("[data-question]")).to_have_text("Which is better, B or C?")
    desk.set_viewport_size({"width": 1280, "height": 900})
    expect(desk.locator("[data-question]")).to_have_text("Which is better, C or B?")
    press(desk, "ArrowLeft", "ArrowLeft")
    badges_are(desk, ["1st", "3rd", "2nd", "4th"])


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
    badges_are(desk, ["3rd", "2nd", "1st", "4th"])
    press(desk, "b", "3", "4")  # it stays ringed
    badges_are(desk, ["2nd", "3rd =", "1st", "3rd ="])


def test_a_letter_and_a_number_speak_of_that_answer_also_while_another_is_being_placed(desk):
    press(desk, "a", "1", "b", "2", "c", "2", "d", "3")
    badges_are(desk, ["1st", "2nd =", "2nd =", "4th"])


def test_while_an_answer_is_ringed_nothing_is_asked_of_a_pair(desk):
    press(desk, "a")
    expect(desk.locator("[data-question]")).to_have_text(
        "Where does A belong? Give it a rank, or choose A again to go back."
    )
    expect(desk.locator("[data-verdicts]")).to_be_hidden()
    press(desk, "ArrowLeft", "a")
    expect(desk.locator("[data-question]")).to_have_text("Which is better, A or B?")
    desk.get_by_role("button", name="A is better").focus()
    press(desk, "a")
    expect(desk.locator("[data-question]")).to_be_focused()
    press(desk, "a")
    badges_are(desk, ["1st", "placing", "not placed", "not placed"])
    press(desk, "ArrowLeft")
    expect(desk.locator("[data-question]")).to_have_text("Which is better, C or B?")


def test_letters_and_arrows_change_the_order(desk):
    press(desk, "1", "2", "3", "4")
    badges_are(desk, ["2nd", "1st", "3rd", "4th"])
    press(desk, "d", "Shift+ArrowUp", "Shift+ArrowUp", "=")
    badges_are(desk, ["3rd", "1st =", "4th", "1st ="])


def test_a_key_held_down_says_one_thing_but_moves_on_with_shift(desk):
    hold(desk, "ArrowLeft")
    expect(desk.locator("[data-question]")).to_have_text("Which is better, C or B?")
    press(desk, "ArrowRight", "ArrowLeft", "ArrowLeft", "d")
    desk.keyboard.down("Shift")
    hold(desk, "ArrowUp")
    desk.keyboard.up("Shift")
    badges_are(desk, ["2nd", "3rd", "4th", "1st"])


def test_undo_goes_back_step_by_step_and_then_takes_back_the_last_ranking(desk):
    press(desk, "ArrowLeft", "ArrowRight", "ArrowLeft", "ArrowLeft", "u")
    badges_are(desk, ["1st", "2nd", "3rd", "placing"])
    press(desk, "ArrowLeft", "Enter")
    next_task_is_here(desk)
    desk.keyboard.press("u")
    expect(desk.locator("#task")).to_have_attribute("data-assignment", str(Ranking.objects.get().assignment_id))
    badges_are(desk, ["1st", "2nd", "3rd", "4th"])
    assert not Ranking.objects.standing().exists()


def test_undo_asks_before_it_takes_back_a_ranking_when_a_reload_forgot_the_steps(desk):
    press(desk, "ArrowLeft", "ArrowRight", "ArrowLeft", "ArrowLeft", "Enter")
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
    press(desk, "ArrowLeft", "ArrowRight", "ArrowLeft", "Enter")
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
    press(desk, "ArrowLeft", "ArrowRight", "ArrowLeft", "ArrowLeft")
    badges_are(desk, ["1st", "2nd", "3rd", "4th"])
    start = desk.locator(source).bounding_box()
    target = desk.locator(".order [data-chip]:text-is('B')").bounding_box()
    desk.mouse.move(start["x"] + 10, start["y"] + 10)
    desk.mouse.down()
    desk.mouse.move(target["x"] + target["width"] - 6, target["y"] + target["height"] / 2, steps=12)
    desk.wait_for_timeout(200)  # a drag looks where the pointer is every 50 ms
    desk.mouse.up()
    badges_are(desk, ["1st", "2nd =", "4th", "2nd ="])


@pytest.mark.parametrize("past", [-4, 60])
def test_the_first_is_dragged_to_the_end(desk, past):
    press(desk, "ArrowLeft", "ArrowRight", "ArrowLeft", "ArrowLeft")
    first, last = (desk.locator(f".order [data-chip]:text-is('{letter}')").bounding_box() for letter in "AD")
    desk.mouse.move(first["x"] + 10, first["y"] + 10)
    desk.mouse.down()
    desk.mouse.move(last["x"] + last["width"] + past, last["y"] + last["height"] / 2, steps=20)
    desk.wait_for_timeout(200)
    desk.mouse.up()
    badges_are(desk, ["4th", "1st", "2nd", "3rd"])


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
    press(desk, "ArrowLeft", "ArrowRight", "=")
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
    press(desk, "ArrowLeft", "ArrowRight", "=")
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
    press(page, "ArrowLeft", "ArrowRight", "=", "Enter")
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
