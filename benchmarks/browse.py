"""How long a page of a list takes, by its filters, from the request to the last byte, signed in as a researcher.

    python -m benchmarks.browse [--comparisons 1000000] [--rounds 40]

Two answers of 850 characters to each prompt, two rankings of them, and a comparison each; a small project
beside, whose rows are older. The rows are put there by SQL, in a database of its own that is dropped at the end."""

import argparse
import os
import random
import statistics
import time
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

TEXTS = 2000
TO_SEARCH = 20_000
"""Rows whose words are made as the light worker makes them, to tell how many it makes a second."""
PROMPTS = """
INSERT INTO annotate_prompt (project_id, external_id, root, messages, content_sha256, split, metadata, created_at,
                             words)
SELECT %(project)s, 'p' || n, 'p' || n,
       jsonb_build_array(jsonb_build_object('role', 'user', 'content', left(pool.text, 200) || ' p' || n)), '',
       CASE WHEN n <= 5 THEN 'ood_test' WHEN n %% 100 = 0 THEN 'id_test' ELSE 'train' END, '{}',
       now() - interval '365 days' * (1 - n::float / %(prompts)s),
       to_tsvector('simple', left(pool.text, 200) || ' p' || n)
FROM generate_series(1, %(prompts)s) n JOIN pool ON pool.id = n %% (SELECT count(*) FROM pool);
"""
ANSWERS = """
INSERT INTO annotate_answer (batch_id, prompt_id, index, text, finish_reason, metadata, created_at, words)
SELECT CASE WHEN number <= %(prompts)s / 10 THEN %(old)s WHEN place = 0 THEN %(sft)s ELSE %(best)s END, id, place,
       CASE WHEN number %% 50000 = 7 AND place = 1 THEN '' ELSE substr(pool_text, 1 + place * 40) || ' a' || number END,
       CASE WHEN number %% 10 = 3 THEN 'length' ELSE 'stop' END, '{}', created_at,
       pool_words || to_tsvector('simple', 'a' || number)
FROM (SELECT prompt.id, prompt.created_at, row_number() OVER (ORDER BY prompt.id) number, pool.text pool_text,
             pool.words pool_words
      FROM annotate_prompt prompt JOIN pool ON pool.id = prompt.id %% (SELECT count(*) FROM pool)
      WHERE project_id = %(project)s) asked, generate_series(0, 1) place ORDER BY id, place;
"""
TASKS = """
INSERT INTO annotate_rankingtask (project_id, prompt_id, rankings_wanted, open_slots, priority, flags, created_at)
SELECT project_id, id, 2, 0, 0, CASE WHEN id %% 90000 = 1 THEN '["equal_texts"]'::jsonb ELSE '[]' END, created_at
FROM annotate_prompt WHERE project_id = %(project)s ORDER BY id;
INSERT INTO annotate_taskanswer (task_id, answer_id, position)
SELECT task.id, answer.id, answer.index FROM annotate_rankingtask task JOIN annotate_answer answer USING (prompt_id)
WHERE task.project_id = %(project)s ORDER BY task.id, answer.index;
INSERT INTO annotate_ranking (task_id, labeler_id, ranks, submission_id, payload_sha256, surplus, active_seconds,
                              guidelines_version, page_version, flags, metadata, origin_id, created_at)
SELECT task.id, (%(labelers)s::bigint[])[1 + ((task.id * 7 + turn * 3) %% 40)],
       CASE WHEN task.id %% 20 = 0 THEN '[1, 1]'::jsonb WHEN (task.id / 3 + turn) %% 2 = 0 THEN '[1, 2]'
            ELSE '[2, 1]' END,
       gen_random_uuid(), '', task.id %% 40000 = 5 AND turn = 1, 9,
       CASE WHEN task.created_at < now() - interval '180 days' THEN 1 ELSE 2 END, '',
       CASE WHEN task.id %% 12000 = 4 THEN '["contradicted"]'::jsonb ELSE '[]' END, '{}',
       CASE WHEN task.id %% 2 = 0 THEN %(file)s::bigint END, task.created_at + interval '1 minute' * turn
FROM annotate_rankingtask task, generate_series(0, 1) turn WHERE task.project_id = %(project)s ORDER BY task.id, turn;
INSERT INTO annotate_withdrawal (ranking_id, created_at)
SELECT id, created_at FROM annotate_ranking WHERE project_id = %(project)s AND id %% 20000 = 1;
INSERT INTO annotate_comparison (ranking_id, prompt_id, kind, chosen_id, rejected_id, tie)
SELECT ranking.id, task.prompt_id, CASE WHEN ranking.id %% 30000 = 0 THEN 'judged' ELSE 'implied' END,
       CASE WHEN ranks = '[2, 1]' THEN two.answer_id ELSE one.answer_id END,
       CASE WHEN ranks = '[2, 1]' THEN one.answer_id ELSE two.answer_id END, ranks = '[1, 1]'
FROM annotate_ranking ranking JOIN annotate_rankingtask task ON task.id = task_id
JOIN annotate_taskanswer one ON one.task_id = task.id AND one.position = 0
JOIN annotate_taskanswer two ON two.task_id = task.id AND two.position = 1
WHERE ranking.project_id = %(project)s ORDER BY ranking.id;
"""
PAGES = {
    "prompts": [
        "", "before={middle}", "q=vowa", "q=p4711", "q=nothinglikeit", "q=vowa vowe", "split=id_test", "split=ood_test",
        "has=demonstrations", "has=no_answers", "has=no_rankings", "has=rankings", "file={file}",
        "q=vowa&split=ood_test", "q=vowa&has=no_rankings", "split=id_test&has=no_answers", "q=p4711&has=demonstrations",
    ],
    "answers": [
        "", "before={middle}", "q=vowa", "q=a4711", "q=vowa -vowe", "source=sft", "source=old", "source=people",
        "batch={old}", "split=id_test", "split=ood_test", "finish=length", "finish=none", "text=empty",
        "text=empty&source=sft", "q=vowa&source=old", "q=vowa&split=ood_test", "finish=none&split=id_test&source=best",
    ],
    "rankings": [
        "", "before={middle}", "labeler={labeler}", "state=withdrawn", "state=surplus", "state=standing",
        "split=id_test", "split=ood_test", "came=desk", "came={file}", "flags=flagged", "flags=none",
        "flags=equal_texts", "guidelines=1", "guidelines=none", "since={day}&until={day}", "since={early}",
        "until={early}",
        "labeler={labeler}&flags=flagged", "labeler={labeler}&split=ood_test", "labeler={labeler}&until={early}",
        "state=withdrawn&flags=flagged", "came=desk&guidelines=none&split=id_test", "guidelines=1&came={file}",
    ],
    "comparisons": [
        "", "before={middle}", "labeler={labeler}", "outcome=tie", "kind=judged", "longer=longer", "longer=shorter",
        "chosen_source=old", "rejected_source=people", "split=id_test", "split=ood_test",
        "labeler={labeler}&outcome=tie", "kind=judged&outcome=tie", "kind=edit", "longer=shorter&split=ood_test",
        "chosen_source=old&longer=longer&outcome=won", "labeler={labeler}&kind=judged&split=id_test",
        "chosen_source=people&rejected_source=best",
    ],
}  # fmt: skip


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--comparisons", type=int, default=1_000_000)
    options.add_argument("--rounds", type=int, default=40)
    options.add_argument("--keep", action="store_true", help="Keep the database, and take up one that was kept.")
    options.add_argument("--pages", nargs="*", default=list(PAGES))
    chosen = options.parse_args()
    from django.conf import settings
    from django.test.utils import setup_databases, teardown_databases

    settings.ALLOWED_HOSTS = ["testserver"]
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}
    databases = setup_databases(verbosity=0, interactive=False, keepdb=chosen.keep, serialized_aliases=[])
    try:
        names = {"small": filled("small", 500), "large": filled("large", chosen.comparisons // 2)}
        measure_words()
        print(
            f"{chosen.comparisons} comparisons, load {os.getloadavg()[0]:.1f}, milliseconds\n"
            "                 p50    p95  shown  page"
        )
        for project in names:
            for page in chosen.pages:
                measure(project, page, names[project], chosen.rounds)
    finally:
        teardown_databases(databases, verbosity=0, keepdb=chosen.keep)


def filled(slug: str, prompts: int) -> dict[str, Any]:
    """A project with rows of everything; what the pages' queries name."""
    from django.db import connection

    from annotate.models import AnswerBatch, Guidelines, Import, Labeler, Project

    if Project.objects.filter(slug=slug).exists():
        return named(slug)
    project = Project.objects.create(slug=slug, name=slug)
    Guidelines.objects.bulk_create(Guidelines(project=project, version=number, text="?") for number in (1, 2))
    labelers = Labeler.objects.bulk_create(Labeler(project=project) for _ in range(40))
    kinds = {"old": "import", "sft": "policy", "best": "policy", "people": "people"}
    batches = {
        name: AnswerBatch.objects.create(project=project, name=name, source_name=name, source=source).pk
        for name, source in kinds.items()
    }
    file = Import.objects.create(project=project, content="rankings", filename="rows.jsonl", sha256="0").pk
    values = {"project": project.pk, "prompts": prompts, "file": file, "labelers": [one.pk for one in labelers]}
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off; SET maintenance_work_mem = '512MB'")
        pool(cursor)
        indexes = [name for name in ("prompts_by_words", "answers_by_words") if prompts > TEXTS]
        made = [definition(cursor, name) for name in indexes]
        for statement in (PROMPTS, ANSWERS, TASKS):
            cursor.execute(statement, values | batches)
        cursor.execute(
            "UPDATE annotate_answer SET batch_id = %(people)s WHERE id IN (SELECT min(id) + n FROM annotate_answer,"
            " generate_series(0, 19) n WHERE project_id = %(project)s GROUP BY n)", values | batches,
        )  # fmt: skip
        for statement in made:
            cursor.execute(statement)
        cursor.execute("VACUUM ANALYZE")
    print(f"{slug}: filled", flush=True)
    return named(slug)


def named(slug: str) -> dict[str, Any]:
    from annotate.models import AnswerBatch, Import, Labeler, Prompt

    prompts = Prompt.objects.filter(project__slug=slug).order_by("pk").values_list("pk", flat=True)
    return {
        "middle": prompts[prompts.count() // 2],
        "file": Import.objects.get(project__slug=slug).pk,
        "labeler": Labeler.objects.filter(project__slug=slug).order_by("pk")[3].pseudonym,
        "old": AnswerBatch.objects.get(project__slug=slug, name="old").pk,
        "day": time.strftime("%Y-%m-%d", time.gmtime(time.time() - 86400 * 200)),
        "early": time.strftime("%Y-%m-%d", time.gmtime(time.time() - 86400 * 350)),
    }


def definition(cursor: Any, index: str) -> str:
    """Of an index that is dropped, to be made again at once instead of row by row."""
    cursor.execute("SELECT pg_get_indexdef(%s::regclass)", [index])
    (statement,) = cursor.fetchone()
    cursor.execute(f"DROP INDEX {index}")
    return str(statement)


def pool(cursor: Any) -> None:
    """Texts of words that are as frequent as words are: the n-th one in n."""
    random.seed(0)
    syllables = ["vow", "lun", "tar", "mek", "sip", "dor", "han", "quel"]
    vocabulary = [one + vowel + end for end in ("", *syllables) for one in syllables for vowel in "aeiou"]
    weights = [1 / (1 + place) for place in range(len(vocabulary))]
    texts = [" ".join(random.choices(vocabulary, weights, k=160))[:850] for _ in range(TEXTS)]
    cursor.execute(
        "DROP TABLE IF EXISTS pool; CREATE TEMP TABLE pool (id bigint PRIMARY KEY, text text, words tsvector)"
    )
    cursor.executemany(
        "INSERT INTO pool VALUES (%s, %s, to_tsvector('simple', %s))", [(n, text, text) for n, text in enumerate(texts)]
    )
    cursor.execute("ANALYZE pool")


def measure_words() -> None:
    from django.db import connection

    from annotate import searching

    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE annotate_answer SET words = NULL WHERE id > (SELECT max(id) - %s FROM annotate_answer)", [TO_SEARCH]
        )
    started = time.perf_counter()
    made = searching.catch_up(600)
    print(f"made {made} answers searchable, {made / (time.perf_counter() - started):.0f} a second", flush=True)


def measure(project: str, page: str, names: dict[str, Any], rounds: int) -> None:
    from django.test import Client
    from django.urls import reverse

    from annotate.models import User

    client, worst = Client(), 0.0
    user, _ = User.objects.get_or_create(username="r", is_superuser=True)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    everything = []
    for query in PAGES[page]:
        times, query = [], query.format(**names)
        client.get(f"{reverse(page, args=[project])}?{query}")  # templates are compiled by the first
        for _ in range(rounds):
            started = time.perf_counter()
            answer = client.get(f"{reverse(page, args=[project])}?{query}")
            times.append(1000 * (time.perf_counter() - started))
            assert answer.status_code == 200, query
        everything += times
        p95 = statistics.quantiles(times, n=20)[-1]
        worst, content = max(worst, p95), answer.content.decode()
        shown = content.count("<tr>") - ("<thead>" in content)
        more = ", looks further" if "Look further" in content else ""
        print(f"{statistics.median(times):>20.1f} {p95:>6.1f} {shown:>6}  {project} {page}?{query}{more}", flush=True)
    print(
        f"all of {project} {page}: p95 {statistics.quantiles(everything, n=20)[-1]:.1f}, worst page's {worst:.1f}",
        flush=True,
    )


if __name__ == "__main__":
    from config import embedded

    embedded.ensure()
    django.setup()
    main()
