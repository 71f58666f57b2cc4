"""A snapshot and the jobs that read it hold each other."""

import threading

import pytest
from django.db import connection, transaction

from annotate import snapshots
from annotate.models import Snapshot
from tests import factories
from tests.training.jobs import make_policy
from training import lifecycle
from training.models import Job

pytestmark = pytest.mark.django_db


def snapshot(project) -> Snapshot:
    counts = {"prompts": 9, "comparisons": 9, "ties": 0}
    return Snapshot.objects.create(project=project, sha256="ab" * 32, size_bytes=1, counts=counts)


@pytest.mark.parametrize("from_checkpoint", [True, False])
def test_a_job_whose_snapshot_was_deleted_is_not_tried_again(from_checkpoint) -> None:
    project = factories.make_project()
    frozen = snapshot(project)
    inputs = {"snapshot": frozen.pk, "policy": make_policy().pk}
    job = lifecycle.launch(kind="reward", project=project, user=None, settings={}, inputs=inputs)
    Job.objects.update(state="cancelled")
    snapshots.delete(frozen)
    with pytest.raises(lifecycle.Refused, match="snapshot that this job reads was deleted"):
        lifecycle.retry(job, None, from_checkpoint=from_checkpoint)
    assert [job.state for job in Job.objects.all()] == ["cancelled"]


@pytest.mark.django_db(transaction=True)
def test_a_snapshot_is_not_deleted_while_a_job_on_it_is_queued() -> None:
    project = factories.make_project()
    frozen = snapshot(project)
    inputs = {"snapshot": frozen.pk, "policy": make_policy().pk}
    refused = []

    def delete() -> None:
        try:
            snapshots.delete(frozen)
        except snapshots.SnapshotInUse as problem:
            refused.append(problem)
        finally:
            connection.close()

    with transaction.atomic():
        lifecycle.launch(kind="reward", project=project, user=None, settings={}, inputs=inputs)
        deleting = threading.Thread(target=delete)
        deleting.start()
        deleting.join(0.5)
        assert deleting.is_alive(), "it waits for the launch"
    deleting.join(10)
    assert refused and Snapshot.objects.filter(pk=frozen.pk).exists()
