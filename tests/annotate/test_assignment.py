from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils.timezone import now

from annotate import assignment, ranking
from annotate.models import Assignment, Comparison, Ranking
from tests.factories import (
    make_assignment,
    make_labeler,
    make_project,
    make_ranking,
    make_task,
    ranks_for,
    undo_last,
)

pytestmark = pytest.mark.django_db
NOW = now()
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def mia():
    return make_labeler(make_project())


@pytest.fixture
def noor(mia):
    return make_labeler(mia.project)


def claim(labeler, at=NOW):
    return assignment.claim(labeler=labeler, now=at)


def submit(turn, ranks=(1, 2, 3), *, key=None, at=NOW, **fields):
    key = key or uuid4()
    return assignment.submit(assignment=turn, ranks=ranks_for(turn, ranks), submission_id=key, now=at, **fields)


def slots(task):
    task.refresh_from_db()
    return task.open_slots


def test_tasks_come_by_priority_then_age(mia):
    old, new, urgent = (make_task(mia.project, priority=priority) for priority in (0, 0, -1))
    given = []
    for _ in range(3):
        given.append(claim(mia).task)
        submit(claim(mia))
    assert given == [urgent, old, new]


def test_an_empty_queue_gives_nothing(mia):
    assert claim(mia) is None


def test_a_task_of_another_project_is_not_given(mia):
    make_task()
    assert claim(mia) is None


def test_a_task_that_has_all_its_rankings_is_not_given(mia, noor):
    make_ranking(make_task(mia.project), labeler=noor)
    assert claim(mia) is None


def test_a_task_is_not_given_twice_to_one_labeler(mia):
    make_ranking(make_task(mia.project, rankings_wanted=2), labeler=mia)
    assert claim(mia) is None


def test_a_reserved_task_goes_to_its_labeler_alone(mia, noor):
    reserved = make_task(mia.project, reserved_for=noor)
    assert claim(mia) is None
    assert claim(noor).task == reserved


def test_two_tabs_resume_the_same_assignment(mia):
    make_task(mia.project), make_task(mia.project)
    first, second = claim(mia), claim(mia, LATER)
    assert first == second and second.lease_until > first.lease_until


def test_the_order_is_stored_and_holds_every_answer_once(mia):
    turn = make_assignment(mia)
    assert sorted(turn.order) == sorted(ranks_for(turn))
    assert claim(mia).order == turn.order


def test_a_submit_stores_ranks_by_position_and_every_comparison(mia):
    turn = make_assignment(mia)
    stored = submit(turn, (1, 2, 2), active_seconds=40, page_version="7")
    good, middling, bad = ranks_for(turn)
    assert (stored.ranks, stored.active_seconds, stored.page_version) == ([1, 2, 2], 40, "7")
    assert set(stored.comparisons.values_list("chosen", "rejected", "tie")) == {
        (good, middling, False), (good, bad, False), (middling, bad, True),
    }  # fmt: skip


def test_what_was_judged_on_the_way_is_kept_beside_the_ranking_that_it_contradicts(mia):
    turn = make_assignment(mia)
    good, middling, _ = ranks_for(turn)
    judged = [ranking.Pair(good, middling, False), ranking.Pair(middling, good, False), ranking.Pair(good, 0, False)]
    stored = submit(turn, (1, 2, 3), judged=judged)
    assert list(stored.comparisons.filter(kind="judged").values_list("chosen", "rejected")) == [(middling, good)]
    assert stored.comparisons.filter(kind="implied", chosen=good, rejected=middling).exists()


def test_a_double_submit_stores_one_ranking(mia):
    turn, key = make_assignment(mia), uuid4()
    assert submit(turn, key=key) == submit(turn, key=key)
    assert (Ranking.objects.count(), Comparison.objects.count()) == (1, 3)


def test_a_replay_with_other_ranks_is_refused(mia):
    turn, key = make_assignment(mia), uuid4()
    submit(turn, key=key)
    with pytest.raises(assignment.SubmissionConflict, match="sent before with another ranking"):
        submit(turn, (3, 2, 1), key=key)


def test_a_submission_id_cannot_serve_two_tasks(mia):
    key = uuid4()
    submit(make_assignment(mia), key=key)
    with pytest.raises(assignment.SubmissionConflict):
        submit(make_assignment(mia), key=key)


def test_a_stale_page_cannot_rank_a_second_time(mia):
    turn = make_assignment(mia)
    submit(turn)
    with pytest.raises(assignment.Stale, match="ranked this task already"):
        submit(turn, (3, 2, 1))


def test_a_ranking_that_misses_an_answer_stores_nothing(mia):
    turn = make_assignment(mia)
    ranks = dict(list(ranks_for(turn).items())[:2])
    with pytest.raises(ranking.InvalidRanking, match="1 of 3"):
        assignment.submit(assignment=turn, ranks=ranks, submission_id=uuid4(), now=NOW)
    turn.refresh_from_db()
    assert turn.state == "open" and not Ranking.objects.exists()


