"""Who gets which ranking task, and what becomes of their work. The arithmetic of slots, in the database:

    rankings_wanted - open_slots  =  open assignments + standing rankings that are not surplus

Locks are taken in one order, assignments before tasks and smaller ids first; a claim never waits for a task."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import F, Q

from annotate import drafts, pairing, ranking
from annotate.models import Assignment, Comparison, Labeler, Ranking, RankingTask, TaskAnswer, Withdrawal

LONGEST_DRAFT = 32_000
LONGEST_NOTE = 2_000
LONGEST_TURN = 24 * 3600
"""Seconds. More active time than a day at one task is a clock gone wrong."""

State = Assignment.State


class Refusal(ValueError):
    """What was asked cannot be done. The text is for the labeler."""


class NotYours(Refusal):
    """Someone else's assignment, or none at all."""


class Stale(Refusal):
    """The assignment was finished already."""


class SubmissionConflict(Refusal):
    """The same submission came with other content."""


class NothingToUndo(Refusal):
    """No ranking of this labeler stands."""


class DraftTooLong(Refusal):
    """Far more than a ranking can hold."""


class ReasonMissing(Refusal):
    """A skip must say why."""


# Index probes in the order of the queue, stopped at the first hit. OFFSET 0 keeps the planner from reading a labeler's
# whole history into a hash. Someone with a long history would still walk over all that they had: so the search looks at
# the first %(head)s tasks, where urgent ones are; then goes on from where the labeler was; then looks everywhere.
# NO KEY: whoever is storing a ranking of a task refers to it, and must not hide it from others.
_FREE = """
    SELECT task.id, task.priority FROM annotate_rankingtask task
    WHERE task.project_id = %(project)s AND task.open_slots > 0
      AND (task.reserved_for_id IS NULL OR task.reserved_for_id = %(labeler)s)
      AND NOT EXISTS (SELECT FROM annotate_assignment had
                      WHERE had.task_id = task.id AND had.labeler_id = %(labeler)s OFFSET 0)
      AND {where}
    ORDER BY task.priority, task.id LIMIT 1 FOR NO KEY UPDATE OF task SKIP LOCKED
"""
_NEAR = """(task.priority, task.id) < (COALESCE((SELECT priority FROM edge), 2147483647),
                                          COALESCE((SELECT id FROM edge), 9223372036854775807))"""
_ONWARD = """EXISTS (SELECT FROM edge) AND NOT EXISTS (SELECT FROM near)
      AND (task.priority, task.id) > (COALESCE((SELECT queue_priority FROM place), -2147483648),
                                      COALESCE((SELECT queue_task FROM place), 0))"""
_ANYWHERE = "EXISTS (SELECT FROM edge) AND NOT EXISTS (SELECT FROM near) AND NOT EXISTS (SELECT FROM onward)"
_TAKE_NEXT = f"""
WITH place AS (SELECT queue_priority, queue_task FROM annotate_labeler WHERE id = %(labeler)s),
edge AS (SELECT priority, id FROM annotate_rankingtask WHERE project_id = %(project)s AND open_slots > 0
         ORDER BY priority, id OFFSET %(head)s LIMIT 1),
near AS ({_FREE.format(where=_NEAR)}),
onward AS ({_FREE.format(where=_ONWARD)}),
anywhere AS ({_FREE.format(where=_ANYWHERE)}),
slot AS (UPDATE annotate_rankingtask SET open_slots = open_slots - 1
         WHERE id = (SELECT id FROM near UNION ALL SELECT id FROM onward UNION ALL SELECT id FROM anywhere)
         RETURNING id),
moved AS (UPDATE annotate_labeler SET queue_priority = onward.priority, queue_task = onward.id
          FROM onward WHERE annotate_labeler.id = %(labeler)s)
INSERT INTO annotate_assignment (project_id, labeler_id, task_id, state, lease_until, "order", draft, active_seconds,
                                 skip_reason, skip_note, created_at)
SELECT %(project)s, %(labeler)s, slot.id, 'open', %(lease)s, '[]', '{{}}', 0, '', '', %(now)s FROM slot RETURNING id
"""  # noqa: S608  put together from the constants above; every value is a parameter
HEAD = 256


