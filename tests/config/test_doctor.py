"""The doctor, on the test run's own home: real files are opened up, real ports taken."""

import io
import json
import socket
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import OperationalError, connection

from config import address, checkup, doctor, embedded
from training.models import Policy


class Lively(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()


def test_the_running_python_and_the_pinned_packages_are_well():
    assert checkup.python().startswith("3.")
    assert checkup.packages().endswith("as pinned")


def test_a_key_that_others_can_read_is_a_failure_with_the_remedy():
    embedded.secret_key()
    key = settings.HOME / "keys/secret_key"
    key.chmod(0o644)
    try:
        with pytest.raises(checkup.Ill) as caught:
            doctor.keys()
    finally:
        key.chmod(0o600)
    assert caught.value.remedy.startswith(f"Run: chmod 600 {key}")
    assert doctor.keys()


def test_a_home_that_others_can_enter_is_a_warning():
    settings.HOME.chmod(0o755)
    try:
        with pytest.raises(checkup.Poor, match="755"):
            doctor.home()
    finally:
        settings.HOME.chmod(0o700)
    assert doctor.home() == str(settings.HOME)


def test_a_taken_port_is_a_warning(monkeypatch):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        monkeypatch.setenv("PORT", str(other.getsockname()[1]))
        with pytest.raises(checkup.Poor, match="none runs, and .* cannot be had"):
            doctor.server()
    assert doctor.server().endswith("is free for one")


def test_a_running_server_is_named_by_its_address_whatever_this_shell_has_as_port(monkeypatch):
    monkeypatch.setenv("PORT", "1")
    with HTTPServer(("127.0.0.1", 0), Lively) as server:
        Thread(target=server.handle_request, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        with address.alone(url):
            assert doctor.server() == f"runs at {url}"


def test_a_server_that_runs_and_does_not_answer_is_a_warning():
    with address.alone("http://127.0.0.1:1"), pytest.raises(checkup.Poor, match="127.0.0.1:1, but does not answer"):
        doctor.server()


def test_a_port_that_is_none_is_a_failure_with_the_remedy(monkeypatch):
    monkeypatch.setenv("PORT", "abc")
    with pytest.raises(checkup.Ill, match="PORT='abc': write a number") as caught:
        doctor.server()
    assert caught.value.remedy == "Set PORT, or unset it for 8000."


@pytest.mark.parametrize(
    ("ailing", "said"),
    [
        ("ALTER TABLE training_worker RENAME TO elsewhere", "tables or columns are missing."),
        ("ALTER TABLE training_worker RENAME seen_at TO elsewhere", "tables or columns are missing."),
        (
            "ALTER TABLE training_worker ALTER seen_at TYPE text",
            "operator does not exist: text > timestamp with time zone",
        ),
    ],
)
@pytest.mark.django_db
def test_what_is_missing_is_told_apart_from_what_else_the_database_objects_to(ailing, said):
    with connection.cursor() as cursor:
        cursor.execute(ailing)
    (finding,) = checkup.examine({"workers": doctor.workers})
    assert (finding.state, finding.detail) == ("fail", f"The database cannot be asked: {said}")


def test_an_error_without_text_is_named_by_its_class():
    assert checkup.first_line(OperationalError("\n")) == "OperationalError"
    assert checkup.first_line(OperationalError(" it is full\nHINT: clean")) == "it is full"


@pytest.mark.django_db
def test_a_policy_without_its_folder_is_a_failure():
    assert doctor.models() == "0 whole"
    Policy.objects.create(name="lost", folder="jobs/0/output/model")
    with pytest.raises(checkup.Ill, match="lost: There is no model folder"):
        doctor.models()


@pytest.mark.django_db
def test_missing_workers_are_a_warning_that_says_how_to_start_them():
    with pytest.raises(checkup.Poor, match="jobs and light") as caught:
        doctor.workers()
    assert "celery -A config worker" in caught.value.remedy


@pytest.mark.django_db
def test_the_report_for_programs_has_every_check_and_ends_with_1_only_on_a_failure():
    answer = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("doctor", "--json", stdout=answer)
    report = json.loads(answer.getvalue())
    states = {check["name"]: check["state"] for check in report["checks"]}
    assert list(states) == list(doctor.CHECKS)
    assert states["torch"] == states["database"] == states["broker"] == states["migrations"] == "ok"
    assert report["ok"] == ("fail" not in states.values()) == (ended.value.code == 0)
    assert all(check["remedy"] for check in report["checks"] if check["state"] != "ok")
