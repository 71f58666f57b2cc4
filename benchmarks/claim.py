"""How long a claim takes, by the length of the queue and of the labeler's history; its one statement that finds and
takes the task; and a plain anti-join that only finds it.

    python -m benchmarks.claim [--tasks 10000 100000 1000000] [--history 0 5000 100000] [--rounds 200]

Every task wants two rankings, so that all that the labeler did stays in the queue: the worst case. The disk is left
out: commits do not wait for it. Runs in a database of its own that is dropped at the end."""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

FILL = """
INSERT INTO annotate_prompt (project_id, external_id, root, messages, content_sha256, split, metadata, created_at)
VALUES (%(project)s, 'p', 'p', '[{"role": "user", "content": "?"}]', '', 'train', '{}', now());
INSERT INTO annotate_rankingtask (project_id, prompt_id, rankings_wanted, open_slots, priority, flags, created_at)
SELECT %(project)s, (SELECT max(id) FROM annotate_prompt), 2, 2, 0, '[]', now() FROM generate_series(1, %(tasks)s);
"""
HAVE_HAD = """
INSERT INTO annotate_assignment (project_id, labeler_id, task_id, state, lease_until, "order", draft, active_seconds,
                                 skip_reason, skip_note, created_at)
SELECT %(project)s, %(labeler)s, id, 'done', now(), '[]', '{}', 0, '', '', now()
FROM annotate_rankingtask WHERE project_id = %(project)s ORDER BY id LIMIT %(history)s;
UPDATE annotate_rankingtask SET open_slots = 1 WHERE id IN
    (SELECT task_id FROM annotate_assignment WHERE labeler_id = %(labeler)s);
"""
PLAIN = """
SELECT id FROM annotate_rankingtask task WHERE project_id = %(project)s AND open_slots > 0 AND NOT EXISTS
    (SELECT FROM annotate_assignment had WHERE had.task_id = task.id AND had.labeler_id = %(labeler)s)
ORDER BY priority, id LIMIT 1 FOR UPDATE SKIP LOCKED
"""


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--tasks", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    options.add_argument("--history", type=int, nargs="+", default=[0, 5_000, 100_000])
    options.add_argument("--rounds", type=int, default=200)
    chosen = options.parse_args()
    from django.test.utils import setup_databases, teardown_databases

    databases = setup_databases(verbosity=0, interactive=False)
    try:
        print("milliseconds\n    tasks  history  claim p50      p95  nothing left  statement  plain anti-join")
        for tasks in chosen.tasks:
            for history in (length for length in chosen.history if length < tasks):
                measure(tasks, history, chosen.rounds)
    finally:
        teardown_databases(databases, verbosity=0)


def measure(tasks: int, history: int, rounds: int) -> None:
    from django.db import connection
    from django.utils.timezone import now

    from annotate import assignment
    from annotate.models import RankingTask

    labeler = filled(tasks, history)
    values = {"project": labeler.project_id, "labeler": labeler.pk}
    assignment.claim(labeler=labeler, now=now())  # the first of a long history walks over all of it once

    def claim() -> None:
        labeler.assignments.open().update(state="done")
        started = time.perf_counter()
        assert assignment.claim(labeler=labeler, now=now())
        times.append(1000 * (time.perf_counter() - started))

    times: list[float] = []
    for _ in range(rounds):
        claim()
    labeler.assignments.open().update(state="done")
    plain = timed(lambda: connection.cursor().execute(PLAIN, values))
    taking = {**values, "lease": now(), "now": now(), "head": assignment.HEAD}
    statement = timed(lambda: connection.cursor().execute(assignment._TAKE_NEXT, taking))
    labeler.assignments.open().update(state="done")
    RankingTask.objects.filter(project=labeler.project_id).exclude(assignments__labeler=labeler).update(open_slots=0)
    empty = timed(lambda: assignment.claim(labeler=labeler, now=now()))
    p95 = statistics.quantiles(times, n=20)[-1]
    figures = f"{statistics.median(times):>10.1f} {p95:>8.1f} {empty:>13.1f} {statement:>10.1f} {plain:>16.1f}"
    print(f"{tasks:>9} {history:>8} {figures}", flush=True)
    empty_tables(labeler)


def filled(tasks: int, history: int) -> Any:
    """A labeler with this history before this many tasks."""
    from django.db import connection

    from annotate.models import Labeler, Project

    project = Project.objects.create(slug=f"p{tasks}-{history}", name="Benchmark")
    labeler = Labeler.objects.create(project=project)
    values = {"project": project.pk, "labeler": labeler.pk, "tasks": tasks, "history": history}
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
        cursor.execute(FILL, values)
        cursor.execute(HAVE_HAD, values)
        cursor.execute("VACUUM ANALYZE annotate_rankingtask, annotate_assignment")
    return labeler


def empty_tables(labeler: Any) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        for table in ("annotate_assignment", "annotate_rankingtask", "annotate_prompt"):
            cursor.execute(f"DELETE FROM {table} WHERE project_id = %s", [labeler.project_id])


def timed(work: Callable[[], object], repeats: int = 7) -> float:
    """Median milliseconds."""
    from django.db import transaction

    times = []
    for _ in range(repeats):
        with transaction.atomic():
            started = time.perf_counter()
            work()
            times.append(1000 * (time.perf_counter() - started))
            transaction.set_rollback(True)
    return statistics.median(times)


if __name__ == "__main__":
    from config import embedded

    embedded.ensure()
    django.setup()
    main()