def claim(*, labeler: Labeler, now: datetime) -> Assignment | None:
    """What this labeler ranks next, or None: the open assignment, else a lapsed one whose slot is free, else the first
    task by (priority, id) that still wants a ranking and that they have not had.

    None may also mean that the last free tasks are locked at this instant: ask again a little later."""
    for _ in range(3):
        found = _resume(labeler, now) or _reopen_one(labeler, now) or _take_next(labeler, now)
        if found is not None:
            return found
        another_tab_was_first = labeler.assignments.open().exists()
        if not another_tab_was_first and not release_lapsed(now, project=labeler.project_id):
            return None
    return None


def own(*, labeler: Labeler, assignment_id: int) -> Assignment:
    """This labeler's assignment of this id. Raises NotYours."""
    found = Assignment.objects.filter(pk=assignment_id, labeler=labeler).select_related("task__prompt").first()
    if found is None:
        raise NotYours("This task is not yours. Go back to the desk for your next one.")
    return found


@transaction.atomic
def heartbeat(*, assignment: Assignment, now: datetime) -> Assignment:
    """Keep the lease while the labeler is there. A lapsed assignment is taken up again if its slot is free; if not, it
    comes back lapsed: a submit is still accepted, as surplus."""
    return _kept_open(_locked(assignment), now)


@transaction.atomic
def save_draft(*, assignment: Assignment, draft: drafts.Draft, active_seconds: int, now: datetime) -> Assignment:
    """Store the unfinished ranking and renew the lease. `active_seconds`: so far, for this task in all.
    Raises Stale for a draft older than the stored one, which another window was left with."""
    if len(json.dumps(draft)) > LONGEST_DRAFT:
        raise DraftTooLong("This draft is too long to be a ranking. Load the page again.")
    held = _kept_open(_locked(assignment), now)
    if drafts.is_older(draft, held.draft):
        raise Stale("You went on with this task in another window. Load the page again to see what you did there.")
    held.draft, held.active_seconds = draft, _active(held, active_seconds)
    held.save(update_fields=["draft", "active_seconds"])
    return held


@transaction.atomic
def submit(
    *,
    assignment: Assignment,
    ranks: Mapping[int, int],
    submission_id: UUID,
    page_version: str = "",
    guidelines_version: int | None = None,
    active_seconds: int = 0,
    judged: Iterable[ranking.Pair] = (),
    now: datetime,
) -> Ranking:
    """Store the ranking, a rank for each answer id, and all comparisons that it implies, beside those that were judged
    on the way. Once for each submission_id: a replay returns what the first one stored.

    Late is not lost: a lapsed assignment takes its slot again, or the ranking is kept with `surplus` set.
    Raises Stale, SubmissionConflict or ranking.InvalidRanking."""
    held = _locked(assignment)
    payload = _payload(held, ranks)
    earlier = Ranking.objects.filter(submission_id=submission_id).first()
    if earlier is not None:
        return _replay(earlier, payload)
    _refuse_finished(held)
    assert held.task is not None, "a writing task is not ranked"
    answers = _answer_ids(_task_id(held))
    ranking.check(ranks, answers)
    surplus = held.state == State.LAPSED and not _take_slot(held)
    held.active_seconds = _active(held, active_seconds)
    stored = _store(
        assignment=held,
        task_id=held.task_id,
        labeler_id=held.labeler_id,
        ranks=[ranks[answer] for answer in answers],
        submission_id=submission_id,
        payload_sha256=payload,
        surplus=surplus,
        active_seconds=held.active_seconds,
        guidelines_version=guidelines_version,
        page_version=page_version[:40],
        created_at=now,
    )
    said = ranking.last_said(pair for pair in judged if {pair.chosen, pair.rejected} <= set(answers))
    for kind, pairs in ((Comparison.Kind.IMPLIED, ranking.comparisons(ranks)), (Comparison.Kind.JUDGED, said)):
        _compare(stored, held.task.prompt_id, kind, pairs)
    _finish(held, State.DONE, now)
    return stored


@transaction.atomic
def skip(*, assignment: Assignment, reason: str, note: str = "", now: datetime) -> Assignment:
    """Give the task back to the others, for good: this labeler will not see it again."""
    if reason not in Assignment.SkipReason.values:
        raise ReasonMissing("Say why you skip this task: choose one of the reasons.")
    held = _locked(assignment)
    _refuse_finished(held)
    if held.state == State.OPEN:
        _return_slots({_task_id(held): 1})
    held.skip_reason, held.skip_note = reason, note.replace("\x00", "")[:LONGEST_NOTE]
    _finish(held, State.SKIPPED, now)
    return held


