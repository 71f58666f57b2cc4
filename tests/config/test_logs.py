"""What stands in web.log, as the console's handler writes it."""

import io
import logging

import pytest
from django.test import Client

from tests.factories import make_member, make_project


@pytest.fixture
def log(monkeypatch) -> io.StringIO:
    (console,) = [handler for handler in logging.getLogger().handlers if handler.name == "console"]
    written = io.StringIO()
    monkeypatch.setattr(console, "stream", written)
    return written


@pytest.mark.django_db
def test_a_refusal_is_one_line_with_path_person_and_reason(client, log):
    project = make_project("p", name="Two\nlines")
    labeler = make_member(project, "labeler")
    client.force_login(labeler)
    log.truncate(log.seek(0))
    assert client.get("/projects/p/members").status_code == 403
    (line,) = log.getvalue().splitlines()
    assert f"403: GET /projects/p/members, user {labeler.pk}: You are a labeler in Two\\nlines." in line


def test_a_host_that_is_not_ours_is_one_line_too(log):
    assert Client(raise_request_exception=False).get("/livez", headers={"host": "evil.example"}).status_code == 400
    (line,) = log.getvalue().splitlines()
    assert "400: GET /livez, user None: Invalid HTTP_HOST header: 'evil.example'" in line


@pytest.mark.django_db
def test_a_fault_of_ours_keeps_its_traceback(log, monkeypatch):
    monkeypatch.setattr("config.health.HttpResponse", None)
    assert Client(raise_request_exception=False).get("/livez").status_code == 500
    assert "Traceback" in log.getvalue()
