"""The files that came in, as a page lists them. How they come in by a page: tests/training/test_views_importing.py."""

import io
import json

import pytest
from django.urls import reverse

from annotate import imports
from annotate.models import Import
from tests.factories import make_import, make_member, make_project

pytestmark = pytest.mark.django_db
XSS = "<img src=x onerror=alert(1)>"
ROW = {"prompt": "Why?", "chosen": "Because.", "rejected": "No idea."}


@pytest.fixture
def project(client):
    project = make_project("help")
    client.force_login(make_member(project, "researcher"))
    return project


def jsonl(*rows):
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def test_refused_rows_are_listed_and_can_be_downloaded(client, project):
    content = jsonl(ROW) + b'{"prompt": \n' + jsonl({"chosen": XSS})
    options = {"filename": f"{XSS}.jsonl", "keep_good": True, "licence": "MIT"}
    imports.import_rankings(project=project, stream=io.BytesIO(content), **options)
    address = reverse("refused_rows", args=["help", Import.objects.get().pk])
    listed = client.get(reverse("imports", args=["help"])).content
    assert address.encode() in listed and b"MIT" in listed and XSS.encode() not in listed
    rows = [json.loads(line) for line in b"".join(client.get(address).streaming_content).splitlines()]
    assert [row["line"] for row in rows] == [2, 3] and json.loads(rows[1]["row"]) == {"chosen": XSS}


def test_a_file_that_broke_off_says_where_it_goes_on(client, project):
    make_import(project, finished_at=None, rows_done=2000)
    page = client.get(reverse("imports", args=["help"])).content.decode()
    assert "broken off" in page and "it goes on after row 2,000" in page


def test_before_the_first_file_the_list_says_what_to_do(client, project):
    assert b"No file came in yet" in client.get(reverse("imports", args=["help"])).content