def test_an_assignment_of_someone_else_is_not_yours(mia, noor):
    with pytest.raises(assignment.NotYours, match="not yours"):
        assignment.own(labeler=noor, assignment_id=make_assignment(mia).pk)


def test_your_own_assignment_is_found(mia):
    turn = make_assignment(mia)
    assert assignment.own(labeler=mia, assignment_id=turn.pk) == turn


def test_a_lapsed_assignment_gives_its_slot_to_the_next(mia, noor):
    task = make_assignment(mia).task
    assert claim(noor) is None
    assert assignment.release_lapsed(LATER) == 1
    assert slots(task) == 1 and claim(noor, LATER).task == task


def test_a_claim_that_finds_nothing_takes_over_what_has_lapsed(mia, noor):
    task = make_assignment(mia).task
    assert claim(noor, LATER).task == task


def test_a_lease_that_is_not_over_is_left_alone(mia):
    make_assignment(mia)
    assert assignment.release_lapsed(NOW) == 0


def test_releasing_twice_returns_the_slot_once(mia):
    task = make_assignment(mia).task
    assert [assignment.release_lapsed(LATER), assignment.release_lapsed(LATER), slots(task)] == [1, 0, 1]


def test_a_labeler_who_comes_back_finds_the_draft(mia):
    turn = make_assignment(mia)
    assignment.save_draft(assignment=turn, draft={"groups": [[1]]}, active_seconds=30, now=NOW)
    assignment.release_lapsed(LATER)
    make_task(mia.project, priority=-5)
    again = claim(mia, LATER)
    assert (again, again.draft, again.active_seconds) == (turn, {"groups": [[1]]}, 30)
    assert slots(turn.task) == 0


def test_a_labeler_who_comes_back_too_late_gets_the_next_task(mia, noor):
    turn = make_assignment(mia)
    claim(noor, LATER)
    following = make_task(mia.project)
    assert claim(mia, LATER).task == following
    turn.refresh_from_db()
    assert turn.state == "lapsed"


def test_a_draft_renews_the_lease_and_time_never_runs_back(mia):
    turn = make_assignment(mia)
    assignment.save_draft(assignment=turn, draft={}, active_seconds=50, now=LATER)
    saved = assignment.save_draft(assignment=turn, draft={}, active_seconds=3, now=LATER)
    assert saved.active_seconds == 50 and assignment.release_lapsed(LATER) == 0


def test_a_draft_of_a_finished_task_is_stale(mia):
    turn = make_assignment(mia)
    submit(turn)
    with pytest.raises(assignment.Stale):
        assignment.save_draft(assignment=turn, draft={}, active_seconds=1, now=NOW)


def test_a_draft_as_long_as_a_book_is_refused(mia):
    with pytest.raises(assignment.DraftTooLong):
        assignment.save_draft(assignment=make_assignment(mia), draft={"x": "y" * 40_000}, active_seconds=1, now=NOW)


def test_a_heartbeat_takes_a_lapsed_task_up_again_while_it_is_free(mia):
    turn = make_assignment(mia)
    assignment.release_lapsed(LATER)
    assert assignment.heartbeat(assignment=turn, now=LATER).state == "open"
    assert slots(turn.task) == 0


def test_a_heartbeat_says_when_someone_else_has_the_task(mia, noor):
    turn = make_assignment(mia)
    claim(noor, LATER)
    assert assignment.heartbeat(assignment=turn, now=LATER).state == "lapsed"


def test_a_late_submit_counts_while_the_slot_is_free(mia):
    turn = make_assignment(mia)
    assignment.release_lapsed(LATER)
    assert not submit(turn, at=LATER).surplus
    assert slots(turn.task) == 0


def test_a_late_submit_to_a_filled_task_is_kept_as_surplus(mia, noor):
    turn = make_assignment(mia)
    submit(claim(noor, LATER))
    assert submit(turn, at=LATER).surplus
    assert Ranking.objects.standing().count() == 2 and slots(turn.task) == 0


def test_a_skip_gives_the_slot_back_and_the_labeler_another_task(mia, noor):
    skipped, following = make_task(mia.project), make_task(mia.project)
    turn = claim(mia)
    assignment.skip(assignment=turn, reason="unclear", note="Which dog?", now=NOW)
    assert claim(mia).task == following and claim(noor).task == skipped
    turn.refresh_from_db()
    assert (turn.state, turn.skip_reason, turn.skip_note) == ("skipped", "unclear", "Which dog?")


@pytest.mark.parametrize("reason", ["", "bored"])
def test_a_skip_without_one_of_the_reasons_is_refused(mia, reason):
    with pytest.raises(assignment.ReasonMissing):
        assignment.skip(assignment=make_assignment(mia), reason=reason, now=NOW)


