"""How long the agreement page's figures take, by the number of pairs of answers that people compared.

    python -m benchmarks.agreement [--pairs 10000 100000 1000000]

Seconds. Once as rankings of two answers by two people each, the most rows for so many pairs, and once as rankings of
four answers by three people. Twenty labelers. Each size runs in a process of its own, for the peak of its memory, and
in a database of its own that is dropped at the end."""

import argparse
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

FILL = """
INSERT INTO annotate_prompt (project_id, external_id, root, messages, content_sha256, split, metadata, created_at)
VALUES (%(project)s, 'p', 'p', '[{"role": "user", "content": "?"}]', '', 'train', '{}', now());
INSERT INTO annotate_rankingtask (project_id, prompt_id, rankings_wanted, open_slots, priority, flags, created_at)
SELECT %(project)s, (SELECT max(id) FROM annotate_prompt), %(people)s, 0, 0, '[]', now()
FROM generate_series(1, %(tasks)s);
INSERT INTO annotate_ranking (task_id, labeler_id, ranks, submission_id, payload_sha256, surplus, active_seconds,
                              page_version, flags, metadata, created_at)
SELECT task.id, %(labeler)s + (task.id + place * 3) %% 20, (%(kinds)s::jsonb) -> (random() * %(last)s)::int,
       gen_random_uuid(), '', false, 9, '', '[]', '{}', now()
FROM annotate_rankingtask task, generate_series(0, %(people)s - 1) place;
"""
SHAPES = {
    "2 answers, 2 people": (2, 1, "[[1, 2], [1, 2], [1, 2], [1, 1], [2, 1]]"),
    "4 answers, 3 people": (3, 6, "[[1, 2, 3, 4], [1, 3, 2, 4], [1, 1, 3, 4], [2, 1, 3, 3], [4, 3, 2, 1]]"),
}


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--pairs", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    options.add_argument("--one", help="A shape, measured in this process.")
    chosen = options.parse_args()
    if chosen.one:
        in_a_database(chosen.pairs[0], chosen.one)
        return
    print("    pairs  shape                  rankings   read    count    of CPU    asked again  MiB more", flush=True)
    for pairs in chosen.pairs:
        for shape in SHAPES:
            command = [sys.executable, "-m", "benchmarks.agreement", "--pairs", str(pairs), "--one", shape]
            subprocess.run(command, check=True)


def in_a_database(pairs: int, shape: str) -> None:
    from django.test.utils import setup_databases, teardown_databases

    from config import embedded

    embedded.ensure()
    django.setup()
    databases = setup_databases(verbosity=0, interactive=False)
    try:
        measure(pairs, shape)
    finally:
        teardown_databases(databases, verbosity=0)


def measure(pairs: int, shape: str) -> None:
    from annotate.agreement_figures import figures
    from annotate.kept_agreement import agreement_of
    from annotate.models import Ranking
    from annotate.panels import panels_of

    project = filled(pairs, shape)
    rankings = Ranking.objects.standing().filter(task__project=project)
    before, spent = peak(), time.process_time()
    read, found = timed(lambda: panels_of(rankings))
    counted, _ = timed(lambda: figures(found))
    used, more = time.process_time() - spent, peak() - before
    agreement_of(project, {}, rankings)
    again, _ = timed(lambda: agreement_of(project, {}, rankings))
    seconds = f"{read:>7.2f} {counted:>8.2f} {used:>9.2f} {again:>13.3f}"
    print(f"{pairs:>9}  {shape:<20} {Ranking.objects.count():>10} {seconds} {more:>9.0f}", flush=True)


def filled(pairs: int, shape: str) -> Any:
    from django.db import connection

    from annotate.models import Labeler, Project

    people, pairs_each, kinds = SHAPES[shape]
    project = Project.objects.create(slug="p", name="Benchmark")
    labelers = [Labeler.objects.create(project=project) for _ in range(20)]
    values = {"project": project.pk, "labeler": labelers[0].pk, "people": people, "kinds": kinds, "last": 4}
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
        cursor.execute(FILL, values | {"tasks": pairs // (people * pairs_each)})
        cursor.execute("VACUUM ANALYZE annotate_ranking, annotate_rankingtask")
    return project


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds, and what came of it."""
    started = time.perf_counter()
    found = work()
    return time.perf_counter() - started, found


def peak() -> float:
    """MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
