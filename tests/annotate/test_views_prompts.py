"""The pages that show prompts, answers and rankings."""

import re
from uuid import uuid4

import pytest
from django.urls import reverse

from annotate import searching
from annotate.models import Ranking
from annotate.paging import PAGE_SIZE
from tests.factories import (
    make_answers,
    make_batch,
    make_labeler,
    make_member,
    make_project,
    make_prompt,
    make_ranking,
    make_task,
    user_says,
)

pytestmark = pytest.mark.django_db
XSS = "<script>alert(1)</script>"


@pytest.fixture
def project():
    return make_project("help")


@pytest.fixture
def enter(client, project):
    """Sign in as someone new with this role."""

    def enter(role):
        user = make_member(project, role)
        client.force_login(user)
        return user

    return enter


def get(client, page, *args, query=""):
    return client.get(reverse(page, args=["help", *args]) + query)


def named(response):
    """The answers in the rankings on a page."""
    return re.findall("<b>(.*?)</b>", response.content.decode())


def shown(response):
    return [prompt.last_message for prompt in response.context["page"].rows]


# Prompts


def test_prompts_are_listed_newest_first_with_their_counts(client, project, enter):
    enter("reviewer")
    make_ranking(make_task(answers=make_answers(make_prompt(project, "older")), rankings_wanted=2))
    make_prompt(project, "newer")
    rows = get(client, "prompts").context["page"].rows
    assert [(row.last_message, row.n_answers, row.n_rankings, row.n_wanted) for row in rows] == [
        ("newer", 0, 0, 0),
        ("older", 3, 1, 2),
    ]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("bread", ["My bread is dense"]),
        ("BREAD", ["My bread is dense"]),
        ("first turn", ["And then?"]),
        ('say "hello"', ['How do I say "hello"?']),
        ("user", []),
        ("content", []),
        ("100%", []),
        ("row-7", ["My bread is dense"]),
    ],
)
def test_a_search_finds_words_of_any_turn_and_external_ids(client, project, enter, query, found):
    enter("reviewer")
    make_prompt(project, "My bread is dense", external_id="row-7")
    make_prompt(project, 'How do I say "hello"?')
    make_prompt(
        project,
        messages=[user_says("The first turn"), {"role": "assistant", "content": "Yes."}, user_says("And then?")],
    )
    searching.catch_up(1)
    assert shown(client.get(reverse("prompts", args=["help"]), {"q": query})) == found


def test_a_split_is_filtered_and_of_an_unknown_one_there_is_nothing(client, project, enter):
    enter("reviewer")
    make_prompt(project, "to train")
    make_prompt(project, "to test", split="id_test")
    assert shown(get(client, "prompts", query="?split=id_test")) == ["to test"]
    assert shown(get(client, "prompts", query="?split=messages__0")) == []


def test_pages_lead_through_all_prompts_and_back(client, project, enter):
    enter("reviewer")
    for number in range(PAGE_SIZE + 5):
        make_prompt(project, f"number {number}")
    first = get(client, "prompts")
    second = get(client, "prompts", query=f"?before={first.context['page'].older}")
    back = get(client, "prompts", query=f"?after={second.context['page'].newer}")
    assert len(shown(first)) == PAGE_SIZE and len(shown(second)) == 5
    assert shown(back) == shown(first)
    assert (first.context["page"].newer, second.context["page"].older) == (None, None)


@pytest.mark.parametrize("query", ["?before=x", "?after=-1", "?before=99999999999999999999999", "?before=٣"])
def test_a_place_that_is_no_number_is_not_found(client, enter, query):
    enter("reviewer")
    assert get(client, "prompts", query=query).status_code == 404


def test_the_list_of_prompts_costs_the_same_however_long_it_is(client, project, enter, django_assert_max_num_queries):
    enter("reviewer")
    for _ in range(20):
        make_task(project)
    with django_assert_max_num_queries(9):
        assert len(get(client, "prompts").context["page"].rows) == 20


def test_an_empty_list_offers_the_import_to_whoever_may(client, enter):
    enter("researcher")
    assert reverse("import_prompts", args=["help"]).encode() in get(client, "prompts").content
    enter("reviewer")
    page = get(client, "prompts").content
    assert b"No prompts yet" in page and reverse("import_prompts", args=["help"]).encode() not in page


def test_htmx_gets_the_list_alone(client, enter):
    enter("reviewer")
    response = client.get(reverse("prompts", args=["help"]), headers={"HX-Request": "true"})
    assert b"<html" not in response.content and b'id="found"' in response.content


def test_a_prompt_shows_its_turns_and_answers_inert(client, project, enter):
    enter("researcher")
    prompt = make_prompt(project, f"Ask {XSS}", external_id=XSS)
    make_answers(prompt, [f"Say {XSS}", "[x](javascript:alert(1))"], make_batch(project, XSS))
    page = get(client, "prompt", prompt.pk).content.decode()
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 4
    assert XSS not in page and 'href="javascript' not in page


def test_only_a_researcher_sees_where_answers_come_from(client, project, enter):
    prompt = make_prompt(project)
    make_answers(prompt, batch=make_batch(project, "secret-policy"))
    prompt.answers.update(finish_reason="length", logprob=-12.5, seed=77)
    telling = {b"secret-policy", b"ended by length", b"log-probability -12.5", b"seed 77"}

    def told():
        page = get(client, "prompt", prompt.pk).content
        return {word for word in telling if word in page}

    enter("reviewer")
    assert told() == set()
    enter("researcher")
    assert told() == telling


