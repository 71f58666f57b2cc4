import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from celery import current_app
from django.db import connection
from django.utils.timezone import now

from annotate.models import AuditEvent, Snapshot
from rewards.models import RewardModel
from rewards.specs import InvalidSpec
from tests import factories
from tests.training.jobs import claim, launch_sample, make_devices, make_job, make_policy, refreshed, sampling_project
from training import lifecycle, reaper, workers
from training.models import Device, Job, Worker

pytestmark = pytest.mark.django_db


@contextmanager
def at_broker(url: str) -> Iterator[None]:
    before = current_app.conf.broker_url
    current_app.conf.broker_url = url
    try:
        yield
    finally:
        current_app.conf.broker_url = before


def snapshot(project, **fields) -> Snapshot:
    fields = {"sha256": "ab" * 32, "size_bytes": 1, "counts": {"prompts": 9, "comparisons": 9, "ties": 0}, **fields}
    return Snapshot.objects.create(project=project, **fields)


# launch


def test_a_launch_queues_every_setting_and_writes_who_did_it(django_capture_on_commit_callbacks) -> None:
    user = factories.make_user()
    project = sampling_project()
    inputs = {"policy": make_policy().pk}
    with django_capture_on_commit_callbacks(execute=True):
        job = lifecycle.launch(kind="sample", project=project, user=user, settings={"answers": 3}, inputs=inputs)
    assert (job.state, job.queue, job.devices_wanted, job.spec["answers"]) == ("queued", "jobs", 1, 3)
    assert job.spec["max_new_tokens"] == 256 and "policy" not in job.spec
    assert job.inputs["split"] == "train"
    assert AuditEvent.objects.get(action="job.launch").user == user
    assert refreshed(job).published_at is not None


def test_a_broker_that_is_down_breaks_no_launch(tmp_path, django_capture_on_commit_callbacks) -> None:
    with at_broker(f"redis+socket://{tmp_path}/nobody.sock"), django_capture_on_commit_callbacks(execute=True):
        job = launch_sample()
    assert (refreshed(job).state, refreshed(job).published_at) == ("queued", None)


def test_a_broker_that_accepts_and_never_answers_holds_no_page_up(django_capture_on_commit_callbacks) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute, at_broker(f"redis://127.0.0.1:{mute.getsockname()[1]}/0"):
        started = time.monotonic()
        with django_capture_on_commit_callbacks(execute=True):
            job = launch_sample()
    assert time.monotonic() - started < 8
    assert (refreshed(job).state, refreshed(job).published_at) == ("queued", None)


@pytest.mark.parametrize(
    ("kind", "inputs", "sentence"),
    [
        ("sample", {}, "Choose a policy"),
        ("sample", {"policy": 9999}, "There is no policy 9999"),
        ("sample", {"policy": "../etc"}, "is no id of a policy"),
        ("sample", {"policy": "tiny", "colour": 1}, "has no input 'colour'"),
        ("convert", {"source": "models/x", "name": "x"}, "absolute path"),
        ("convert", {"source": "/nowhere/at/all", "name": "x"}, "no model at /nowhere/at/all"),
        ("convert", {"source": "/" + "x" * 300, "name": "x"}, "cannot be read .File name too long"),
        ("convert", {"source": "/models/x", "name": "x" * 121}, "in at most 120 characters"),
        ("score", {"reward_model": None}, "Choose a reward model"),
        ("dance", {}, "no job of the kind 'dance'"),
    ],
)
def test_a_launch_that_cannot_work_is_refused_and_stores_nothing(kind, inputs, sentence) -> None:
    with pytest.raises(lifecycle.Refused, match=sentence):
        lifecycle.launch(kind=kind, project=factories.make_project(), user=None, settings={}, inputs=inputs)
    assert not Job.objects.exists() and not AuditEvent.objects.exists()


def test_a_setting_out_of_bounds_is_refused_by_its_name() -> None:
    with pytest.raises(InvalidSpec, match="answers must be at least 1"):
        launch_sample(answers=0)
    with pytest.raises(InvalidSpec, match="policy is a folder"):
        lifecycle.launch(kind="sample", project=sampling_project(), user=None, settings={"policy": "/etc"}, inputs={})
    assert not Job.objects.exists()


def test_a_project_without_prompts_is_told_so() -> None:
    with pytest.raises(lifecycle.Refused, match="no such prompts"):
        launch_sample(factories.make_project())


def test_prompts_of_another_project_are_refused() -> None:
    stranger = factories.make_prompt()
    with pytest.raises(lifecycle.Refused, match="Of the chosen prompts 1 cannot be found in"):
        launch_sample(prompts=[stranger.pk])


def reward(project, found: Snapshot) -> Job:
    inputs = {"snapshot": found.pk, "policy": make_policy().pk}
    return lifecycle.launch(kind="reward", project=project, user=None, settings={}, inputs=inputs)


