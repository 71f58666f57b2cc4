"""Snapshots over the API: frozen by their options, read in a format."""

import json

import pytest

from annotate import snapshots
from annotate.models import AuditEvent, Project, Snapshot
from tests import factories
from tests.annotate.api.test_tokens import told

pytestmark = pytest.mark.django_db
SNAPSHOTS = "projects/garden/snapshots"


@pytest.fixture
def mia(script, garden):
    for ranks in ((1, 2, 3), (2, 2, 1)):
        factories.make_ranking(factories.make_task(garden), ranks=ranks)
    return script()


def test_a_snapshot_is_frozen_by_its_options_and_has_its_card(mia):
    answer = mia.post(SNAPSHOTS, {"ties": "drop", "most_per_labeler": 5, "sources": ["sft"]})
    assert answer.status_code == 201, answer.json()
    made = answer.json()
    frozen = Snapshot.objects.get()
    assert (made["sha256"], made["settings"]["ties"], frozen.created_by) == (frozen.sha256, "drop", mia.user)
    assert made["card"]["counts"]["rankings"] == 2 and "ranking" in made["formats"]
    assert mia._client.get(answer["Location"]).json() == made
    (listed,) = mia.pages(SNAPSHOTS)
    assert "card" not in listed and listed["sha256"] == made["sha256"]


def test_the_same_content_is_the_same_snapshot(mia):
    assert mia.post(SNAPSHOTS, {}).json()["key"] == mia.post(SNAPSHOTS, {}).json()["key"]


@pytest.mark.parametrize("option", [{"tie": "drop"}, {"ties": "some"}, {"split": "ood_test"}, {"sources": ["\x00"]}])
def test_an_option_that_there_is_not_is_named(mia, option):
    assert list(told(mia.post(SNAPSHOTS, option), 400)["errors"]) == list(option)
    assert not Snapshot.objects.exists()


@pytest.mark.parametrize("body", ["[]", "7", "{", '{"seed": NaN}', "[" * 100_000])
def test_what_is_no_set_of_options_is_a_problem(mia, body):
    told(mia.post(SNAPSHOTS, body), 400)


def test_options_that_are_as_long_as_a_file_are_not_read(mia):
    told(mia.post(SNAPSHOTS, json.dumps({"sources": ["x" * 2**20]})), 413)


def test_nothing_to_freeze_is_a_conflict(mia):
    told(mia.post(SNAPSHOTS, {"sources": ["nobody"]}), 409)


def test_a_format_is_streamed_as_the_export_writes_it(mia):
    made = mia.post(SNAPSHOTS, {}).json()
    answer = mia.get(f"{SNAPSHOTS}/{made['key']}/download", format="ranking")
    assert answer.streaming and "attachment" in answer["Content-Disposition"]
    rows = [json.loads(line) for line in answer.getvalue().splitlines()]
    assert rows == list(snapshots.read(Snapshot.objects.get()))
    assert AuditEvent.objects.filter(action="export", user=mia.user).count() == 1
    table = mia.get(f"{SNAPSHOTS}/{made['key']}/download", format="answers", **{"as": "csv"}).getvalue()
    assert table.startswith(b"ranking,")


def test_a_format_of_another_kind_and_one_that_there_is_not(mia):
    path = f"{SNAPSHOTS}/{mia.post(SNAPSHOTS, {}).json()['key']}/download"
    told(mia.get(path, format="prompt"), 409)
    told(mia.get(path, format="xlsx"), 400)
    told(mia.get(path), 400)


def test_a_damaged_file_is_a_problem_before_the_first_line(mia):
    made = mia.post(SNAPSHOTS, {}).json()
    snapshots.path_of(Snapshot.objects.get()).unlink()
    told(mia.get(f"{SNAPSHOTS}/{made['key']}/download", format="ranking"), 409)


def test_no_test_prompt_and_no_evaluation_gets_into_training_by_this_door(mia, garden):
    tested = factories.make_answers(factories.make_prompt(garden, split="id_test"))
    factories.make_ranking(factories.make_task(answers=tested))
    for purpose, rankings in (("training", 2), ("testing", 3)):
        assert mia.post(SNAPSHOTS, {"purpose": purpose}).json()["counts"]["rankings"] == rankings
    Project.objects.update(purpose="evaluation")
    assert "evaluation" in told(mia.post(SNAPSHOTS, {"seed": 1}), 409)["detail"]
