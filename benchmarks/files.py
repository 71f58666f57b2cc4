"""Time and memory of an import, a freeze and an export, by the number of rows.

    python -m benchmarks.files 10000 100000

Each size runs in a process and a database of its own, which is dropped at the end. Prompts of 200 characters, 4
answers of 800 each, one ranking a prompt; at the end as many rankings of pairs from a file. The memory is what the
process needed beyond what it had before the step."""

import io
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

IMPORTED = 10_000
"""Answers are imported to so many prompts; those of the others are put there by SQL, to leave time for the rest."""
FILL = """
INSERT INTO annotate_answer (batch_id, prompt_id, index, text, finish_reason, metadata, created_at)
SELECT (SELECT max(id) FROM annotate_answerbatch), prompt.id, place, repeat(md5(prompt.id::text || place), 25),
       '', '{}', now() FROM annotate_prompt prompt, generate_series(0, 3) place
WHERE NOT EXISTS (SELECT FROM annotate_answer WHERE prompt_id = prompt.id);
INSERT INTO annotate_rankingtask (project_id, prompt_id, batch_id, rankings_wanted, open_slots, priority, flags,
                                  created_at)
SELECT project_id, id, (SELECT max(id) FROM annotate_answerbatch), 1, 0, 0, '[]', now() FROM annotate_prompt prompt
WHERE NOT EXISTS (SELECT FROM annotate_rankingtask WHERE prompt_id = prompt.id);
INSERT INTO annotate_taskanswer (task_id, answer_id, position)
SELECT task.id, answer.id, answer.index FROM annotate_rankingtask task JOIN annotate_answer answer USING (prompt_id)
WHERE NOT EXISTS (SELECT FROM annotate_taskanswer WHERE task_id = task.id);
"""
RANK = """
INSERT INTO annotate_ranking (task_id, labeler_id, ranks, submission_id, payload_sha256, surplus, active_seconds,
                              page_version, flags, metadata, created_at)
SELECT id, %(labeler)s, '[1, 2, 2, 4]', gen_random_uuid(), '', false, 9, '', '[]', '{}', now() FROM annotate_rankingtask
"""


def main(sizes: list[str]) -> None:
    print("     rows  step          seconds    of CPU    MiB more", flush=True)
    for size in sizes:
        subprocess.run([sys.executable, "-m", "benchmarks.files", "--one", size], check=True)


def measure(rows: int) -> None:
    from django.conf import settings
    from django.db import connection

    from annotate import exports, imports, snapshots
    from annotate.models import Labeler, Project, Prompt, Ranking, Snapshot

    random.seed(0)
    project = Project.objects.create(slug="p", name="Benchmark")
    labeler = Labeler.objects.create(project=project)
    with tempfile.TemporaryDirectory() as folder:
        settings.HOME = Path(folder)
        prompts, answers = write_files(Path(folder), rows)
        step(rows, "import", lambda: bring(imports.import_prompts, project, prompts, split="train"))
        step(rows, "import again", lambda: bring(imports.import_prompts, project, prompts, split="train"))
        step(min(rows, IMPORTED), "answers", lambda: bring(imports.import_answers, project, answers, source="sft"))
        assert Prompt.objects.count() == rows
        with connection.cursor() as cursor:
            cursor.execute(FILL)
            cursor.execute(RANK, {"labeler": labeler.pk})
            cursor.execute("ANALYZE")
        step(rows, "freeze", lambda: snapshots.freeze(project=project))
        snapshot = Snapshot.objects.get()
        assert snapshot.counts["rankings"] == rows
        step(rows, "preferences", lambda: drain(exports.export(snapshot, "preference")))
        pairs, other = write_pairs(Path(folder), rows), Project.objects.create(slug="q", name="Of pairs")
        step(rows, "rankings", lambda: bring(imports.import_rankings, other, pairs))
        assert Ranking.objects.filter(task__project=other).count() == rows


def write_files(folder: Path, rows: int) -> tuple[Path, Path]:
    prompts, answers = folder / "prompts.jsonl", folder / "answers.jsonl"
    with prompts.open("w") as asked, answers.open("w") as said:
        for number in range(rows):
            row = {"id": str(number), "prompt": f"{number} " + words(200)}
            asked.write(json.dumps(row) + "\n")
            if number < IMPORTED:
                said.write(json.dumps({**row, "answers": [words(800) for _ in range(4)]}) + "\n")
    return prompts, answers


def write_pairs(folder: Path, rows: int) -> Path:
    """Rankings of two answers, each with a prompt of its own: 1.7 kB a row, by fifty raters."""
    path = folder / "rankings.jsonl"
    with path.open("w") as file:
        for number in range(rows):
            row = {"prompt": f"{number} " + words(200), "answers": [words(700), words(700)], "ranks": [1, 2]}
            file.write(json.dumps({**row, "labeler": f"rater {number % 50}"}) + "\n")
    return path


def words(length: int) -> str:
    return "".join(random.choices("abcdefghij ", k=length))


def bring(load: Callable[..., object], project: object, path: Path, **fields: str) -> None:
    with path.open("rb") as stream:
        load(project=project, stream=io.BufferedReader(stream), filename=path.name, **fields)


def drain(lines: object) -> None:
    for _ in lines:
        pass


def step(rows: int, name: str, work: Callable[[], object]) -> None:
    before, started, spent = peak(), time.perf_counter(), time.process_time()
    work()
    took, used = time.perf_counter() - started, time.process_time() - spent
    print(f"{rows:>9}  {name:<12} {took:>8.1f} {used:>9.1f} {peak() - before:>11.0f}", flush=True)


def peak() -> float:
    """MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def one(rows: int) -> None:
    from django.test.utils import setup_databases, teardown_databases

    databases = setup_databases(verbosity=0, interactive=False)
    try:
        measure(rows)
    finally:
        teardown_databases(databases, verbosity=0)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        from config import embedded

        embedded.ensure()
        django.setup()
        one(int(sys.argv[2]))
    else:
        main(sys.argv[1:] or ["10000", "100000"])
