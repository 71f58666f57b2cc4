"""What tests of the desk do at it and read from it."""

from playwright.sync_api import expect

TEXTS = ("first", "second", "third", "fourth")


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
