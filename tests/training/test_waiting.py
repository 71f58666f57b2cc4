"""What the pages say of a job that is not done: when it starts, whether it lives, when it is done."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils.timezone import now

from tests import factories
from tests.training import learned
from tests.training.jobs import claim, make_devices, make_job
from training import lifecycle, waiting, workers
from training.models import Job

pytestmark = pytest.mark.django_db


def test_a_job_page_says_its_place_and_why_it_waits() -> None:
    first, second = make_job(), make_job()
    assert (lifecycle.place_in_queue(first), lifecycle.place_in_queue(second)) == (1, 2)
    assert "No worker takes jobs" in lifecycle.why_waiting(first)
    workers.register("jobs", pid=1, now=now())
    assert lifecycle.why_waiting(first) == "It starts within seconds."
    assert lifecycle.why_waiting(second) == "1 job is ahead of it."
    wide = make_job(devices_wanted=9)
    assert "no host with a worker has more than 1" in lifecycle.why_waiting(wide)


def test_time_left_follows_the_speed_of_this_attempt_and_tells_who_waits() -> None:
    workers.register("jobs", pid=1, now=now())
    make_job()
    waits = make_job()
    job = claim()
    assert lifecycle.time_left(job) is None
    assert "has not yet said for how long" in lifecycle.why_waiting(waits)
    since = {"attempt": 1, "step": 10, "time": 1000.0}
    job.progress = {"step": 20, "total": 50, "time": 1040.0, "since": since}
    job.save()
    assert lifecycle.time_left(job) == timedelta(seconds=120)  # 10 steps took 40 s, 30 are left
    assert lifecycle.why_waiting(waits) == f"The device is busy with job {job.pk} for about 2 min more."


def test_after_the_last_step_no_time_is_left_and_what_is_done_still_is_said() -> None:
    workers.register("jobs", pid=1, now=now())
    make_job()
    waits = make_job()
    job = claim()
    since = {"attempt": 1, "step": 10, "time": 1000.0}
    job.progress = {"step": 50, "total": 50, "time": 1040.0, "since": since}
    job.progress["phase"] = {"attempt": 1, "text": "Saving the model"}
    job.save()
    assert lifecycle.time_left(job) is None and waiting.phase(job) == "Saving the model"
    assert lifecycle.why_waiting(waits) == f"The device is busy with job {job.pk}: saving the model."
    job.attempt = 2
    assert waiting.phase(job) == ""


@pytest.fixture
def project():
    return factories.make_project("bread", name="Bread")


@pytest.fixture
def client(project):
    client = Client()
    researcher = factories.make_member(project, "researcher")
    client.force_login(researcher, backend="django.contrib.auth.backends.ModelBackend")
    return client


def text_of(response):
    return response.content.decode()


@pytest.fixture
def silent(project):
    """A job whose worker died 50 seconds ago, in the words of its last report soon done."""
    at = now() + timedelta(seconds=10)  # of a lease of 60 s, renewed every 15
    progress = {"step": 126, "total": 200, "time": 1126.0, "since": {"attempt": 1, "step": 1, "time": 1001.0}}
    progress["metrics"] = {"tokens_per_second": 1311.2}
    return learned.make_job(project, kind="reward", state="running", lease_until=at, progress=progress)


def test_a_job_without_a_sign_of_life_says_for_how_long_and_promises_no_time(client, silent):
    text = text_of(client.get(f"/jobs/{silent.pk}"))
    assert re.search(r"No sign of life for 5\d s", text) and "Running" not in text
    assert re.search(r"It is taken up again in about (20|1\d) s\.", text)
    assert " left" not in text and "tokens/s" not in text
    text = text_of(client.get("/jobs/"))
    assert re.search(r"No sign of life for 5\d s", text) and re.search(r"in about (20|1\d) s", text)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"lease_until": now() - timedelta(hours=1)}, "It is taken up again as soon as a worker is up."),
        ({"cancel_requested": True}, "It counts as cancelled in about"),
        ({"interruptions": 3}, "It was interrupted too often to be taken up again"),
    ],
)
def test_what_becomes_of_a_silent_job_is_said_as_it_will_be(client, silent, change, sentence):
    Job.objects.filter(pk=silent.pk).update(**change)
    assert sentence in text_of(client.get(f"/jobs/{silent.pk}"))


def test_a_job_one_heartbeat_late_is_still_said_to_run(client, project):
    job = learned.make_job(project, state="running", lease_until=now() + timedelta(seconds=60 - 20))
    assert "No sign of life" not in text_of(client.get(f"/jobs/{job.pk}"))


def test_a_claim_forgets_what_an_earlier_attempt_said() -> None:
    make_devices(1)
    make_job(progress={"step": 3, "total": 9, "metrics": {"tokens_per_second": 9.0}}, progress_at=now())
    job = claim()
    assert (job.progress, job.progress_at) == ({}, None)
