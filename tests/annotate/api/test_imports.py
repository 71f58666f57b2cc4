"""Files that come in over the API."""

import gzip
import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from annotate.api import parsers
from annotate.api.views import imports as views
from annotate.models import Import, Prompt, Ranking, RankingTask
from tests.annotate.api.test_rows import lines, ranking_row
from tests.annotate.api.test_tokens import told

pytestmark = pytest.mark.django_db
IMPORTS = "projects/garden/imports"
PROMPTS = lines([{"id": "a", "prompt": "Why?"}, {"id": "b", "prompt": "How?"}])


def test_a_file_is_imported_and_found_again(script):
    mia = script()
    answer = mia.send(IMPORTS, PROMPTS, content="prompts", split="id_test", licence="CC0-1.0", filename="mine.jsonl")
    assert answer.status_code == 201
    made = answer.json()
    assert (made["filename"], made["licence"], made["rows_done"]) == ("mine.jsonl", "CC0-1.0", 2)
    assert (made["counts"]["created"], made["summary"]) == (2, "2 new prompts.")
    assert mia._client.get(answer["Location"]).json() == made == mia.pages(IMPORTS)[0]
    assert set(Prompt.objects.values_list("split", flat=True)) == {"id_test"}
    assert Import.objects.get().created_by == mia.user


def test_a_form_with_a_file_does_as_well(script):
    mia = script()
    file = SimpleUploadedFile("rows.csv", b"id,prompt\na,Why?\n", "text/csv")
    answer = mia._client.post(f"/api/v1/{IMPORTS}?content=prompts", {"file": file})
    assert (answer.status_code, answer.json()["filename"]) == (201, "rows.csv")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (gzip.compress(PROMPTS.encode()), "application/gzip"),
        (b"id,prompt\na,Why?\nb,How?\n", "text/csv"),
        (json.dumps([json.loads(line) for line in PROMPTS.splitlines()]), "application/json; charset=utf-8"),
    ],
)
def test_a_body_may_be_packed_or_csv_or_one_list(script, body, kind):
    assert script().send(IMPORTS, body, kind, content="prompts").json()["counts"]["created"] == 2


def test_answers_become_ranking_tasks_unless_told_otherwise(script):
    mia, rows = script(), [{"prompt": "Why?", "answers": ["a", "b"]}]
    assert mia.send(IMPORTS, lines(rows), content="answers", source="gpt", for_ranking="false").status_code == 201
    assert not RankingTask.objects.exists()
    rows[0]["prompt"] = "How?"
    assert mia.send(IMPORTS, lines(rows), content="answers").status_code == 201
    assert RankingTask.objects.count() == 1


def test_a_bad_row_stops_the_file_with_its_line(script):
    problem = told(script().send(IMPORTS, PROMPTS + '{"x": 1}\n', content="prompts"), 422)
    assert problem["detail"].startswith("Line 3: ")
    assert not Prompt.objects.exists() and not Import.objects.exists()


def test_what_is_good_of_a_file_is_stored_and_the_rest_is_listed(script):
    mia = script()
    made = mia.send(IMPORTS, PROMPTS + '{"x": 1}\n', content="prompts", keep_good="true").json()
    assert (made["rows_done"], made["rows_refused"]) == (3, 1)
    (refused,) = mia.pages(f"{IMPORTS}/{made['key']}/refused")
    assert (refused["line"], refused["row"]) == (3, '{"x": 1}')


def test_the_same_rankings_are_not_taken_twice(script):
    mia, body = script(), lines([ranking_row(1)])
    assert mia.send(IMPORTS, body, content="rankings", format="ranking").status_code == 201
    assert "imported already" in told(mia.send(IMPORTS, body, content="rankings"), 409)["detail"]


def test_fields_may_have_the_names_that_their_tool_gave_them(script):
    result = [{"type": "pairwise", "value": {"selected": "right"}}]
    row = {"id": 7, "data": {"task": "Why?", "one": "a", "two": "b"}, "annotations": [{"id": 1, "result": result}]}
    named = {"content": "rankings", "format": "label_studio", "fields": "prompt=task, answers=one/two"}
    assert script().send(IMPORTS, lines([row]), **named).status_code == 201
    ranking = Ranking.objects.get()
    assert (ranking.ranks, ranking.task.prompt.last_message) == ([2, 1], "Why?")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({}, "content"),
        ({"content": "rankings", "format": "parquet"}, "format"),
        ({"content": "prompts", "format": "ranking"}, "format"),
        ({"content": "answers", "split": "train"}, "split"),
        ({"content": "prompts", "keep_good": "perhaps"}, "keep_good"),
        ({"content": "rankings", "fields": "prompt=task"}, "fields"),
        ({"content": "rankings", "format": "argilla", "fields": "task"}, "fields"),
        ({"content": "rankings", "format": "argilla", "fields": "answers=one/two"}, "fields"),
        ({"content": "prompts", "fields": "prompt=task"}, "fields"),
    ],
)
def test_an_option_that_does_not_fit_is_named(script, query, field):
    assert list(told(script().send(IMPORTS, PROMPTS, **query), 400)["errors"]) == [field]


def test_an_empty_body_and_one_of_another_type_are_refused(script):
    mia = script()
    assert "file" in told(mia.send(IMPORTS, b"", content="prompts"), 400)["errors"]
    told(mia.send(IMPORTS, PROMPTS, "application/x-www-form-urlencoded", content="prompts"), 415)
    told(mia.send(IMPORTS, b"x", "multipart/form-data", content="prompts"), 400)


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "application/x-ndjson"])
def test_what_says_that_it_is_too_long_is_not_read(script, kind):
    problem = script()._client.generic(
        "POST", f"/api/v1/{IMPORTS}?content=prompts", b"x", kind, CONTENT_LENGTH=str(1 << 30)
    )
    assert "64 MiB" in told(problem, 413)["detail"]


def test_a_file_past_the_limit_is_refused_however_it_is_packed(script, monkeypatch):
    for module in (parsers, views):
        monkeypatch.setattr(module, "LARGEST_UPLOAD", 100)
    mia, long = script(), lines([{"prompt": "x" * 200}])
    told(mia.send(IMPORTS, long, content="prompts"), 413)
    told(mia.send(IMPORTS, gzip.compress(long.encode()), "application/gzip", content="prompts"), 422)
