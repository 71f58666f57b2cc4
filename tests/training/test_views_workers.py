from datetime import timedelta

import pytest
from django.utils.timezone import now

from tests import factories
from tests.training.learned import make_job
from tests.training.pages import client_of, text_of
from training.models import Device, Job, Worker

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return factories.make_project("bread", name="Bread")


@pytest.fixture
def client(project):
    return client_of(factories.make_member(project, "researcher"))


def test_workers_are_an_installation_admins(client, project):
    assert client.get("/workers/").status_code == 403
    job = make_job(project, state="running")
    waiting = make_job(project)
    busy = Worker.objects.create(host="kestrel", queue="jobs", pid=11)
    Worker.objects.create(host="heron", queue="light", pid=12, draining=True)
    Worker.objects.create(host="crow", queue="jobs", pid=13, seen_at=now() - timedelta(hours=3))
    Job.objects.filter(pk=job.pk).update(worker=busy)
    Device.objects.create(host="kestrel", index=0, job=job)
    text = text_of(client_of(factories.make_user(admin=True)).get("/workers/"))
    for words in ("At work", "Draining", "Gone", f"#{job.pk}", f"#{waiting.pk}", f"busy with job {job.pk}"):
        assert words in text


def test_without_a_worker_the_page_says_how_to_start_one(project):
    assert "No worker is up." in text_of(client_of(factories.make_user(admin=True)).get("/workers/"))
