"""The card of a snapshot, two of them compared, and one deleted."""

import numpy as np
import pytest
import yaml

from annotate import panels, snapshots
from annotate.models import AuditEvent, Import, Prompt, Ranking, Snapshot
from annotate.snapshots import SnapshotSpec
from annotate.snapshots.comparing import overlap
from tests.factories import (
    make_answers,
    make_guidelines,
    make_labeler,
    make_project,
    make_prompt,
    make_ranking,
    make_task,
)
from tests.training.learned import make_job, make_reward_model

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def home(settings, tmp_path):
    settings.HOME = tmp_path
    return tmp_path


@pytest.fixture
def project():
    return make_project("p", name="Rice | wheat")


def ranked(project, ranks=(1, 2, 3), **fields):
    return make_ranking(make_task(project), ranks=ranks, **fields)


def test_the_card_says_who_ranked_what_came_from_where_and_under_which_guidelines(project):
    make_guidelines(project, version=2)
    mia = make_labeler(project, pseudonym="mia")
    ranking = ranked(project, labeler=mia)
    file = Import.objects.create(
        project=project, content="prompts", format="prompts", filename="q.jsonl", sha256="0" * 64, licence="mit"
    )
    Prompt.objects.filter(pk=ranking.task.prompt_id).update(origin=file)
    ranked(project, labeler=mia)
    card = snapshots.freeze(project=project).card
    assert card["labelers"] == [{"labeler": "mia", "rankings": 2}]
    assert card["sources"] == [{"source": "sft", "answers": 6}]
    assert card["guidelines"] == [{"version": 2, "rankings": 2}]
    assert card["licences"] == [
        {"licence": "mit", "file": "q.jsonl", "prompts": 1},
        {"licence": "own work", "file": "", "prompts": 1, "rankings": 2, "answers": 6},
    ]
    assert card["agreement"] is None and card["splits"] == {"train": 2}


def test_agreement_of_two_who_always_agree_is_one(project):
    for _ in range(3):
        task = make_task(answers=make_answers(make_prompt(project)), rankings_wanted=2)
        for _ in range(2):
            make_ranking(task)
    found = snapshots.freeze(project=project).card["agreement"]
    assert (found["tasks"], found["rankings"]) == (3, 6)
    assert found["alpha"]["value"] == pytest.approx(1) and found["majority_share"]["value"] == pytest.approx(1)


def test_agreement_is_read_a_few_tasks_at_a_time(project, monkeypatch):
    monkeypatch.setattr(panels, "TASKS_AT_ONCE", 2)
    for _ in range(5):
        task = make_task(answers=make_answers(make_prompt(project)), rankings_wanted=2)
        for _ in range(2):
            make_ranking(task)
    rankings = Ranking.objects.all()
    slices = list(panels.slices_of(rankings))
    assert [len(panel.tasks) for panel in slices] == [2, 2, 1]
    (whole,) = panels.panels_of(rankings)
    assert [*np.concatenate([panel.tasks for panel in slices])] == [*whole.tasks]
    assert snapshots.freeze(project=project).card["agreement"]["tasks"] == 5


def test_lengths_of_chosen_and_rejected_are_counted_in_bins(project):
    make_ranking(make_task(answers=make_answers(make_prompt(project), ("abcdefgh", ""))), ranks=(1, 2))
    card = snapshots.freeze(project=project).card
    told = [one for one in card["lengths"] if one["chosen"] or one["rejected"]]
    assert told == [{"from": 0, "to": 0, "chosen": 0, "rejected": 1}, {"from": 8, "to": 15, "chosen": 1, "rejected": 0}]
    assert card["longer_share"] == 1


def test_the_readme_has_a_head_that_is_yaml_and_tables_that_hold(project):
    ranked(project, labeler=make_labeler(project, pseudonym="a|b\n# c"))
    snapshot = snapshots.freeze(project=project)
    text = snapshots.readme(snapshot, {"train": "train.jsonl"})
    _, head, body = text.split("---\n", 2)
    read = yaml.safe_load(head)
    assert read["configs"] == [{"config_name": "default", "data_files": [{"split": "train", "path": "train.jsonl"}]}]
    assert read["size_categories"] == ["n<1K"] and read["license"] == "other"
    assert snapshot.sha256 in body and "| a\\|b \\# c | 1 |" in body
    assert body.startswith("\n# Rice \\| wheat")


def test_two_snapshots_are_compared_by_settings_counts_and_rows(project):
    ranked(project, ranks=(1, 2, 2))
    one = snapshots.freeze(project=project)
    ranked(project)
    other = snapshots.freeze(project=project, spec=SnapshotSpec(seed=3))
    found = snapshots.compare(one, other)
    assert (found.in_both, found.only_in_one, found.only_in_other) == (1, 0, 1)
    assert found.settings == [("seed", 0, 3)]
    assert ("rankings", 1, 2) in found.counts
    dropped = snapshots.freeze(project=project, spec=SnapshotSpec(ties="drop"))
    assert (snapshots.compare(other, dropped).in_both, snapshots.compare(other, other).only_in_one) == (1, 0)


def test_a_row_that_stands_twice_is_counted_twice():
    assert overlap(np.array([1, 1, 2], np.uint64), np.array([1, 3, 3, 1, 1], np.uint64)) == (2, 1, 3)


def test_a_damaged_file_is_not_compared(project):
    ranked(project)
    one = snapshots.freeze(project=project)
    snapshots.path_of(one).write_text("{}\n")
    with pytest.raises(snapshots.SnapshotDamaged):
        snapshots.compare(one, one)


@pytest.mark.django_db(transaction=True)
def test_a_file_goes_with_the_last_row_that_has_its_content():
    project = make_project()
    ranked(project)
    one, other = snapshots.freeze(project=project), snapshots.freeze(project=project, purpose="testing")
    path = snapshots.path_of(one)
    snapshots.delete(one)
    assert path.exists()
    snapshots.delete(other)
    assert not path.exists() and not Snapshot.objects.exists()
    assert AuditEvent.objects.filter(action="snapshot.delete", subject=one.sha256).count() == 2


def test_what_a_reward_model_learned_from_is_not_deleted(project):
    model = make_reward_model(project, "taste")
    with pytest.raises(snapshots.SnapshotInUse, match="reward model “taste” would lose where it comes from"):
        snapshots.delete(model.snapshot)
    assert Snapshot.objects.filter(pk=model.snapshot_id).exists()
    assert not AuditEvent.objects.filter(action="snapshot.delete").exists()


@pytest.mark.parametrize(("state", "stays"), [("queued", True), ("running", True), ("failed", False)])
def test_nor_what_a_job_that_is_not_done_reads(project, state, stays):
    ranked(project)
    snapshot = snapshots.freeze(project=project)
    make_job(project, kind="reward", state=state, inputs={"snapshot": snapshot.pk})
    if stays:
        with pytest.raises(snapshots.SnapshotInUse, match="job"):
            snapshots.delete(snapshot)
    else:
        snapshots.delete(snapshot)
    assert Snapshot.objects.filter(pk=snapshot.pk).exists() == stays
