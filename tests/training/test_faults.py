"""Things that break while a job runs. Real processes, real signals; slow."""

import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest
from django.db import connection
from django.utils.timezone import now

from annotate.models import Answer
from config import embedded, postgres
from tests import factories
from tests.training.jobs import (
    LONG,
    SHORT,
    claim,
    flush_broker,
    launch_long_sample,
    launch_reward,
    make_devices,
    make_snapshot,
    real_worker,
    refreshed,
    wait_until,
)
from training import reaper, supervisor
from training.folders import JobFolder, sha256
from training.models import Job, Metric

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def quick(settings) -> None:
    flush_broker()
    for name, value in SHORT.items():
        setattr(settings, name, int(value))


def weights(job: Job) -> str:
    return sha256(JobFolder(job.path).output / "model" / "model.safetensors")


def events(job: Job) -> list[dict]:
    """What the runner of the latest attempt has said by now."""
    path = JobFolder(job.path).attempt(refreshed(job).attempt) / "events.jsonl"
    return (
        [json.loads(line) for line in path.read_text().splitlines(True) if line.endswith("\n")] if path.exists() else []
    )


def share(job: Job) -> float:
    return max((event["step"] / event["total"] for event in events(job) if "step" in event), default=0.0)


def runner_pid(job: Job) -> int:
    attempt = refreshed(job).attempt
    return int((JobFolder(job.path).attempt(attempt) / "runner.pid").read_text())


def kill(*pids: int) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_killed_three_times_a_fit_ends_with_the_bits_of_an_undisturbed_one() -> None:
    """Worker, its pool and the runner, kill -9, early, in the middle and late; and each time it resumes by itself."""
    project = factories.make_project()
    snapshot = make_snapshot(project, prompts=100)
    settings_of_fit = {"epochs": 12, "evaluate_every": 7}
    job = launch_reward(project, snapshot, "disturbed", **settings_of_fit)
    for part in (0.1, 0.4, 0.7):
        with real_worker() as worker:
            wait_until(lambda at=part: share(job) >= at, seconds=60, what=f"{part:.0%} of the fit")
            assert refreshed(job).state == "running"
            victims = [runner_pid(job), *worker.children(), worker.process.pid]
            kill(*victims)
            wait_until(lambda pids=victims: all(map(gone, pids)), what="their end")
    with real_worker():
        wait_until(lambda: refreshed(job).is_finished, seconds=90, what="the end of the fit")
    assert (refreshed(job).state, refreshed(job).interruptions, refreshed(job).attempt) == ("succeeded", 3, 4)
    assert any(event.get("message", "").startswith("Going on after step") for event in events(job))

    make_devices(1)
    straight = launch_reward(project, snapshot, "undisturbed", **settings_of_fit)
    supervisor.run(claim(only=straight.pk))
    assert refreshed(straight).state == "succeeded"
    assert weights(job) == weights(straight)
    curves = [
        list(Metric.objects.filter(job=one, name="loss").order_by("step").values_list("step", "value"))
        for one in (job, straight)
    ]
    assert curves[0] == curves[1] and len(curves[0]) == refreshed(job).progress["total"]
    assert job.fittings.get().reward_model.accuracy == straight.fittings.get().reward_model.accuracy


def test_a_runner_ends_by_itself_when_its_supervisor_is_killed() -> None:
    with real_worker() as worker:
        job = launch_long_sample()
        wait_until(lambda: Answer.objects.exists(), what="a first answer")
        pid = runner_pid(job)
        kill(*worker.children(), worker.process.pid)
        wait_until(lambda: gone(pid), what="the end of the runner")
    with real_worker():
        wait_until(lambda: refreshed(job).state == "succeeded", seconds=150, what="success")
    assert (refreshed(job).interruptions, Answer.objects.count()) == (1, LONG)


@pytest.mark.skipif("DATABASE_URL" in os.environ, reason="the database is not ours to restart")
def test_a_restart_of_postgres_interrupts_nothing() -> None:
    with real_worker(JOB_LEASE_SECONDS="20") as worker:
        job = launch_long_sample()
        wait_until(lambda: Answer.objects.exists(), what="a first answer")
        connection.close()
        postgres.stop(postgres.place(embedded.home()))
        time.sleep(2)
        embedded.ensure(postgres_settings={"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"})
        wait_until(lambda: refreshed(job).state == "succeeded", seconds=150, what="success")
        assert worker.process.poll() is None
    assert (refreshed(job).attempt, refreshed(job).interruptions, Answer.objects.count()) == (1, 0, LONG)


def test_a_frozen_supervisor_finds_itself_fenced_and_writes_nothing() -> None:
    with real_worker() as frozen:
        job = launch_long_sample()
        wait_until(lambda: Answer.objects.exists(), what="a first answer")
        first, pids = runner_pid(job), [*frozen.children(), frozen.process.pid]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        wait_until(lambda: reaper.reap(now()) and refreshed(job).state == "queued", what="the end of the lease")
        try:
            other = threading.Thread(target=run_here, args=(job,))
            other.start()
            wait_until(lambda: refreshed(job).attempt == 2 and gone(first), what="the second attempt alone")
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
        wait_until(lambda: b"Nothing more is written" in frozen.log.read_bytes(), what="the fence")
        other.join(150)
    assert (refreshed(job).state, refreshed(job).attempt, Answer.objects.count()) == ("succeeded", 2, LONG)


def run_here(job: Job) -> None:
    claimed = wait_until(lambda: claim(only=job.pk), what="a free device")
    supervisor.run(claimed)
    connection.close()
