"""Real Celery workers on a real broker."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from annotate.models import Answer
from tests.training.jobs import (
    LONG,
    environment,
    flush_broker,
    launch_long_sample,
    launch_sample,
    real_worker,
    refreshed,
    wait_until,
)
from training.doorbell import ring
from training.models import Device, Job, Worker
from training.tasks import run_next

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def empty_broker() -> None:
    flush_broker()


def state(job: Job, wanted: str):
    return lambda: refreshed(job).state == wanted


def test_a_launched_job_is_run_by_a_worker_that_never_loads_torch() -> None:
    with real_worker() as worker:
        job = launch_sample()
        wait_until(state(job, "succeeded"), what="success")
        assert (refreshed(job).attempt, refreshed(job).interruptions) == (1, 0)
        assert refreshed(job).worker.pid == worker.process.pid
        assert Device.objects.filter(job=None).count() == 1
        for pid in [worker.process.pid, *worker.children()]:
            assert "torch" not in Path(f"/proc/{pid}/maps").read_text()
    assert not Worker.objects.exists()


@pytest.mark.slow
def test_rings_too_many_run_a_job_once() -> None:
    with real_worker(), real_worker():
        job = launch_sample()
        for _ in range(7):
            assert ring("jobs")
        wait_until(state(job, "succeeded"), what="success")
        wait_until(lambda: not Device.objects.exclude(job=None).exists())
    assert (refreshed(job).attempt, Answer.objects.count()) == (1, 6)


def test_a_broker_that_forgot_everything_loses_no_job() -> None:
    job = launch_sample()
    flush_broker()
    assert refreshed(job).published_at is not None
    with real_worker():
        wait_until(state(job, "succeeded"), what="success")
    assert refreshed(job).attempt == 1


def test_a_worker_that_starts_looks_for_work_by_itself_and_has_its_devices_by_then() -> None:
    job = launch_sample()
    flush_broker()
    with real_worker(JOB_RING_AGAIN_SECONDS="600") as worker:
        wait_until(state(job, "succeeded"), what="success")
        assert refreshed(job).worker.pid == worker.process.pid


def test_a_ring_that_comes_before_the_worker_is_written_down_writes_it_down() -> None:
    run_next("jobs")
    assert Worker.objects.get(queue="jobs").pid == os.getpid()
    assert Device.objects.exists()


@pytest.mark.slow
def test_a_worker_that_is_asked_to_stop_hands_its_job_on() -> None:
    with real_worker(JOB_LEASE_SECONDS="20") as worker:
        job = launch_long_sample()
        wait_until(lambda: Answer.objects.exists(), what="a first answer")
        worker.process.send_signal(signal.SIGTERM)
        assert worker.process.wait(30) == 0
    row = refreshed(job)
    assert (row.state, row.interruptions, row.worker) == ("queued", 0, None)
    kept = Answer.objects.count()
    assert 0 < kept < LONG
    with real_worker(JOB_LEASE_SECONDS="20"):
        wait_until(state(job, "succeeded"), seconds=150, what="success")
    row = refreshed(job)
    assert (row.attempt, row.interruptions, Answer.objects.count()) == (2, 0, LONG)


LOAD = """
import django, sys
django.setup()
from django.test import Client
from django.urls import get_resolver
{start}
list(get_resolver().url_patterns)
assert Client().get("/livez", headers={{"host": "localhost"}}).status_code == 200
print(sorted(set(sys.modules) & {{"torch", "transformers", "safetensors"}}))
"""


@pytest.mark.parametrize(
    "start", ["import config.wsgi", "from config import celery_app; celery_app.loader.import_default_modules()"]
)
def test_web_and_celery_start_without_torch(start) -> None:
    command = [sys.executable, "-c", LOAD.format(start=start)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