def test_a_late_skip_returns_no_second_slot(mia):
    turn = make_assignment(mia)
    assignment.release_lapsed(LATER)
    assignment.skip(assignment=turn, reason="other", now=LATER)
    assert slots(turn.task) == 1


def test_a_skipped_task_cannot_be_submitted(mia):
    turn = make_assignment(mia)
    assignment.skip(assignment=turn, reason="other", now=NOW)
    with pytest.raises(assignment.Stale, match="skipped"):
        submit(turn)


def test_undo_reopens_the_task_with_the_former_ranks(mia):
    withdrawn = make_ranking(labeler=mia, ranks=(2, 1, 2))
    turn = undo_last(mia, NOW)
    answers = list(withdrawn.task.task_answers.values_list("answer_id", flat=True))
    assert turn.draft["ranks"] == {str(answer): rank for answer, rank in zip(answers, (2, 1, 2), strict=True)}
    assert (turn.state, slots(turn.task), claim(mia)) == ("open", 0, turn)
    assert not Ranking.objects.standing().exists() and withdrawn.withdrawal.created_at == NOW


def test_undo_brings_back_what_was_judged_on_the_way(mia):
    turn = make_assignment(mia)
    good, middling, bad = ranks_for(turn)
    submit(turn, judged=[ranking.Pair(bad, good, False), ranking.Pair(good, middling, True)])
    assert undo_last(mia, NOW).draft["judged"] == [[bad, good, "better"], [good, middling, "equal"]]


def test_after_an_undo_another_ranking_can_be_given(mia):
    make_ranking(labeler=mia)
    assert submit(undo_last(mia, NOW), (3, 2, 1)).ranks == [3, 2, 1]
    assert Ranking.objects.count() == 2 and Ranking.objects.standing().get().ranks == [3, 2, 1]


def test_undo_puts_the_open_task_back_with_its_draft(mia):
    make_ranking(labeler=mia)
    following = make_assignment(mia)
    assignment.save_draft(assignment=following, draft={"groups": []}, active_seconds=1, now=NOW)
    submit(undo_last(mia, NOW))
    again = claim(mia)
    assert (again, again.draft) == (following, {"groups": []})


def test_undo_goes_back_step_by_step(mia):
    first, second = make_ranking(labeler=mia), make_ranking(labeler=mia)
    assert undo_last(mia, NOW).task == second.task
    assert undo_last(mia, NOW).task == first.task
    with pytest.raises(assignment.NothingToUndo):
        undo_last(mia, NOW)


def test_undo_takes_back_no_ranking_but_the_one_that_was_meant(mia):
    first, second = make_ranking(labeler=mia), make_ranking(labeler=mia)
    with pytest.raises(assignment.Stale, match="not your last"):
        assignment.undo(labeler=mia, ranking_id=first.pk, now=NOW)
    assert set(Ranking.objects.standing()) == {first, second}


def test_undo_of_a_surplus_ranking_takes_no_slot_from_anyone(mia, noor):
    turn = make_assignment(mia)
    submit(claim(noor, LATER))
    submit(turn, at=LATER)
    undone = undo_last(mia, LATER)
    assert (undone.state, slots(turn.task)) == ("lapsed", 0)
    assert submit(undone, at=LATER).surplus


def test_undo_leaves_other_labelers_alone(mia, noor):
    make_ranking(labeler=noor)
    with pytest.raises(assignment.NothingToUndo, match="nothing to undo"):
        undo_last(mia, NOW)


def test_someone_far_down_the_queue_goes_on_from_there_and_still_gets_urgent_tasks(mia, monkeypatch):
    monkeypatch.setattr(assignment, "HEAD", 3)
    tasks = [make_task(mia.project, rankings_wanted=2) for _ in range(6)]
    for task in tasks[:5]:
        make_ranking(task, labeler=mia)
    mia.refresh_from_db()
    assert mia.queue_task == tasks[4].pk
    urgent = make_task(mia.project, priority=-1)
    make_ranking(urgent, labeler=mia)
    assert claim(mia).task == tasks[5]


def test_a_task_left_behind_is_found_when_nothing_is_ahead(mia, noor, monkeypatch):
    monkeypatch.setattr(assignment, "HEAD", 1)
    first, third = make_task(mia.project, rankings_wanted=2, priority=1), make_task(mia.project, priority=3)
    held = make_assignment(noor, make_task(mia.project, priority=0))
    for task in (first, third):
        make_ranking(task, labeler=mia)
    make_task(mia.project, priority=-1, reserved_for=noor)
    assignment.skip(assignment=held, reason="other", now=NOW)
    assert claim(mia).task == held.task


def test_every_finished_assignment_says_when(mia):
    make_ranking(labeler=mia)
    assert Assignment.objects.get().finished_at is not None
