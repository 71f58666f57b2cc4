"""The desk gives one task at a time, stores what was said once, and never loses what was done."""

import json
import re
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from annotate import assignment, desk
from annotate.models import Assignment, Ranking
from annotate.roles import labeler_for
from tests import factories
from tests.annotate.desk_requests import HTMX, address, form, text, turn

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return factories.make_project("bread", name="Bread")


@pytest.fixture
def mia(project, client):
    user = factories.make_member(project)
    client.force_login(user)
    return labeler_for(user, project)


@pytest.fixture
def task(project):
    return factories.make_task(project)


def undo(client, ranking, **options):
    return client.post("/projects/bread/rank/undo", {"ranking": ranking.pk}, **options)


def test_the_desk_shows_the_prompt_and_the_answers_in_the_order_of_this_labeler(client, mia, task):
    page = text(client.get("/projects/bread/rank"))
    shown = turn(mia).order
    assert task.prompt.last_message in page
    assert [page.index(f'id="answer-{pk}"') for pk in shown] == sorted(page.index(f'id="answer-{pk}"') for pk in shown)


def test_the_desk_does_not_say_who_wrote_an_answer(client, mia, project):
    prompt = factories.make_prompt(project)
    batch = factories.make_batch(project, "secret-policy")
    factories.make_task(answers=factories.make_answers(prompt, ["one", "two"], batch))
    assert "secret-policy" not in text(client.get("/projects/bread/rank"))


def test_loading_the_desk_again_shows_the_same_task(client, mia, task, project):
    factories.make_task(project)
    client.get("/projects/bread/rank")
    client.get("/projects/bread/rank")
    assert mia.assignments.count() == 1


def test_submit_answers_with_the_next_task(client, mia, task, project):
    following = factories.make_task(project)
    held = turn(mia)
    page = text(client.post(address("rank_submit", held), form(held), headers=HTMX))
    assert following.prompt.last_message in page
    assert page.count('id="task"') == 1 and "<html" not in page
    assert mia.rankings.count() == 1


def test_submit_without_scripts_leads_back_to_the_desk(client, mia, task):
    held = turn(mia)
    response = client.post(address("rank_submit", held), form(held))
    assert (response.status_code, response.url) == (302, "/projects/bread/rank")


def test_a_ranking_keeps_the_page_it_was_made_on_and_the_time_it_took(client, mia, task):
    held = turn(mia)
    client.post(address("rank_submit", held), form(held))
    assert (mia.rankings.get().page_version, mia.rankings.get().active_seconds) == (desk.PAGE_VERSION, 12)


def test_the_same_submission_twice_stores_one_ranking(client, mia, task):
    held = turn(mia)
    sent = form(held)
    first, second = (client.post(address("rank_submit", held), sent, headers=HTMX).status_code for _ in range(2))
    assert (first, second, Ranking.objects.count()) == (200, 200, 1)


def test_ranks_without_gaps_after_a_tie_mean_the_same_as_with_them(client, mia, task):
    held = turn(mia)
    client.post(address("rank_submit", held), form(held, ranks=(1, 1, 2)))
    assert sorted(mia.rankings.get().ranks) == [1, 1, 3]


def test_a_ranking_that_misses_an_answer_is_refused_and_nothing_is_lost(client, mia, task):
    held = turn(mia)
    judged = [[held.order[0], held.order[1], "better"]]
    draft = json.dumps({"ranks": {}, "judged": judged})
    response = client.post(address("rank_submit", held), form(held, (1, 2, ""), draft=draft), headers=HTMX)
    assert response.status_code == 422
    assert json.loads(response.context["draft"])["judged"] == judged
    assert "1 of 3 answers has no place yet" in text(response)
    assert text(response).count("selected>") == 2
    assert not Ranking.objects.exists()


@pytest.mark.parametrize("rank", ["4", "0", "-1", "x", "1" * 5000, "١"])
def test_a_rank_that_is_no_choice_counts_as_none(client, mia, task, rank):
    held = turn(mia)
    assert client.post(address("rank_submit", held), form(held, ranks=(1, 2, rank))).status_code == 422


def test_a_submission_without_an_id_is_refused(client, mia, task):
    held = turn(mia)
    response = client.post(address("rank_submit", held), form(held, submission_id="no"), headers=HTMX)
    assert (response.status_code, Ranking.objects.count()) == (409, 0)


