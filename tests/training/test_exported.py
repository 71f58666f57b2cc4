"""Files of export jobs: pages, links, and downloads that go on."""

import hashlib
from datetime import timedelta

import pytest
from django.test import Client
from django.utils.timezone import now

from annotate import exports, snapshots
from annotate.models import AuditEvent, Snapshot
from tests import factories
from tests.training.learned import make_job
from tests.training.pages import client_of, text_of
from training import exported, lifecycle
from training.models import Artefact, Job
from training.upkeep import Upkeep

pytestmark = pytest.mark.django_db
CONTENT = bytes(range(256)) * 3000  # more than is read at once
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def project():
    return factories.make_project("bread", name="Bread")


@pytest.fixture
def researcher(project):
    return factories.make_member(project, "researcher")


@pytest.fixture
def client(researcher):
    return client_of(researcher)


@pytest.fixture
def snapshot(project):
    factories.make_ranking(factories.make_task(project))
    return snapshots.freeze(project=project, user=None)


@pytest.fixture
def job(snapshot, researcher):
    job = make_job(
        snapshot.project, kind="export", state="succeeded", queue="light", created_by=researcher,
        spec={"format": "preference", "container": "jsonl"}, inputs={"snapshot": snapshot.pk},
    )  # fmt: skip
    (job.path / "output").mkdir(parents=True)
    (job.path / "output/bread-1.preference.jsonl").write_bytes(CONTENT)
    path = "output/bread-1.preference.jsonl"
    Artefact.objects.create(job=job, path=path, sha256=SHA256, size_bytes=len(CONTENT))
    return job


@pytest.fixture
def link(job, researcher):
    return address(exported.secret_for(job.artefacts.get(), researcher))


def address(secret):
    return f"/exports/{secret}/bread-1.preference.jsonl"


def fetched(link, **headers):
    """By somebody without a session."""
    return Client().get(link, headers={name.replace("_", "-"): value for name, value in headers.items()})


def body(response):
    return b"".join(response.streaming_content)


def test_whoever_has_the_link_gets_the_file_without_signing_in(link):
    response = fetched(link)
    assert (response.status_code, body(response)) == (200, CONTENT)
    assert response["Content-Length"] == str(len(CONTENT)) and response["Accept-Ranges"] == "bytes"
    assert response["ETag"] == f'"{SHA256}"'
    assert response["Content-Type"] == exports.TYPES["jsonl"]
    assert response["Content-Disposition"] == 'attachment; filename="bread-1.preference.jsonl"'


def test_a_download_that_broke_off_goes_on_to_the_same_bytes(link):
    first = fetched(link, Range="bytes=0-299999")
    rest = fetched(link, Range="bytes=300000-", If_Range=first["ETag"])
    assert (first.status_code, rest.status_code) == (206, 206)
    assert first["Content-Range"] == f"bytes 0-299999/{len(CONTENT)}" and first["Content-Length"] == "300000"
    assert body(first) + body(rest) == CONTENT


def test_of_a_file_that_is_another_by_now_all_comes_again(link):
    response = fetched(link, Range="bytes=300000-", If_Range='"another"')
    assert (response.status_code, body(response)) == (200, CONTENT)


def test_past_the_end_there_is_nothing(link):
    response = fetched(link, Range=f"bytes={len(CONTENT)}-")
    assert (response.status_code, response["Content-Range"]) == (416, f"bytes */{len(CONTENT)}")


def test_what_is_there_already_is_not_sent_again(link):
    response = fetched(link, If_None_Match=f'"{SHA256}"', Range="bytes=0-1")
    assert (response.status_code, response.content, response["ETag"]) == (304, b"", f'"{SHA256}"')


def test_head_says_how_long_it_is_and_sends_nothing(link):
    response = Client().head(link, headers={"Range": "bytes=0-1"})
    assert (response.status_code, response.content) == (200, b"")
    assert response["Content-Length"] == str(len(CONTENT)) and response["ETag"] == f'"{SHA256}"'


def is_gone(response):
    return response.status_code == 404 and "This link is not good" in text_of(response)


@pytest.mark.parametrize("secret", ["1.1", "nonsense", "1.1:abc:def"])
def test_a_link_that_was_not_made_here_opens_nothing(job, secret):
    assert is_gone(fetched(address(secret)))


def test_a_link_of_another_purpose_or_another_file_opens_nothing(job, link):
    stolen = link.replace(f"/{job.artefacts.get().pk}.", "/999.")
    assert stolen != link and is_gone(fetched(stolen))


def test_a_link_is_good_for_a_week(job, link, monkeypatch):
    late = now() + exported.LIFE + timedelta(seconds=5)
    Job.objects.update(finished_at=late)  # the file itself would still be good
    monkeypatch.setattr("django.core.signing.time.time", lambda: (late - timedelta(seconds=10)).timestamp())
    assert fetched(link).status_code == 200
    monkeypatch.setattr("django.core.signing.time.time", late.timestamp)
    assert is_gone(fetched(link))


