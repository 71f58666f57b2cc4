"""Time and memory of what a researcher waits for at a snapshot, by the number of comparisons: preview, freeze, and
preference rows of about 1.7 kB to JSON lines, to Parquet, to a data set's folder, and straight from the tables.

    python -m benchmarks.export [--sizes 10000 100000 1000000] [--rounds 3]

The worst case: each comparison is one ranking of two answers, to a prompt of its own. Each size has a database of its
own, which is dropped at the end; each step a process of its own, whose memory is what it had at its peak."""

import argparse
import multiprocessing
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

POOL = 20_000
"""Texts of which prompts and answers are put together."""
FILL = """
CREATE TEMP TABLE pool (place int PRIMARY KEY, text text);
INSERT INTO pool SELECT place - 1, text FROM unnest(%(pool)s::text[]) WITH ORDINALITY AS _(text, place);
INSERT INTO annotate_prompt (project_id, external_id, root, messages, content_sha256, split, metadata, created_at)
SELECT %(project)s, n, n, jsonb_build_array(jsonb_build_object('role', 'user', 'content', n || ' ' || text)),
       '', 'train', '{}', now()
FROM generate_series(1, %(rows)s) n JOIN pool ON place = n %% %(texts)s ORDER BY n;
INSERT INTO annotate_answer (batch_id, prompt_id, index, text, finish_reason, metadata, created_at)
SELECT %(batch)s, prompt.id, side, prompt.id || ' ' || text, '', '{}', now()
FROM annotate_prompt prompt CROSS JOIN generate_series(0, 1) side
JOIN pool ON place = (prompt.id * 7 + side * 11) %% %(texts)s ORDER BY prompt.id, side;
INSERT INTO annotate_rankingtask (project_id, prompt_id, batch_id, rankings_wanted, open_slots, priority, flags,
                                  created_at)
SELECT project_id, id, %(batch)s, 1, 0, 0, '[]', now() FROM annotate_prompt ORDER BY id;
INSERT INTO annotate_taskanswer (task_id, answer_id, position)
SELECT task.id, answer.id, answer.index FROM annotate_rankingtask task JOIN annotate_answer answer USING (prompt_id)
ORDER BY task.id, answer.index;
INSERT INTO annotate_ranking (task_id, labeler_id, ranks, submission_id, payload_sha256, surplus, active_seconds,
                              page_version, flags, metadata, created_at)
SELECT id, (%(labelers)s::bigint[])[1 + id %% 3],
       CASE id %% 2 WHEN 0 THEN '[1, 2]'::jsonb ELSE '[2, 1]'::jsonb END,
       gen_random_uuid(), '', false, 9, '', '[]', '{}', now() FROM annotate_rankingtask ORDER BY id;
"""


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--one", type=int)
    chosen = options.parse_args()
    if chosen.one is None:
        print(
            "comparisons  step                 best s   worst s  MiB written  MiB peak  more than at rest", flush=True
        )
        for size in chosen.sizes:
            again = ["--one", str(size), "--rounds", str(chosen.rounds)]
            subprocess.run([sys.executable, "-m", "benchmarks.export", *again], check=True)
        return
    from config import embedded

    embedded.ensure()
    django.setup()
    from django.test.utils import setup_databases, teardown_databases

    databases = setup_databases(verbosity=0, interactive=False)
    try:
        with tempfile.TemporaryDirectory() as folder:
            measure(chosen.one, chosen.rounds, Path(folder))
    finally:
        teardown_databases(databases, verbosity=0)


def measure(rows: int, rounds: int, folder: Path) -> None:
    from django.conf import settings

    settings.HOME = folder
    slug = filled(rows)
    for name, work in STEPS.items():
        taken = [apart(lambda work=work: work(slug, folder / "out")) for _ in range(rounds)]
        seconds = [one[0] for one in taken]
        peak, more = max(one[2] for one in taken), max(one[3] for one in taken)
        figures = f"{min(seconds):>6.1f} {max(seconds):>9.1f} {taken[0][1]:>12.0f} {peak:>9.0f} {more:>9.0f}"
        print(f"{rows:>11}  {name:<20} {figures}", flush=True)
        (folder / "out").unlink(missing_ok=True)


def filled(rows: int) -> str:
    """The slug of a project with so many comparisons."""
    from django.db import connection

    from annotate.models import AnswerBatch, Labeler, Project

    chance = random.Random(0)
    words = ["".join(chance.choices("etaoinshrdlucmfwypvbgk", k=chance.randint(2, 9))) for _ in range(5000)]
    pool = [" ".join(chance.choices(words, k=75))[:480] for _ in range(POOL)]
    project = Project.objects.create(slug="benchmark", name="Benchmark")
    labelers = [Labeler.objects.create(project=project).pk for _ in range(3)]
    batch = AnswerBatch.objects.create(project=project, name="sft", source="import", source_name="sft")
    values = {"project": project.pk, "rows": rows, "pool": pool, "texts": POOL, "batch": batch.pk}
    values["labelers"] = labelers
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
        for statement in FILL.split(";\n"):
            if statement.strip():
                cursor.execute(statement, values)
        cursor.execute("VACUUM ANALYZE")
    connection.close()
    return project.slug


def apart(work: Callable[[], object]) -> tuple[float, float, float, float]:
    """Done in a process of its own: seconds, MiB written, MiB of memory at its peak, and how much of that is new."""
    context = multiprocessing.get_context("fork")
    told = context.SimpleQueue()

    def run() -> None:
        at_rest, started = resident(), time.perf_counter()
        written = work()
        took = time.perf_counter() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        told.put((took, (written if isinstance(written, int) else 0) / 2**20, peak, peak - at_rest))

    process = context.Process(target=run)
    process.start()
    process.join()
    assert process.exitcode == 0
    return told.get()


def resident() -> float:
    """MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def preview(slug: str, path: Path) -> None:
    from annotate import snapshots
    from annotate.models import Project

    found = snapshots.preview(Project.objects.get(slug=slug), snapshots.SnapshotSpec())
    assert found.counts["comparisons"] and not found.refusal


def freeze(slug: str, path: Path) -> int:
    from annotate import snapshots
    from annotate.models import Project

    return int(snapshots.freeze(project=Project.objects.get(slug=slug)).size_bytes)


def from_snapshot(**options: str) -> Callable[[str, Path], int]:
    def work(slug: str, path: Path) -> int:
        from annotate import exports
        from annotate.models import Snapshot

        return written(path, exports.export(Snapshot.objects.get(), "preference", **options))

    return work


def from_tables(slug: str, path: Path) -> int:
    from annotate import exports
    from annotate.models import Project

    return written(path, exports.export(Project.objects.get(slug=slug), "preference"))


def written(path: Path, pieces: Iterable[bytes]) -> int:
    with path.open("wb") as file:
        for piece in pieces:
            file.write(piece)
        return file.tell()


STEPS: dict[str, Callable[[str, Path], Any]] = {
    "preview": preview,
    "freeze": freeze,
    "JSON lines": from_snapshot(),
    "Parquet": from_snapshot(ending="parquet"),
    "folder": from_snapshot(ending="zip"),
    "tables to JSON lines": from_tables,
}

if __name__ == "__main__":
    main()