def last_ranking(labeler: Labeler) -> Ranking | None:
    """The one that undo takes back."""
    return labeler.rankings.standing().filter(assignment__isnull=False).order_by("-id").first()


@transaction.atomic
def undo(*, labeler: Labeler, ranking_id: int, now: datetime) -> Assignment:
    """Withdraw the labeler's last ranking and reopen its assignment, with all that was said as its draft.
    `ranking_id` is the one that they meant: asked twice, it takes back no other.

    What the labeler has open is put back, with its draft, and comes next. Where the withdrawn ranking was surplus and
    the task still has all that it wants, the assignment comes back lapsed: a submit will be surplus again."""
    last = last_ranking(labeler)
    if last is None or last.assignment_id is None:
        raise NothingToUndo("There is nothing to undo: you have not ranked anything here yet.")
    if last.pk != ranking_id:
        raise Stale("That ranking is not your last one, or was taken back already. Look at your work before you go on.")
    turns = Assignment.objects.filter(Q(pk=last.assignment_id) | Q(labeler=labeler, state=State.OPEN))
    held = {turn.pk: turn for turn in turns.select_for_update(no_key=True).order_by("pk")}
    if Withdrawal.objects.filter(ranking=last).exists():
        raise Stale("This ranking was taken back already.")
    undone = held.pop(last.assignment_id)
    tasks = RankingTask.objects.filter(pk__in=[undone.task_id, *(turn.task_id for turn in held.values())])
    list(tasks.select_for_update(no_key=True).order_by("pk").values_list("pk"))
    for turn in held.values():
        _put_back(turn)
    Withdrawal.objects.create(ranking=last, created_at=now)
    undone.state = State.OPEN if not last.surplus or _take_slot(undone) else State.LAPSED
    undone.draft = drafts.of_ranking(last, _answer_ids(_task_id(undone)), now)
    undone.lease_until, undone.finished_at = _lease(now), None
    try:
        with transaction.atomic():
            undone.save(update_fields=["state", "draft", "lease_until", "finished_at"])
    except IntegrityError:
        raise Stale("Another window opened a task of yours at this moment. Try again.") from None
    undone.refresh_from_db()
    return undone


@transaction.atomic
def release_lapsed(now: datetime, *, project: int | None = None) -> int:
    """Give back the slots of assignments whose lease is over; the drafts stay. Returns how many. Safe anywhere."""
    over = Assignment.objects.lapsed(now).filter(task__isnull=False)
    if project is not None:
        over = over.filter(project=project)
    ids = list(over.select_for_update(no_key=True, skip_locked=True).order_by("pk").values_list("pk", flat=True))
    released = Assignment.objects.filter(pk__in=ids)
    _return_slots(Counter(map(_task_id, released)))
    return released.update(state=State.LAPSED)


def _resume(labeler: Labeler, now: datetime) -> Assignment | None:
    turn = labeler.assignments.open().select_related("task__prompt").first()
    if turn is None:
        return None
    turn.lease_until = _lease(now)
    renewed = labeler.assignments.open().filter(pk=turn.pk).update(lease_until=turn.lease_until)
    return turn if renewed else None


@transaction.atomic
def _reopen_one(labeler: Labeler, now: datetime) -> Assignment | None:
    """The labeler's last lapsed assignment whose slot is still free. Both rows are locked without waiting."""
    lapsed = labeler.assignments.filter(state=State.LAPSED, task__open_slots__gt=0).order_by("-pk")
    turn = lapsed.select_related("task").select_for_update(of=("self", "task"), no_key=True, skip_locked=True).first()
    if turn is None or labeler.assignments.open().exists():
        return None
    return turn if _open_again(turn, now) else None


def _take_next(labeler: Labeler, now: datetime) -> Assignment | None:
    values: dict[str, Any] = {
        "project": labeler.project_id, "labeler": labeler.pk, "lease": _lease(now), "now": now, "head": HEAD,
    }  # fmt: skip
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_TAKE_NEXT, values)
            row = cursor.fetchone()
            return None if row is None else _with_order(row[0])
    except IntegrityError:  # another tab of this labeler was faster; the slot went back with the savepoint
        return None