@pytest.mark.parametrize(
    "change",
    [
        lambda person: person.memberships.all().delete(),
        lambda person: person.memberships.update(role="reviewer"),
        lambda person: type(person).objects.filter(pk=person.pk).update(is_active=False),
    ],
)
def test_a_link_ends_with_the_role_of_whoever_made_it(link, researcher, change):
    change(researcher)
    assert is_gone(fetched(link))


def test_the_page_shows_the_file_and_makes_a_link_with_a_line_for_curl(client, job, researcher):
    text = text_of(client.get(f"/jobs/{job.pk}"))
    assert "bread-1.preference.jsonl" in text and SHA256 in text and "/exports/" not in text
    response = client.post(f"/jobs/{job.pk}/link")
    link = response.context["link"]
    assert f"curl -fC - -O '{link}'" in text_of(response) and "no-store" in response["Cache-Control"]
    assert body(fetched(link)) == CONTENT and fetched(link, Range="bytes=0-1").status_code == 206
    assert AuditEvent.objects.filter(action="export.link", user=researcher, subject=str(job)).count() == 1


def test_a_link_to_the_file_of_another_project_cannot_be_made(job):
    stranger = factories.make_member(factories.make_project("other"), "admin")
    assert client_of(stranger).post(f"/jobs/{job.pk}/link").status_code == 404
    reviewer = factories.make_member(job.project, "reviewer")
    assert client_of(reviewer).post(f"/jobs/{job.pk}/link").status_code == 403


def test_a_job_without_a_file_has_no_link(client, project):
    assert client.post(f"/jobs/{make_job(project, state='succeeded').pk}/link").status_code == 404


def test_the_light_worker_removes_a_file_whose_time_is_over_and_the_page_offers_to_make_it_again(client, job, link):
    Upkeep(["light"])._round()
    assert fetched(link).status_code == 200
    Job.objects.update(finished_at=now() - exported.LIFE - timedelta(seconds=1))
    Upkeep(["light"])._round()
    assert not (job.path / "output").exists() and is_gone(fetched(link))
    text = text_of(client.get(f"/jobs/{job.pk}"))
    again = f"/projects/bread/snapshots/{job.inputs['snapshot']}/files/new?format=preference&amp;as=jsonl"
    assert "The file was removed" in text and f'href="{again}"' in text


@pytest.mark.django_db(transaction=True)
def test_the_file_goes_with_its_snapshot(client, job, snapshot, link):
    snapshots.delete(snapshot)
    assert not (job.path / "output").exists() and is_gone(fetched(link))
    assert "Its snapshot is deleted" in text_of(client.get(f"/jobs/{job.pk}"))


def test_the_chooser_leads_to_the_form_and_the_form_to_the_job(client, snapshot, researcher):
    page = f"/projects/bread/snapshots/{snapshot.pk}"
    assert f'formaction="{page}/files/new"' in text_of(client.get(page))
    form = text_of(client.get(f"{page}/files/new?format=preference&as=parquet"))
    assert '<option value="preference" selected>' in form and '<option value="parquet" selected>' in form
    response = client.post(f"{page}/files/new", {"format": "preference", "container": "parquet"})
    job = Job.objects.get(kind="export")
    assert response.url == f"/jobs/{job.pk}"
    assert (job.queue, job.created_by, job.inputs) == ("light", researcher, {"snapshot": snapshot.pk})
    assert job.spec == {"format": "preference", "container": "parquet"}
    text = text_of(client.get(response.url))
    assert f"File of rankings {snapshot.short_hash}" in text and "What it says" not in text
    assert client.post(f"{page}/files/new", {"format": "demonstration", "container": "csv"}).status_code == 422


@pytest.mark.parametrize(
    ("rows", "size", "large"), [(100_000, 10, False), (100_001, 10, True), (10, 500 * 1024**2 + 1, True)]
)
def test_for_a_large_snapshot_the_file_is_suggested(client, snapshot, rows, size, large):
    Snapshot.objects.update(counts={**snapshot.counts, "rankings": rows}, size_bytes=size)
    text = text_of(client.get(f"/projects/bread/snapshots/{snapshot.pk}"))
    assert ("This is a large snapshot." in text) == large


def test_a_snapshot_stays_until_its_file_is_made(snapshot):
    settings = {"format": "preference", "container": "csv"}
    inputs = {"snapshot": snapshot.pk}
    lifecycle.launch(kind="export", project=snapshot.project, user=None, settings=settings, inputs=inputs)
    with pytest.raises(snapshots.SnapshotInUse):
        snapshots.delete(snapshot)
