"""Who is first, on a real Postgres: threads, and a machine that tries every order of claim, submit, skip and undo."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from threading import Barrier
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.db.models import Count, F, Q
from django.utils.timezone import now
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from annotate import assignment
from annotate.models import Assignment, Ranking, RankingTask
from tests.factories import (
    make_answers,
    make_assignment,
    make_labeler,
    make_project,
    make_prompt,
    make_ranking,
    make_task,
    ranks_for,
    undo_last,
)

LABELERS = 12
START = now()
WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted"


def at_once(works):
    """Run each on a thread and a connection of its own, all starting together."""
    barrier = Barrier(len(works))

    def start(work):
        barrier.wait()
        try:
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as pool:
        return [future.result() for future in [pool.submit(start, work) for work in works]]


def rank_everything(labeler):
    """Claim and submit until the queue gives nothing three times in a row."""
    done, misses = [], 0
    while misses < 3:
        turn = assignment.claim(labeler=labeler, now=now())
        if turn is None:
            misses += 1
            continue
        misses = 0
        assignment.submit(assignment=turn, ranks=ranks_for(turn, (1, 2)), submission_id=uuid4(), now=now())
        done.append(turn.task_id)
    return done


def pairs(project, count, rankings_wanted):
    prompt = make_prompt(project)
    return [
        make_task(answers=make_answers(prompt, ("a", "b")), rankings_wanted=rankings_wanted, priority=n % 3)
        for n in range(count)
    ]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("wanted", [1, 2, 5])
def test_twelve_labelers_at_once_give_each_task_exactly_the_rankings_it_wants(wanted):
    project = make_project()
    tasks = pairs(project, 30, wanted)
    labelers = [make_labeler(project) for _ in range(LABELERS)]
    done = at_once([lambda labeler=labeler: rank_everything(labeler) for labeler in labelers])
    given = Counter(task for tasks_done in done for task in tasks_done)
    assert given == {task.pk: wanted for task in tasks}
    assert all(len(set(tasks_done)) == len(tasks_done) for tasks_done in done)
    assert not Ranking.objects.filter(surplus=True).exists()


@pytest.mark.django_db(transaction=True)
def test_twelve_claims_at_the_same_instant_share_four_places():
    project = make_project()
    pairs(project, 2, 2)
    labelers = [make_labeler(project) for _ in range(LABELERS)]
    turns = at_once([lambda mia=mia: assignment.claim(labeler=mia, now=now()) for mia in labelers])
    held = Counter(turn.task_id for turn in turns if turn)
    assert max(held.values()) <= 2
    # Whoever found every free task locked at that instant comes again, and the places run out.
    for labeler in labelers:
        assignment.claim(labeler=labeler, now=now())
    assert sorted(Assignment.objects.values_list("task").annotate(n=Count("pk")).values_list("n", flat=True)) == [2, 2]


@pytest.mark.django_db(transaction=True)
def test_eight_tabs_of_one_labeler_get_one_assignment():
    project = make_project()
    pairs(project, 20, 2)
    mia = make_labeler(project)
    turns = at_once([lambda: assignment.claim(labeler=mia, now=now()) for _ in range(8)])
    assert len({turn.pk for turn in turns if turn}) == 1
    assert Assignment.objects.count() == 1 and RankingTask.objects.filter(open_slots=1).count() == 1


@pytest.mark.django_db(transaction=True)
def test_eight_clicks_on_submit_store_one_ranking():
    project = make_project()
    pairs(project, 1, 1)
    turn, key = assignment.claim(labeler=make_labeler(project), now=now()), uuid4()
    ranks = ranks_for(turn, (1, 2))
    click = lambda: assignment.submit(assignment=turn, ranks=ranks, submission_id=key, now=now())  # noqa: E731
    assert len({stored.pk for stored in at_once([click] * 8)}) == 1
    assert Ranking.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_late_submit_and_the_next_labeler_never_share_the_last_slot():
    afterwards = START + timedelta(hours=1)
    for _ in range(10):
        project = make_project()
        (task,) = pairs(project, 1, 1)
        late, other = make_labeler(project), make_labeler(project)
        turn = assignment.claim(labeler=late, now=START)
        assignment.release_lapsed(afterwards)
        late_submit = partial(assignment.submit, assignment=turn, ranks=ranks_for(turn, (1, 2)), submission_id=uuid4())
        next_claim = partial(assignment.claim, labeler=other)
        stored, taken = at_once([partial(late_submit, now=afterwards), partial(next_claim, now=afterwards)])
        task.refresh_from_db()
        assert (stored.surplus, task.open_slots) == (taken is not None, 0)


def two_lapsed(labeler):
    """What somebody left open in two tabs last night: both tasks are still free."""
    turns = []
    for _ in "12":
        turns.append(make_assignment(labeler))
        Assignment.objects.open().update(state="lapsed")
    RankingTask.objects.filter(assignments__in=turns).update(open_slots=1)
    return turns


def while_another_tab_opens(turn, work):
    """What `work` gives when it begins before the other tab's transaction has ended."""
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            assert assignment.heartbeat(assignment=turn, now=START).state == "open"
            result = pool.submit(at_once, [work])
            wait_until_blocked()
        return result.result()[0]