def test_a_prompt_with_many_rankings_costs_the_same(client, project, enter, django_assert_max_num_queries):
    enter("reviewer")
    task = make_task(project, rankings_wanted=9)
    for _ in range(9):
        make_ranking(task)
    with django_assert_max_num_queries(10):
        assert get(client, "prompt", task.prompt_id).content.count(b'class="order"') == 9


# Rankings


def test_a_reviewer_sees_who_said_what_under_pseudonyms(client, project, enter):
    enter("reviewer")
    labeler = make_labeler(project)
    ranking = make_ranking(labeler=labeler, ranks=(3, 1, 1))
    page = get(client, "rankings").content.decode()
    assert labeler.pseudonym in page and labeler.user.username not in page
    assert [one.rank for one in get(client, "ranking", ranking.pk).context["placed"]] == [1, 1, 3]


def test_rankings_of_one_labeler_are_filtered(client, project, enter):
    enter("reviewer")
    wanted, _ = make_ranking(labeler=make_labeler(project)), make_ranking(labeler=make_labeler(project))
    rows = get(client, "rankings", query=f"?labeler={wanted.labeler.pseudonym}").context["page"].rows
    assert rows == [wanted]
    assert get(client, "rankings", query="?labeler=nobody").status_code == 422


def test_the_list_of_rankings_costs_the_same_however_long_it_is(client, project, enter, django_assert_max_num_queries):
    enter("reviewer")
    for _ in range(15):
        make_ranking(labeler=make_labeler(project))
    with django_assert_max_num_queries(10):
        assert len(get(client, "rankings").context["page"].rows) == 15


def test_an_imported_ranking_of_equal_texts_is_shown_as_it_came(client, project, enter):
    enter("reviewer")
    task = make_task(answers=make_answers(make_prompt(project), ["same", "same"]), flags=["equal_texts"])
    ranking = Ranking.objects.create(
        task=task, labeler=make_labeler(project), ranks=[1, 1], submission_id=uuid4(), payload_sha256="x"
    )
    assert get(client, "ranking", ranking.pk).status_code == 200
    assert b"equal_texts" in get(client, "prompt", task.prompt_id).content


def test_a_labeler_opens_their_own_ranking_and_nobody_elses(client, project, enter):
    mine = make_ranking(labeler=make_labeler(project, enter("labeler")))
    other = make_ranking(labeler=make_labeler(project))
    assert get(client, "ranking", mine.pk).status_code == 200
    assert get(client, "ranking", other.pk).status_code == 404
    assert mine.task.batch.source_name.encode() not in get(client, "ranking", mine.pk).content


def test_every_page_names_an_answer_by_the_letter_that_its_labeler_saw(client, project, enter):
    mine = make_ranking(labeler=make_labeler(project, enter("reviewer")), ranks=(1, 3, 2))
    mine.assignment.order = sorted(mine.assignment.order, reverse=True)
    mine.assignment.save()
    for page in (get(client, "my_work"), get(client, "rankings"), get(client, "ranking", mine.pk)):
        assert named(page) == ["C", "A", "B"]
    assert [one.letter for one in get(client, "ranking", mine.pk).context["placed"]] == ["C", "A", "B"]


def test_rankings_that_stand_together_name_an_answer_by_its_number_on_the_page(client, project, enter):
    enter("reviewer")
    prompt = make_prompt(project)
    make_answers(prompt, ["an answer of another batch"])
    task = make_task(answers=make_answers(prompt), rankings_wanted=2)
    for ranks in ((1, 3, 2), (2, 2, 1)):
        make_ranking(task, ranks=ranks)
    assert named(get(client, "prompt", prompt.pk)) == ["2", "4", "3", "4", "2", "3"]


def test_my_work_counts_what_stands_and_undoes_the_last(client, project, enter):
    labeler = make_labeler(project, enter("labeler"))
    for _ in range(2):
        make_ranking(labeler=labeler)
    make_ranking(labeler=make_labeler(project))
    assert (get(client, "my_work").context["n_today"], get(client, "my_work").context["n_all"]) == (2, 2)
    last = get(client, "my_work").context["last"]
    client.post(reverse("rank_undo", args=["help"]), {"ranking": last.pk})
    response = get(client, "my_work")
    assert response.context["n_all"] == 1 and b"withdrawn" in response.content


def test_my_work_costs_the_same_however_much_it_is(client, project, enter, django_assert_max_num_queries):
    labeler = make_labeler(project, enter("labeler"))
    for _ in range(15):
        make_ranking(labeler=labeler)
    with django_assert_max_num_queries(10):
        assert len(get(client, "my_work").context["page"].rows) == 15


# Other people's


@pytest.mark.parametrize("page", ["prompt", "ranking"])
def test_a_row_of_another_project_is_not_found(client, enter, page):
    enter("admin")
    ranking = make_ranking()
    assert get(client, page, {"prompt": ranking.task.prompt_id, "ranking": ranking.pk}[page]).status_code == 404


@pytest.mark.parametrize("page", ["prompts", "rankings"])
def test_a_labeler_does_not_read_what_would_unblind_them(client, enter, page):
    enter("labeler")
    assert get(client, page).status_code == 403


def test_reading_pages_refuse_to_be_written(client, enter):
    enter("admin")
    for page in ("prompts", "rankings", "my_work"):
        assert client.post(reverse(page, args=["help"])).status_code == 405