def test_a_finished_task_is_refused_with_its_reason(client, mia, task):
    held = turn(mia)
    assignment.skip(assignment=held, reason="other", now=now())
    response = client.post(address("rank_submit", held), form(held), headers=HTMX)
    assert response.status_code == 409
    assert "You skipped this task, and others have it now." in text(response)
    assert not Ranking.objects.exists()


@pytest.mark.parametrize("name", ["rank_submit", "rank_skip"])
def test_the_task_of_somebody_else_is_refused_with_its_reason(client, mia, task, project, name):
    theirs = turn(factories.make_labeler(project))
    response = client.post(address(name, theirs), form(theirs, reason="other"), headers=HTMX)
    assert response.status_code == 404
    assert "This task is not yours." in text(response)
    assert not Ranking.objects.exists()
    theirs.refresh_from_db()
    assert theirs.state == "open"


def test_a_skip_has_a_reason_and_brings_the_next_task(client, mia, task, project):
    following = factories.make_task(project)
    held = turn(mia)
    page = text(client.post(address("rank_skip", held), {"reason": "unclear", "note": "Which dog?"}, headers=HTMX))
    assert following.prompt.last_message in page
    held.refresh_from_db()
    assert (held.skip_reason, held.skip_note) == ("unclear", "Which dog?")


def test_a_skip_without_a_reason_is_refused(client, mia, task):
    held = turn(mia)
    response = client.post(address("rank_skip", held), {"reason": "bored"}, headers=HTMX)
    assert response.status_code == 422
    assert "choose one of the reasons" in text(response)


def test_undo_brings_back_the_last_task_with_its_ranks(client, mia, task):
    held = turn(mia)
    client.post(address("rank_submit", held), form(held, ranks=(3, 1, 2)))
    page = text(undo(client, mia.rankings.get(), headers=HTMX))
    assert f'data-assignment="{held.pk}"' in page
    assert page.count("selected>") == 3
    assert not Ranking.objects.standing().exists()


def test_undo_with_nothing_to_undo_says_so(client, mia, task):
    assert "nothing to undo" in text(client.post("/projects/bread/rank/undo", headers=HTMX))


def test_undo_without_scripts_leads_back_to_the_desk_with_the_task(client, mia, task):
    ranking = factories.make_ranking(task, labeler=mia)
    assert undo(client, ranking).url == "/projects/bread/rank"
    assert f'data-assignment="{ranking.assignment_id}"' in text(client.get("/projects/bread/rank"))


def test_undo_sent_twice_takes_back_one_ranking(client, mia, project):
    first, second = (factories.make_ranking(labeler=mia) for _ in "12")
    assert f'name="ranking" value="{second.pk}"' in text(client.get("/projects/bread/rank"))
    for _ in "12":
        page = text(undo(client, second, headers=HTMX))
    assert "was taken back already" in page
    assert mia.rankings.standing().get() == first


def test_a_surplus_ranking_that_was_taken_back_is_shown_again_though_others_have_its_slot(client, mia, task):
    held = turn(mia)
    Assignment.objects.filter(pk=held.pk).update(lease_until=now())
    factories.make_ranking(task)
    client.post(address("rank_submit", held), form(held))
    assert f'data-assignment="{held.pk}"' in text(undo(client, mia.rankings.get()))


def test_a_late_ranking_of_a_full_task_is_kept_and_said_so(client, mia, task, project):
    held = turn(mia)
    Assignment.objects.filter(pk=held.pk).update(lease_until=now())
    factories.make_ranking(task)
    page = text(client.post(address("rank_submit", held), form(held), headers=HTMX))
    assert "Your ranking is kept beside theirs." in page
    assert mia.rankings.get().surplus


def test_an_empty_queue_says_so_and_looks_again_by_itself(client, mia, project):
    page = text(client.get("/projects/bread/rank"))
    assert "No answers to rank yet" in page
    assert 'hx-trigger="every 10s"' in page


def test_a_queue_that_is_still_empty_leaves_the_page_alone(client, mia):
    assert client.get("/projects/bread/rank?waiting=1", headers=HTMX).status_code == 204


def test_a_task_that_arrives_appears_on_the_waiting_page(client, mia, task):
    page = text(client.get("/projects/bread/rank?waiting=1", headers=HTMX))
    assert task.prompt.last_message in page