def test_training_refuses_a_snapshot_for_testing() -> None:
    project = factories.make_project()
    with pytest.raises(lifecycle.Refused, match="frozen for testing"):
        reward(project, snapshot(project, purpose="testing"))


def test_training_refuses_an_evaluation_project() -> None:
    project = factories.make_project(purpose="evaluation")
    with pytest.raises(lifecycle.Refused, match="evaluation project"):
        reward(project, snapshot(project))


@pytest.mark.parametrize(("prompts", "ties"), [(1, 0), (2, 6)])
def test_training_refuses_too_few_preferences(prompts, ties) -> None:
    project = factories.make_project()
    with pytest.raises(lifecycle.Refused, match="Rank at least two"):
        reward(project, snapshot(project, counts={"prompts": prompts, "comparisons": 6, "ties": ties}))


def test_a_snapshot_of_another_project_does_not_exist_here() -> None:
    with pytest.raises(lifecycle.Refused, match="no snapshot"):
        reward(factories.make_project(), snapshot(factories.make_project()))


def test_only_an_installation_admin_adds_policies(tmp_path) -> None:
    inputs = {"source": str(tmp_path), "name": "mine"}
    with pytest.raises(lifecycle.Refused, match="installation admin"):
        lifecycle.launch(kind="convert", project=None, user=factories.make_user(), settings={}, inputs=inputs)


def test_a_score_box_needs_messages_and_answers() -> None:
    project = factories.make_project()
    model = RewardModel.objects.create(
        project=project, snapshot=snapshot(project), name="r", base_name="tiny", folder="x"
    )
    for row in ({}, {"prompt": [{"role": "assistant", "content": "a"}], "answers": ["b"]}, {"prompt": "?"}):
        with pytest.raises(lifecycle.Refused):
            lifecycle.launch(
                kind="score", project=project, user=None, settings={}, inputs={"reward_model": model.pk, "rows": [row]}
            )


# claim


def test_the_smallest_priority_comes_first_and_then_the_oldest() -> None:
    make_devices(3)
    late, first, urgent = make_job(priority=5), make_job(), make_job(priority=lifecycle.INTERACTIVE)
    assert [claim().pk for _ in range(3)] == [urgent.pk, first.pk, late.pk]


def test_a_claim_takes_the_devices_of_this_host_with_it() -> None:
    make_devices(2)
    make_devices(4, host="elsewhere")
    make_job(devices_wanted=2)
    job = claim()
    assert [str(device) for device in job.devices.all()] == [
        f"cpu 0 of {workers.this_host()}",
        f"cpu 1 of {workers.this_host()}",
    ]
    assert (job.attempt, job.state) == (1, "running")


def test_a_wide_job_waits_while_a_narrow_one_runs() -> None:
    make_devices(2)
    make_job(devices_wanted=3), make_job(devices_wanted=1)
    assert claim().devices_wanted == 1
    assert claim() is None


def test_light_work_wants_no_device() -> None:
    make_job(queue="light", devices_wanted=0)
    assert claim("jobs") is None
    assert claim("light") is not None


def test_a_worker_that_is_stopping_gets_nothing() -> None:
    make_devices(1)
    make_job()
    worker = workers.register("jobs", pid=1, now=now())
    workers.drain(worker)
    assert lifecycle.claim(worker=worker, queue="jobs", now=now()) is None


