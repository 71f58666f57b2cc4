"""What is said on the way to a ranking: drafts, the hold, and verdicts on pairs."""

import json

import pytest
from django.utils.timezone import now

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


@pytest.mark.parametrize("name", ["rank_draft", "rank_hold"])
def test_nobody_writes_into_the_draft_of_somebody_else(client, mia, task, project, name):
    theirs = turn(factories.make_labeler(project))
    response = client.post(address(name, theirs), {"draft": json.dumps({"ranks": {}, "judged": []})})
    assert (response.status_code, response.json()["problem"][:23]) == (404, "This task is not yours.")


def test_a_draft_is_kept_and_shown_again(client, mia, task):
    held = turn(mia)
    one, other, _ = held.order
    draft = {"ranks": {str(one): 2, str(other): 1}, "judged": [[other, one, "better"]], "at": 5}
    answer = client.post(address("rank_draft", held), {"draft": json.dumps(draft), "active_seconds": "7"})
    assert answer.json()["lease_seconds"] > 800
    held.refresh_from_db()
    assert (held.draft, held.active_seconds) == (draft, 7)
    assert text(client.get("/projects/bread/rank")).count("selected>") == 2


@pytest.mark.parametrize(
    "draft",
    [
        "",
        "null",
        "[]",
        "[" * 9000,
        '{"ranks": {}}',
        '{"ranks": {}, "judged": [[1, 2, "better"]]}',
        '{"ranks": [], "judged": 5}',
        '{"ranks": {}, "judged": [[1e400, 2, "better"]]}',
    ],
)
def test_a_draft_that_no_page_sends_is_refused(client, mia, task, draft):
    held = turn(mia)
    assert client.post(address("rank_draft", held), {"draft": draft}).status_code == 400


@pytest.mark.parametrize("verdict", ["best", [], {}, None])
def test_a_draft_with_a_verdict_that_is_none_is_refused(client, mia, task, verdict):
    held = turn(mia)
    draft = json.dumps({"ranks": {}, "judged": [[held.order[0], held.order[1], verdict]]})
    assert client.post(address("rank_draft", held), {"draft": draft}).status_code == 400


def test_a_draft_from_another_window_does_not_replace_a_newer_one(client, mia, task):
    held = turn(mia)
    newer, older = ({"ranks": {str(held.order[0]): rank}, "judged": [], "at": 100 + rank} for rank in (2, 1))
    sent = [client.post(address("rank_draft", held), {"draft": json.dumps(draft)}) for draft in (newer, older)]
    assert [answer.status_code for answer in sent] == [200, 409]
    assert "in another window" in sent[1].json()["problem"]
    held.refresh_from_db()
    assert held.draft == newer


def test_a_draft_from_a_clock_that_runs_ahead_does_not_shut_out_the_next(client, mia, task):
    held = turn(mia)
    draft = json.dumps({"ranks": {}, "judged": [], "at": 10**15})
    assert [client.post(address("rank_draft", held), {"draft": draft}).status_code for _ in "12"] == [200, 200]


def test_a_draft_with_a_rank_out_of_range_is_refused(client, mia, task):
    held = turn(mia)
    draft = json.dumps({"ranks": {str(held.order[0]): 4}, "judged": []})
    assert client.post(address("rank_draft", held), {"draft": draft}).status_code == 400


def test_a_ping_renews_the_hold(client, mia, task, settings):
    held = turn(mia)
    Assignment.objects.filter(pk=held.pk).update(lease_until=now())
    assert client.post(address("rank_hold", held)).json()["lease_seconds"] > settings.ASSIGNMENT_LEASE_SECONDS - 10


def test_a_ping_for_a_finished_task_says_that_it_is_finished(client, mia, task):
    held = turn(mia)
    client.post(address("rank_submit", held), form(held))
    answer = client.post(address("rank_hold", held))
    assert (answer.status_code, "already" in answer.json()["problem"]) == (409, True)


def test_what_was_judged_on_the_way_is_stored_beside_what_the_ranking_implies(client, mia, task):
    held = turn(mia)
    first, second, third = held.order
    draft = {"ranks": {}, "judged": [[second, first, "worse"], [third, second, "equal"]]}
    client.post(address("rank_submit", held), form(held, draft=json.dumps(draft)), headers=HTMX)
    judged = Ranking.objects.get().comparisons.filter(kind="judged").order_by("tie")
    assert [(said.chosen_id, said.rejected_id, said.tie) for said in judged] == [
        (first, second, False),
        (min(second, third), max(second, third), True),
    ]


def test_a_verdict_on_an_answer_of_another_task_is_not_stored(client, mia, task):
    held = turn(mia)
    stranger = factories.make_task(task.project).answers.first()
    draft = {"ranks": {}, "judged": [[held.order[0], stranger.pk, "better"]]}
    client.post(address("rank_submit", held), form(held, draft=json.dumps(draft)), headers=HTMX)
    assert not Ranking.objects.get().comparisons.filter(kind="judged").exists()
