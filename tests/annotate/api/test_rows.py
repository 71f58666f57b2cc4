"""Projects, prompts, answers and rankings, page by page."""

import json
from datetime import timedelta

import pytest
from django.utils.timezone import now

from tests import factories
from tests.annotate.api.test_tokens import told

pytestmark = pytest.mark.django_db


def ranking_row(number: int) -> dict:
    return {
        "id": f"q{number}",
        "root": f"q{number}",
        "prompt": [{"role": "user", "content": f"Why {number}? \u202e 🌱\n"}],
        "answers": ["because", f"of {number}", ""],
        "ranks": [1, 2, 2] if number % 2 else [3, 1, 2],
        "labeler": f"labeler-{number % 3}",
        "sources": ["sft", "best of 4", "sft"],
        "strength": 0.5 if number % 2 else None,
        "created_at": f"2026-01-{1 + number % 28:02}T00:00:00+00:00",
        "split": "id_test" if number % 5 == 0 else "train",
    }


def lines(rows) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_what_is_uploaded_is_read_back_equal_over_all_pages(script):
    mia, sent = script(), [ranking_row(number) for number in range(103)]
    answer = mia.send("projects/garden/imports", lines(sent), content="rankings")
    assert answer.status_code == 201, answer.json()
    found = mia.pages("projects/garden/rankings", page_size=25)
    assert [{name: row[name] for name in sent[0]} for row in found] == sent
    assert [row["key"] for row in found] == sorted(row["key"] for row in found)


def test_a_ranking_has_its_flags_and_those_of_its_task(script):
    mia = script()
    row = {**ranking_row(1), "answers": ["same", "same", "other"], "created_at": None}
    sent = [{**row, "ranks": [1, 2, 2]}, {**row, "ranks": [2, 1, 2]}, ranking_row(2)]
    assert mia.send("projects/garden/imports", lines(sent), content="rankings").status_code == 201
    found = [row["flags"] for row in mia.pages("projects/garden/rankings")]
    assert found == [["contradicted", "equal_texts"], ["contradicted", "equal_texts"], []]


def test_metadata_of_prompts_is_for_researchers_alone(script, garden):
    factories.make_prompt(garden, metadata={"model": "gpt", "reference": "42"})
    (blind,), (full,) = (script(role=role).pages("projects/garden/prompts") for role in ("reviewer", "researcher"))
    assert full.pop("metadata") == {"model": "gpt", "reference": "42"} and blind == full


def test_rows_that_arrive_between_two_pages_move_none(script, garden):
    mia = script()
    first = [factories.make_prompt(garden).external_id for _ in range(3)]
    page = mia.get("projects/garden/prompts", page_size=2).json()
    late = factories.make_prompt(garden).external_id
    rest = mia._client.get(page["next"]).json()
    assert [row["id"] for row in page["results"] + rest["results"]] == [*first, late]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"split": "id_test"}, [0, 5]),
        ({"labeler": "labeler-1"}, [1, 4, 7]),
        ({"source": "best of 4", "split": "id_test"}, [0, 5]),
        ({"source": "nobody"}, []),
        ({"since": "2026-01-08T00:00:00Z"}, [7, 8]),
    ],
)
def test_rankings_are_filtered(script, query, expected):
    mia = script()
    mia.send("projects/garden/imports", lines(map(ranking_row, range(9))), content="rankings")
    found = mia.pages("projects/garden/rankings", **query)
    assert [row["id"] for row in found] == [f"q{number}" for number in expected]


def test_prompts_and_answers_are_filtered(script, garden):
    mia = script()
    old = factories.make_prompt(garden, split="id_test", created_at=now() - timedelta(days=9))
    factories.make_answers(old, ["a", "b"], factories.make_batch(garden, "ppo", answers_wanted=2))
    factories.make_answers(factories.make_prompt(garden), ["c"])
    assert [row["id"] for row in mia.pages("projects/garden/prompts", split="id_test")] == [old.external_id]
    assert len(mia.pages("projects/garden/prompts", since=(now() - timedelta(days=1)).isoformat())) == 1
    assert [row["text"] for row in mia.pages("projects/garden/answers", source="ppo", split="id_test")] == ["a", "b"]
    assert len(mia.pages("projects/garden/answers")) == 3


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"split": "test"}, "split"),
        ({"since": "yesterday"}, "since"),
        ({"page_size": 501}, "page_size"),
        ({"page_size": 0}, "page_size"),
        ({"after": 2**63}, "after"),
        ({"after": "x"}, "after"),
        ({"labeler": "a\x00b"}, "labeler"),
        ({"labeller": "mia"}, "labeller"),
    ],
)
def test_a_wrong_or_unknown_filter_is_named(script, query, field):
    problem = told(script().get("projects/garden/rankings", **query), 400)
    assert list(problem["errors"]) == [field]


def test_withdrawn_rankings_are_left_out_and_usernames_stand_nowhere(script, garden):
    mia = script()
    labeler = factories.make_labeler(garden, factories.make_member(garden, user=factories.make_user("jonas-secret")))
    for _ in range(2):
        factories.make_ranking(factories.make_task(garden), labeler=labeler)
    factories.undo_last(labeler, now())
    answer = mia.get("projects/garden/rankings")
    assert [row["labeler"] for row in answer.json()["results"]] == [labeler.pseudonym]
    everything = [mia.get(f"projects/garden/{each}") for each in ("prompts", "answers", "snapshots", "imports")]
    assert not any(b"jonas-secret" in each.content for each in [answer, *everything])


def test_heavy_columns_are_not_read(script, garden, django_assert_max_num_queries):
    mia = script()
    for _ in range(20):
        factories.make_answers(factories.make_prompt(garden))
    mia.get("")
    with django_assert_max_num_queries(5) as captured:
        assert len(mia.get("projects/garden/answers").json()["results"]) == 60
    assert not any("token_ids" in query["sql"] for query in captured.captured_queries)
    (asked,) = (query["sql"] for query in captured.captured_queries if 'FROM "annotate_answer"' in query["sql"])
    assert '"annotate_answer"."project_id" = ' in asked  # which an index is ordered by


def test_one_sees_the_projects_that_one_is_in_with_ones_role(script, garden):
    factories.make_project("secret")
    mia = script(role="reviewer")
    (found,) = mia.pages("projects")
    assert (found["slug"], found["role"]) == ("garden", "reviewer")
    assert mia.get("projects/garden").json() == found
    told(mia.get("projects/secret"), 404)
