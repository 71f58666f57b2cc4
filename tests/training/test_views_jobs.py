import pytest
from django.test import Client

from annotate.models import AuditEvent
from tests import factories
from tests.training.learned import make_job, make_policy
from tests.training.pages import client_of, text_of
from training import lifecycle
from training.models import Job

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return factories.make_project("bread", name="Bread")


@pytest.fixture
def researcher(project):
    return factories.make_member(project, "researcher")


@pytest.fixture
def client(researcher):
    return client_of(researcher)


@pytest.mark.parametrize("page", ["", "/log", "/metrics.json"])
@pytest.mark.parametrize(("role", "status"), [("labeler", 403), ("reviewer", 403), ("researcher", 200), ("admin", 200)])
def test_a_job_is_for_researchers_of_its_project(project, role, status, page):
    job = make_job(project)
    assert client_of(factories.make_member(project, role)).get(f"/jobs/{job.pk}{page}").status_code == status


@pytest.mark.parametrize("page", ["", "/log", "/metrics.json"])
def test_a_job_of_another_project_is_404(client, page):
    job = make_job(factories.make_project())
    assert client.get(f"/jobs/{job.pk}{page}").status_code == 404


def test_cancel_and_retry_of_another_project_are_404(client):
    job = make_job(factories.make_project(), state="failed")
    assert client.post(f"/jobs/{job.pk}/cancel").status_code == 404
    assert client.post(f"/jobs/{job.pk}/retry").status_code == 404


def test_a_job_of_no_project_is_an_installation_admins(client):
    job = make_job(None, kind="convert", inputs={"name": "small"})
    assert client.get(f"/jobs/{job.pk}").status_code == 404
    assert client_of(factories.make_user(admin=True)).get(f"/jobs/{job.pk}").status_code == 200


def test_a_stranger_signs_in_first(project):
    assert Client().get(f"/jobs/{make_job(project).pk}").status_code == 302


def test_a_waiting_job_is_cancelled_by_a_post_alone(client, project, researcher):
    job = make_job(project)
    assert client.get(f"/jobs/{job.pk}/cancel").status_code == 405
    assert client.post(f"/jobs/{job.pk}/cancel").url == f"/jobs/{job.pk}"
    job.refresh_from_db()
    assert job.state == "cancelled"
    assert AuditEvent.objects.get(action="job.cancel").user == researcher


def test_a_running_job_is_asked_to_stop_and_says_so(client, project):
    job = make_job(project, state="running")
    client.post(f"/jobs/{job.pk}/cancel")
    text = text_of(client.get(f"/jobs/{job.pk}"))
    assert "It was asked to stop" in text and "disabled>Cancel" in text


def test_a_labeler_may_not_cancel(project):
    job = make_job(project)
    assert client_of(factories.make_member(project)).post(f"/jobs/{job.pk}/cancel").status_code == 403


def test_a_retry_from_the_checkpoint_queues_the_same_job_again(client, project):
    job = make_job(project, state="failed", reason="Out of memory.")
    assert client.get(f"/jobs/{job.pk}/retry").status_code == 405
    assert client.post(f"/jobs/{job.pk}/retry", {"from": "checkpoint"}).url == f"/jobs/{job.pk}"
    job.refresh_from_db()
    assert job.state == "queued"


def test_a_retry_from_scratch_is_a_new_job(client, project):
    factories.make_prompt(project)
    old = lifecycle.launch(
        kind="sample", project=project, user=None, settings={"answers": 2}, inputs={"policy": make_policy().pk}
    )
    Job.objects.filter(pk=old.pk).update(state="failed")
    answer = client.post(f"/jobs/{old.pk}/retry", {"from": "scratch"})
    again = Job.objects.exclude(pk=old.pk).get()
    assert answer.url == f"/jobs/{again.pk}"
    assert (again.state, again.spec, again.inputs) == ("queued", old.spec, old.inputs)


def test_a_retry_of_a_job_that_runs_is_refused_in_words(client, project):
    job = make_job(project, state="running")
    answer = client.post(f"/jobs/{job.pk}/retry", {"from": "scratch"})
    assert answer.status_code == 422
    assert "only a failed or cancelled job is tried again" in text_of(answer)


def test_the_list_shows_the_jobs_of_own_projects_newest_first(client, project):
    first, second = make_job(project), make_job(project, state="succeeded")
    foreign = make_job(factories.make_project())
    text = text_of(client.get("/jobs/"))
    assert text.index(f'href="/jobs/{second.pk}"') < text.index(f'href="/jobs/{first.pk}"')
    assert f'href="/jobs/{foreign.pk}"' not in text


def test_the_list_is_empty_for_a_labeler_of_the_project(project):
    job = make_job(project)
    assert f'href="/jobs/{job.pk}"' not in text_of(client_of(factories.make_member(project)).get("/jobs/"))


def test_the_list_is_filtered_by_state_kind_and_project(client, project):
    failed = make_job(project, kind="reward", state="failed")
    waiting = make_job(project, kind="sample")
    for query, here, gone in [
        ({"state": "failed"}, failed, waiting),
        ({"kind": "sample"}, waiting, failed),
        ({"project": "bread", "state": "queued"}, waiting, failed),
    ]:
        text = text_of(client.get("/jobs/", query))
        assert f'href="/jobs/{here.pk}"' in text and f'href="/jobs/{gone.pk}"' not in text


@pytest.mark.parametrize("query", [{"state": "x"}, {"kind": "password"}, {"project": "elsewhere"}])
def test_a_filter_that_is_not_offered_shows_nothing(client, project, query):
    factories.make_project("elsewhere")
    make_job(project)
    text = text_of(client.get("/jobs/", query))
    assert "No such jobs" in text


def test_a_long_list_goes_on_by_key(client, project):
    jobs = [make_job(project) for _ in range(45)]
    text = text_of(client.get("/jobs/"))
    assert f"?before={jobs[5].pk}" in text
    text = text_of(client.get("/jobs/", {"before": jobs[5].pk}))
    assert f'href="/jobs/{jobs[4].pk}"' in text and f'href="/jobs/{jobs[5].pk}"' not in text


def test_the_list_costs_the_same_with_many_jobs(client, project, django_assert_max_num_queries):
    make_job(project)
    with django_assert_max_num_queries(20) as few:
        client.get("/jobs/")
    for _ in range(20):
        make_job(project, state="running")
    with django_assert_max_num_queries(len(few)):
        client.get("/jobs/")
