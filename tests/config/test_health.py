"""What /livez and /readyz say, and that they say it to anyone."""

from collections import namedtuple
from datetime import timedelta

import pytest
from django.db import connection, connections
from django.utils.timezone import now

from config import health
from config.celery import app
from training.models import Worker

pytestmark = pytest.mark.django_db


@pytest.fixture
def workers():
    return [Worker.objects.create(host="here", queue=queue, pid=pid) for pid, queue in enumerate(["jobs", "light"], 1)]


def checks(client):
    return client.get("/readyz").json()["checks"]


def test_a_living_server_says_so_and_asks_nothing(client, django_assert_num_queries):
    with django_assert_num_queries(0):
        response = client.get("/livez")
    assert (response.status_code, response.content) == (200, b"ok")


def test_all_well_is_ready(client, workers):
    response = client.get("/readyz")
    assert response.status_code == 200
    assert response.json() == {
        "status": "ready",
        "checks": dict.fromkeys(["database", "migrations", "broker", "workers", "disk"], "ok"),
    }


def test_a_silent_worker_degrades_and_is_named(client, workers):
    Worker.objects.filter(queue="light").update(seen_at=now() - timedelta(minutes=2))
    response = client.get("/readyz")
    assert (response.status_code, response.json()["status"]) == (200, "degraded")
    assert "queue light" in response.json()["checks"]["workers"]


def test_a_broker_that_does_not_answer_degrades(client, workers, monkeypatch, tmp_path):
    monkeypatch.setattr(app.conf, "broker_url", f"redis+socket://{tmp_path}/nobody.sock")
    response = client.get("/readyz")
    assert (response.status_code, response.json()["status"]) == (200, "degraded")
    assert "nothing is lost" in response.json()["checks"]["broker"]


def test_a_full_disk_degrades(client, workers, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(health.shutil, "disk_usage", lambda path: usage(2, 2, 0))
    assert "Make room" in checks(client)["disk"]


def test_a_migration_still_to_run_is_not_ready(client, workers):
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'training'")
    response = client.get("/readyz")
    assert (response.status_code, response.json()["status"]) == (503, "not ready")
    assert "migrate" in response.json()["checks"]["migrations"]


def test_a_database_that_does_not_answer_is_not_ready(client, workers, monkeypatch, tmp_path):
    nowhere = connections.create_connection("default")
    nowhere.settings_dict = {**nowhere.settings_dict, "HOST": str(tmp_path), "OPTIONS": {}}
    monkeypatch.setattr(health, "connection", nowhere)
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["checks"]["database"] == "The database does not answer. See its log."


def test_probes_are_read_only(client):
    assert client.post("/livez").status_code == 405
    assert client.post("/readyz").status_code == 405