def wait_until_blocked():
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute(WAITING)
            if cursor.fetchone()[0]:
                return
        time.sleep(0.01)
    raise AssertionError("nothing waits for a lock")


@pytest.mark.django_db(transaction=True)
def test_two_tabs_that_wake_at_once_do_not_both_hold_a_task():
    one, other = two_lapsed(make_labeler(make_project()))
    state = while_another_tab_opens(one, lambda: assignment.heartbeat(assignment=other, now=START).state)
    other.task.refresh_from_db()
    assert (state, other.task.open_slots) == ("lapsed", 1)


@pytest.mark.django_db(transaction=True)
def test_undo_while_another_tab_opens_a_task_says_so_and_takes_nothing_back():
    labeler = make_labeler(make_project())
    make_ranking(labeler=labeler)
    turn, _ = two_lapsed(labeler)

    def undo():
        with pytest.raises(assignment.Stale, match="Another window"):
            undo_last(labeler, START)

    while_another_tab_opens(turn, undo)
    assert labeler.rankings.standing().exists()


class Desk(RuleBasedStateMachine):
    """Three labelers and four tasks, in any order of events; the database is asked after each."""

    turns = Bundle("turns")
    who = st.integers(0, 2)

    def __init__(self):
        super().__init__()
        self.now = START
        self.project = make_project()
        prompt = make_prompt(self.project)
        for wanted in (1, 1, 2, 3):
            make_task(answers=make_answers(prompt, ("a", "b")), rankings_wanted=wanted)
        self.labelers = [make_labeler(self.project) for _ in range(3)]
        self.accepted = set()

    @rule(target=turns, who=who)
    def claim(self, who):
        return assignment.claim(labeler=self.labelers[who], now=self.now)

    @rule(turn=turns, ranks=st.sampled_from([(1, 2), (2, 1), (1, 1)]))
    def submit(self, turn, ranks):
        if turn is None:
            return
        try:
            stored = assignment.submit(
                assignment=turn, ranks=ranks_for(turn, ranks), submission_id=uuid4(), now=self.now
            )
        except assignment.Stale:
            return
        self.accepted.add(stored.pk)

    @rule(turn=consumes(turns))
    def skip(self, turn):
        if turn is not None:
            try:
                assignment.skip(assignment=turn, reason="other", now=self.now)
            except assignment.Stale:
                return

    @rule(target=turns, who=who)
    def undo(self, who):
        try:
            return undo_last(self.labelers[who], self.now)
        except assignment.NothingToUndo:
            return None

    @rule(turn=turns)
    def heartbeat(self, turn):
        if turn is not None:
            try:
                assignment.heartbeat(assignment=turn, now=self.now)
            except assignment.Stale:
                return

    @rule()
    def lapse(self):
        self.now += timedelta(hours=1)
        assignment.release_lapsed(self.now)

    @invariant()
    def slots_add_up(self):
        is_open = Q(assignments__state="open")
        counts = Q(rankings__withdrawal=None, rankings__surplus=False)
        tasks = RankingTask.objects.filter(project=self.project).annotate(
            n_open=Count("assignments", filter=is_open, distinct=True),
            n_ranked=Count("rankings", filter=counts, distinct=True),
        )
        assert not tasks.exclude(rankings_wanted=F("open_slots") + F("n_open") + F("n_ranked")).exists()

    @invariant()
    def nobody_ranks_a_task_twice(self):
        standing = Ranking.objects.standing().filter(task__project=self.project)
        votes = standing.values("task", "labeler").annotate(n=Count("pk"))
        assert not votes.filter(n__gt=1).exists()

    @invariant()
    def nothing_accepted_is_lost(self):
        assert set(Ranking.objects.filter(task__project=self.project).values_list("pk", flat=True)) == self.accepted

    @invariant()
    def a_ranking_and_its_comparisons_go_together(self):
        rankings = Ranking.objects.filter(task__project=self.project).annotate(n=Count("comparisons"))
        assert not rankings.exclude(n=1).exists()


class TestDesk(Desk.TestCase, TestCase):
    settings = settings(max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck))
