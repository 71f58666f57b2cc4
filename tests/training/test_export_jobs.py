"""Snapshots that a job writes as files."""

import hashlib
import threading
import time

import pytest

from annotate import exports, snapshots
from annotate.models import AuditEvent
from tests import factories
from tests.training.jobs import SHORT, claim, make_snapshot, real_worker, refreshed, wait_until
from training import lifecycle, reaper, supervisor
from training.folders import verify
from training.models import Artefact

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def short_leases(settings):
    for name, value in SHORT.items():
        setattr(settings, name, int(value))


@pytest.fixture
def project():
    return factories.make_project("bread")


def launch(project, rows=40, **spec):
    counts = {"rankings": rows, "prompts": rows, "comparisons": rows, "ties": 0}
    snapshot = make_snapshot(project, rows, counts=counts)
    user = factories.make_member(project, "researcher")
    settings = {"format": "preference", **spec}
    return lifecycle.launch(
        kind="export", project=project, user=user, settings=settings, inputs={"snapshot": snapshot.pk}
    ), snapshot


def drafts(job):
    return [path for path in job.path.rglob("*") if "output" in path.parts[-2]]


def test_a_light_worker_writes_the_file_that_a_download_would_be(project):
    with real_worker("light"):
        job, snapshot = launch(project)
        wait_until(lambda: refreshed(job).is_finished, what="an end")
    job = refreshed(job)
    assert (job.state, job.reason, job.devices_wanted) == ("succeeded", "", 0)
    artefact = job.artefacts.get()
    content = (job.path / artefact.path).read_bytes()
    assert content == b"".join(exports.export(snapshot, "preference"))
    assert artefact.path == f"output/bread-{snapshot.short_hash}.preference.jsonl"
    assert (artefact.sha256, artefact.size_bytes) == (hashlib.sha256(content).hexdigest(), len(content))
    assert (job.progress["step"], job.progress["total"]) == (40, 40)
    verify(job.path / "output")
    made = AuditEvent.objects.filter(action="export", user=job.created_by, subject=snapshot.sha256)
    assert made.count() == 1


@pytest.mark.parametrize("container", ["parquet", "zip", "csv"])
def test_every_kind_of_file_can_be_made(project, container):
    factories.make_ranking(factories.make_task(project))
    snapshot = snapshots.freeze(project=project, user=None)
    job = lifecycle.launch(
        kind="export",
        project=project,
        user=None,
        settings={"format": "preference", "container": container},
        inputs={"snapshot": snapshot.pk},
    )
    supervisor.run(claim("light"))
    assert refreshed(job).state == "succeeded"
    assert job.artefacts.get().path.endswith(f"{snapshot.short_hash}.preference.{container}")


def after_rows(rows, act):
    """What hears of each step, and acts once so many rows are written."""

    def tell(text):
        if text.split("/")[0] == str(rows):
            act()

    return tell


def test_cancelled_in_the_middle_it_leaves_nothing_and_a_retry_makes_the_file(project):
    job, _ = launch(project, rows=3000)
    attempt = claim("light")

    def cancel():
        assert drafts(job)
        lifecycle.request_cancel(job, None)
        time.sleep(2.5)  # the heartbeat looks every second

    supervisor.run(attempt, tell=after_rows(1000, cancel))
    job = refreshed(job)
    assert (job.state, job.reason) == ("cancelled", "Cancelled on request. Nothing of it stays.")
    assert drafts(job) == [] and not Artefact.objects.exists()
    again = lifecycle.retry(job, None, from_checkpoint=False)
    supervisor.run(claim("light"))
    assert refreshed(again).state == "succeeded"


def test_whoever_runs_it_in_the_foreground_may_stop_it_and_it_waits_again(project):
    job, _ = launch(project, rows=3000)
    stop = threading.Event()
    supervisor.run(claim("light"), tell=after_rows(1000, stop.set), stop=stop)
    job = refreshed(job)
    assert (job.state, job.interruptions, drafts(job)) == ("queued", 0, [])
    supervisor.run(claim("light"))
    assert (refreshed(job).state, refreshed(job).attempt) == ("succeeded", 2)


def test_an_attempt_that_lost_its_job_publishes_nothing(project):
    job, _ = launch(project, rows=3000)
    first = claim("light")

    def give_to_another():
        lifecycle.interrupt(refreshed(job), "lost", job.created_at)
        claim("light")

    supervisor.run(first, tell=after_rows(1000, give_to_another))
    assert (refreshed(job).state, refreshed(job).attempt) == ("running", 2)
    assert drafts(job) == [] and not Artefact.objects.exists()


def test_a_snapshot_that_is_damaged_by_now_fails_the_job_in_words(project):
    job, snapshot = launch(project)
    path = snapshots.path_of(snapshot)
    path.write_bytes(path.read_bytes() + b"x")
    supervisor.run(claim("light"))
    job = refreshed(job)
    assert job.state == "failed" and str(snapshot) in job.reason and drafts(job) == []


def test_the_reaper_removes_the_draft_of_a_worker_that_was_killed(project):
    job, _ = launch(project)
    job = claim("light")
    draft = job.path / "attempt-1" / "output.partial"
    draft.mkdir(parents=True)
    with lifecycle.held(job) as locked:
        lifecycle.cancelled(locked, job.started_at)
    reaper.reap(job.started_at)
    assert not draft.exists()


def test_a_format_that_the_snapshot_does_not_fit_is_refused(project):
    with pytest.raises(lifecycle.Refused, match=r"cannot be written as 'demonstration': take one of ranking, "):
        launch(project, format="demonstration")