@pytest.mark.django_db(transaction=True)
def test_twelve_claims_at_once_share_three_devices_without_a_collision() -> None:
    make_devices(3)
    for _ in range(12):
        make_job()
    claimed: list[Job | None] = []
    gate = threading.Barrier(12)

    def go() -> None:
        gate.wait()
        claimed.append(claim())
        connection.close()

    threads = [threading.Thread(target=go) for _ in range(12)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    taken = [job.pk for job in claimed if job]
    assert len(claimed) == 12 and len(taken) == len(set(taken)) == 3
    assert sorted(Device.objects.values_list("job", flat=True)) == sorted(taken)
    assert Job.objects.filter(state="running").count() == 3


# a lease, and its end


def test_a_sign_of_life_moves_the_lease_and_brings_the_flags_back() -> None:
    make_devices(1)
    make_job()
    job = claim()
    lifecycle.request_cancel(job, None)
    later = now() + timedelta(hours=1)
    assert lifecycle.renew(job, later) == lifecycle.Flags(cancel=True, stop=False)
    assert refreshed(job).lease_until > later


def test_an_attempt_that_was_replaced_is_fenced() -> None:
    make_devices(1)
    make_job()
    old = claim()
    lapse(old)
    new = claim()
    assert (new.pk, new.attempt) == (old.pk, 2)
    for call in (lambda job: lifecycle.renew(job, now()), lifecycle.flags, lifecycle.request_stop, enter):
        with pytest.raises(lifecycle.Fenced):
            call(old)
    assert not refreshed(new).stop_requested
    enter(new)


def lapse(job: Job) -> None:
    """Its worker gave no sign of life for a lease, and the reaper comes by."""
    Job.objects.filter(pk=job.pk).update(lease_until=now() - timedelta(seconds=1))
    reaper.reap(now())


def enter(job: Job) -> None:
    with lifecycle.held(job):
        pass


def test_an_expired_lease_is_an_interruption_and_the_fourth_one_fails() -> None:
    make_devices(1)
    job = make_job()
    for interruptions in (1, 2, 3):
        lapse(claim())
        assert (refreshed(job).state, refreshed(job).interruptions) == ("queued", interruptions)
    lapse(claim())
    assert refreshed(job).state == "failed"
    assert refreshed(job).reason.startswith("Interrupted 4 times, given up.")


def test_a_living_lease_is_left_alone() -> None:
    make_devices(1)
    make_job()
    job = claim()
    reaper.reap(now())
    assert refreshed(job).state == "running"
    assert Device.objects.get().job == job


def test_a_job_that_was_to_be_cancelled_is_not_run_again_by_the_reaper() -> None:
    make_devices(1)
    make_job()
    job = claim()
    lifecycle.request_cancel(job, None)
    lapse(job)
    assert refreshed(job).state == "cancelled"


def test_the_reaper_forgets_workers_that_are_long_gone_and_the_devices_of_their_host() -> None:
    make_devices(2, host="gone")
    Worker.objects.update(seen_at=now() - timedelta(days=1))
    make_devices(1, host="alive")
    reaper.reap(now())
    assert [worker.host for worker in Worker.objects.all()] == ["alive"]
    assert [device.host for device in Device.objects.all()] == ["alive"]


def test_the_reaper_drops_the_checkpoints_of_a_job_that_succeeded_and_of_no_other() -> None:
    done, failed = make_job(state="succeeded", finished_at=now()), make_job(state="failed", finished_at=now())
    for job in (done, failed):
        (job.path / "checkpoints" / "step-2").mkdir(parents=True)
    reaper.reap(now())
    assert not (done.path / "checkpoints").exists() and (failed.path / "checkpoints").exists()


def test_one_reaper_at_a_time() -> None:
    outcome = []
    inside, done = threading.Event(), threading.Event()

    def hold() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [reaper.LOCK])
            inside.set()
            done.wait(10)
            cursor.execute("SELECT pg_advisory_unlock(%s)", [reaper.LOCK])
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    inside.wait(10)
    outcome.append(reaper.reap(now()))
    done.set()
    thread.join()
    outcome.append(reaper.reap(now()))
    assert outcome == [False, True]


def test_a_waiting_job_is_rung_for_again_once_a_device_is_free() -> None:
    job = make_job(published_at=None)
    reaper.reap(now())
    assert refreshed(job).published_at is None
    workers.register("jobs", pid=1, now=now())
    reaper.reap(now())
    assert refreshed(job).published_at is not None


# what people ask for


def test_a_waiting_job_is_cancelled_at_once_and_a_running_one_is_asked() -> None:
    make_devices(1)
    first, second = make_job(), make_job()
    claim()
    lifecycle.request_cancel(first, None)
    lifecycle.request_cancel(second, None)
    assert (refreshed(first).state, refreshed(first).cancel_requested) == ("running", True)
    assert refreshed(second).state == "cancelled"


def test_a_stopping_worker_gives_its_job_back_without_an_interruption() -> None:
    make_devices(1)
    make_job()
    worker = workers.register("jobs", pid=1, now=now())
    job = lifecycle.claim(worker=worker, queue="jobs", now=now())
    workers.drain(worker)
    assert lifecycle.flags(job).stop
    with lifecycle.held(job) as locked:
        lifecycle.give_back(locked, now())
    row = refreshed(job)
    assert (row.state, row.interruptions, row.stop_requested, row.worker) == ("queued", 0, False, None)
    assert Device.objects.filter(job=None).count() == 1


def test_a_retry_goes_on_with_the_same_job_or_starts_a_new_one() -> None:
    make_devices(1)
    launch_sample(answers=3)
    job = claim()
    with lifecycle.held(job) as locked:
        lifecycle.fail(locked, "The disk is full.", now())
    anew = lifecycle.retry(job, None, from_checkpoint=False)
    assert anew.pk != job.pk and anew.spec == job.spec and anew.inputs == job.inputs
    again = lifecycle.retry(job, None, from_checkpoint=True)
    assert (again.pk, again.state, again.reason, again.attempt) == (job.pk, "queued", "", 1)
    with pytest.raises(lifecycle.Refused, match="only a failed or cancelled job"):
        lifecycle.retry(job, None, from_checkpoint=True)