def test_who_has_ranked_everything_is_told_so_with_their_count(client, mia, project):
    factories.make_ranking(labeler=mia, task=factories.make_task(project, rankings_wanted=2))
    page = text(client.get("/projects/bread/rank"))
    assert "You have ranked everything open to you" in page
    assert "1 task still needs the eyes of other people." in page
    assert "You ranked 1 task today." in page


def test_an_empty_answer_is_named(client, mia, project):
    factories.make_task(answers=factories.make_answers(factories.make_prompt(project), ["", "something"]))
    assert "(empty answer)" in text(client.get("/projects/bread/rank"))


def test_an_answer_is_shown_rendered_and_raw_and_is_inert_in_both(client, mia, project):
    hostile = "**bold** <img src=x onerror=alert(1)> <b hx-get=/jobs/>x</b>"
    factories.make_task(answers=factories.make_answers(factories.make_prompt(project), [hostile, "other"]))
    page = text(client.get("/projects/bread/rank"))
    assert "<strong>bold</strong>" in page
    assert "**bold** &lt;img" in page
    assert "<img" not in page and "<b hx-get" not in page


def test_a_long_answer_is_shown_whole(client, mia, project):
    long = "word " * 20_000 + "the end"
    factories.make_task(answers=factories.make_answers(factories.make_prompt(project), [long, "short"]))
    assert text(client.get("/projects/bread/rank")).count("the end") == 2


def test_the_guidelines_open_at_the_desk(client, mia, task, project):
    factories.make_guidelines(project, "Prefer the *true* answer.", version=3)
    page = text(client.get("/projects/bread/rank"))
    assert "Guidelines v3" in page and "<em>true</em>" in page


def test_a_ranking_is_filed_under_the_guidelines_that_stood_beside_it(client, mia, task, project):
    factories.make_guidelines(project, "Prefer the true answer.", version=1)
    held = turn(mia)
    assert re.search(r'name="guidelines_version"\s+value="1"', text(client.get("/projects/bread/rank")))
    factories.make_guidelines(project, "Prefer the *short* answer.", version=2)
    page = text(client.post(address("rank_submit", held), form(held, guidelines_version="1"), headers=HTMX))
    assert mia.rankings.get().guidelines_version == 1
    assert "Guidelines v2" in page and "<em>short</em>" in page


@pytest.mark.parametrize("version", ["", "2", "x", "9" * 30])
def test_a_ranking_is_filed_under_no_guidelines_that_are_not_there(client, mia, task, project, version):
    factories.make_guidelines(project, version=1)
    held = turn(mia)
    client.post(address("rank_submit", held), form(held, guidelines_version=version), headers=HTMX)
    assert mia.rankings.get().guidelines_version is None


def test_a_stranger_finds_no_desk(client, project):
    client.force_login(factories.make_user())
    assert client.get("/projects/bread/rank").status_code == 404


def test_who_is_not_signed_in_is_sent_to_sign_in(client, project):
    assert client.get("/projects/bread/rank").url.startswith("/sign-in/")


def test_the_next_task_costs_as_many_queries_however_long_the_queue(client, mia, project):
    costs = []
    for more_tasks in (2, 12):
        for _ in range(more_tasks):
            factories.make_task(project)
        held = turn(mia)
        with CaptureQueriesContext(connection) as queries:
            client.post(address("rank_submit", held), form(held), headers=HTMX)
        costs.append(len(queries))
    assert costs[0] == costs[1] < 40


def test_a_long_queue_is_counted_only_so_far(client, mia, project, monkeypatch):
    monkeypatch.setattr(desk, "MOST_COUNTED", 2)
    for shown in ("1 open", "2 open", "2+ open"):
        factories.make_task(project, rankings_wanted=2)
        assert f">{shown}<" in text(client.get("/projects/bread/rank"))


def test_the_rankings_of_today_are_found_without_those_of_other_days(mia, task):
    common = {"task": task, "labeler": mia, "ranks": [1, 1], "created_at": now() - timedelta(days=2)}
    Ranking.objects.bulk_create(Ranking(submission_id=uuid4(), **common) for _ in range(2000))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE annotate_ranking")
    assert "rankings_of_a_labeler_by_time" in desk._rankings_of_today(mia, now()).explain()