def _with_order(assignment_id: int) -> Assignment:
    turn = Assignment.objects.select_related("task__prompt").get(pk=assignment_id)
    task_id = _task_id(turn)
    turn.order = pairing.shown_order(_answer_ids(task_id), task=task_id, labeler=turn.labeler_id)
    turn.save(update_fields=["order"])
    return turn


def _kept_open(held: Assignment, now: datetime) -> Assignment:
    _refuse_finished(held)
    if held.state == State.OPEN:
        held.lease_until = _lease(now)
        held.save(update_fields=["lease_until"])
    elif not Assignment.objects.open().filter(labeler=held.labeler_id).exists():
        _open_again(held, now)
    return held


def _open_again(turn: Assignment, now: datetime) -> bool:
    """False where its slot is not free, or another tab opens something else at this moment."""
    lease = _lease(now)
    try:
        with transaction.atomic():
            if not _take_slot(turn):
                return False
            Assignment.objects.filter(pk=turn.pk).update(state=State.OPEN, lease_until=lease)
    except IntegrityError:
        return False
    turn.state, turn.lease_until = State.OPEN, lease
    return True


def _put_back(turn: Assignment) -> None:
    turn.state = State.LAPSED
    turn.save(update_fields=["state"])
    _return_slots({_task_id(turn): 1})


def _finish(held: Assignment, state: str, now: datetime) -> None:
    held.state, held.finished_at, held.draft = state, now, {}
    held.save(update_fields=["state", "finished_at", "draft", "active_seconds", "skip_reason", "skip_note"])


def _task_id(turn: Assignment) -> int:
    assert turn.task_id is not None, "a writing task is not ranked"
    return turn.task_id


def _take_slot(turn: Assignment) -> bool:
    free = RankingTask.objects.filter(pk=_task_id(turn), open_slots__gt=0)
    return bool(free.update(open_slots=F("open_slots") - 1))


def _return_slots(counts: Mapping[int, int]) -> None:
    for task_id, count in sorted(counts.items()):
        RankingTask.objects.filter(pk=task_id).update(open_slots=F("open_slots") + count)


def _locked(assignment: Assignment) -> Assignment:
    rows = Assignment.objects.select_for_update(of=("self",), no_key=True).select_related("task")
    return rows.get(pk=assignment.pk)


def _refuse_finished(held: Assignment) -> None:
    if held.state == State.DONE:
        raise Stale("You have ranked this task already. Undo it at the desk if you want to change it.")
    if held.state == State.SKIPPED:
        raise Stale("You skipped this task, and others have it now.")


def _replay(earlier: Ranking, payload: str) -> Ranking:
    if earlier.payload_sha256 != payload:
        raise SubmissionConflict("This form was sent before with another ranking, which was kept. Load the page again.")
    return earlier


def _store(**fields: Any) -> Ranking:
    try:
        with transaction.atomic():
            return Ranking.objects.create(**fields)
    except IntegrityError as problem:  # the same submission_id at the same moment, for another assignment
        raise SubmissionConflict("This form was sent for another task. Load the page again.") from problem


def _compare(stored: Ranking, prompt_id: int, kind: str, pairs: Iterable[ranking.Pair]) -> None:
    Comparison.objects.bulk_create(
        Comparison(ranking=stored, prompt_id=prompt_id, kind=kind, chosen_id=chosen, rejected_id=rejected, tie=tie)
        for chosen, rejected, tie in pairs
    )


def _payload(held: Assignment, ranks: Mapping[int, int]) -> str:
    return hashlib.sha256(json.dumps([held.pk, sorted(ranks.items())]).encode()).hexdigest()


def _answer_ids(task_id: int) -> list[int]:
    rows = TaskAnswer.objects.filter(task=task_id).order_by("position")
    return list(rows.values_list("answer_id", flat=True))


def _active(held: Assignment, seconds: int) -> int:
    return max(held.active_seconds, min(seconds, LONGEST_TURN))


def _lease(now: datetime) -> datetime:
    return now + timedelta(seconds=settings.ASSIGNMENT_LEASE_SECONDS)
