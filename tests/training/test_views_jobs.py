import json
from datetime import timedelta

import pytest
from django.test import Client
from django.utils.timezone import now

from annotate.models import AuditEvent
from tests import factories
from tests.training.learned import make_job, make_policy, make_reward_model, make_sampling, make_snapshot
from training import curves, lifecycle
from training.models import Device, Job, Metric, Worker

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


def client_of(user):
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def text_of(response):
    return response.content.decode()


def polled(client, url):
    return client.get(url, headers={"HX-Request": "true"})


def make_metrics(job, name, count, value=lambda step: step / 10):
    Metric.objects.bulk_create(
        Metric(job=job, name=name, step=step, value=value(step), attempt=1) for step in range(1, count + 1)
    )


def write(job, name, text):
    folder = job.path / f"attempt-{job.attempt}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


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


def test_a_running_job_says_how_far_it_is_how_long_it_took_and_how_long_it_takes(client, project):
    job = make_job(
        project,
        state="running",
        started_at=now() - timedelta(seconds=221),
        progress={
            "step": 126,
            "total": 200,
            "time": 1126.0,
            "since": {"attempt": 1, "step": 1, "time": 1001.0},
            "metrics": {"tokens_per_second": 1311.2},
        },
    )
    text = text_of(client.get(f"/jobs/{job.pk}"))
    for words in ("step 126 of 200", "3 min 41 s so far", "about 1 min 14 s left", "1,311 tokens/s", "attempt 1"):
        assert words in text


def test_a_waiting_job_says_its_place_and_why_it_waits(client, project):
    make_job(project)
    job = make_job(project)
    text = text_of(client.get(f"/jobs/{job.pk}"))
    assert "2nd in the queue." in text and "No worker takes jobs now" in text


def test_a_failed_job_says_why_and_offers_to_try_again(client, project):
    job = make_job(project, state="failed", reason="The disk is full: make room, then retry.")
    text = text_of(client.get(f"/jobs/{job.pk}"))
    assert "The disk is full" in text
    assert "Retry from scratch" in text and "Retry from step" not in text


def test_a_retry_from_a_whole_checkpoint_names_its_step(client, project):
    job = make_job(project, state="failed")
    for step in (20, 40):
        folder = job.path / "checkpoints" / f"step-{step}"
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text("{}")
    (job.path / "checkpoints" / "step-60").mkdir()
    assert "Retry from step 40" in text_of(client.get(f"/jobs/{job.pk}"))


def test_a_job_that_drew_answers_goes_on_with_them(client, project):
    job = make_job(project, state="cancelled")
    make_sampling(project, job, texts=("a", "b", "c"))
    text = text_of(client.get(f"/jobs/{job.pk}"))
    assert '<input type="hidden" name="from" value="checkpoint">' in text
    assert 'class="button primary">Go on, 3 answers are kept</button>' in text


@pytest.mark.parametrize(("kind", "attempt"), [("sample", 0), ("score", 1)])
def test_a_job_that_kept_nothing_is_only_tried_again_from_scratch(client, project, kind, attempt):
    job = make_job(project, kind=kind, state="cancelled", attempt=attempt)
    text = text_of(client.get(f"/jobs/{job.pk}"))
    assert "Go on" not in text and 'value="checkpoint"' not in text and 'primary">Retry from scratch' in text


def test_the_page_of_a_best_of_n_job_shows_what_n_bought(client, project):
    measured = {"winner_score": 1.25, "pool_score": 0.1, "best_of": [0.1, 0.75, 1.25], "kl_bound": 0.432, "answers": 6}
    job = make_job(project, kind="best_of_n", state="succeeded", progress={"results": measured})
    text = text_of(client.get(f"/jobs/{job.pk}"))
    for words in ("Mean reward of the winners", "+1.25", "0.432 nats", "from +0.10 to +1.25", "<polyline", "Best of"):
        assert words in text


def test_winners_are_not_counted_as_answers_once_more(client, project):
    job = make_job(project, kind="best_of_n", state="succeeded", progress={"results": {"answers": 3}})
    make_sampling(project, job, texts=("a", "b", "c"))
    make_sampling(project, job, texts=("b",), reward_model=make_reward_model(project))
    text = text_of(client.get(f"/jobs/{job.pk}"))
    assert "3 drawn, 1 winner<" in text and text.count('class="nowrap">answer ') == 3
    assert "<dt>Drawn answers</dt><dd>3</dd>" in text
    assert '<dt>Drawn answers</dt><dd dir="auto">' in text and "<dt>Winners</dt>" in text  # its batches


def test_ties_are_told_apart_from_comparisons(client, project):
    snapshot = make_snapshot(project, counts={"prompts": 10, "comparisons": 60, "ties": 3})
    job = make_job(project, kind="reward", inputs={"policy": make_policy().pk, "snapshot": snapshot.pk})
    assert "57 comparisons, 3 ties" in text_of(client.get(f"/jobs/{job.pk}"))
    assert "57 comparisons, 3 ties" in text_of(client.get("/projects/bread/train"))


def test_the_page_of_a_sample_job_sums_its_answers_up_and_says_what_could_not_be_ranked(client, project):
    progress = {"results": {"answers": 6, "different_share": 0.5}, "desk": "1 prompt has fewer than two."}
    job = make_job(project, state="succeeded", progress=progress)
    text = text_of(client.get(f"/jobs/{job.pk}"))
    assert "Different answers" in text and "50.0 %" in text and "1 prompt has fewer than two." in text
    assert "polyline" not in text


def test_a_job_that_says_nothing_for_long_is_called_so_and_left_alone(client, project):
    job = make_job(project, state="running", progress_at=now() - timedelta(minutes=25))
    assert "no progress for 25 min" in text_of(client.get(f"/jobs/{job.pk}"))
    job.refresh_from_db()
    assert job.state == "running"


def test_a_polled_job_answers_with_its_partial_until_it_ends_with_286(client, project):
    job = make_job(project, state="running")
    going = polled(client, f"/jobs/{job.pk}")
    assert going.status_code == 200
    assert "<html" not in text_of(going) and 'hx-trigger="every 2s"' in text_of(going)
    Job.objects.filter(pk=job.pk).update(state="succeeded", finished_at=now())
    ended = polled(client, f"/jobs/{job.pk}")
    assert ended.status_code == 286
    assert "hx-trigger" not in text_of(ended)
    assert client.get(f"/jobs/{job.pk}").status_code == 200


def test_curves_stand_in_tables_under_their_latest_value(client, project):
    job = make_job(project, kind="reward", state="running")
    make_metrics(job, "loss", 3, lambda step: 0.7 - step / 10)
    make_metrics(job, "heldout_accuracy", 2, lambda step: 0.6 + step / 100)
    text = text_of(client.get(f"/jobs/{job.pk}"))
    assert text.index("Loss (training)") < text.index("Accuracy on held-out prompts")
    assert "62.0 %" in text and 'id="curve-loss"' in text


def test_a_long_curve_is_thinned_and_keeps_its_last_point(project):
    job = make_job(project)
    make_metrics(job, "loss", 1001)
    make_metrics(job, "short", 3)
    drawn = {curve.name: curve for curve in curves.drawn(job)}
    assert len(drawn["loss"].points) == curves.POINTS_DRAWN
    assert drawn["loss"].points[-1] == (1001, 100.1)
    assert [step for step, _ in drawn["short"].points] == [1, 2, 3]


def test_the_numbers_come_as_json_past_a_step(client, project):
    job = make_job(project, state="running")
    make_metrics(job, "loss", 5)
    answer = client.get(f"/jobs/{job.pk}/metrics.json", {"after": 3}).json()
    assert answer == {"state": "running", "finished": False, "attempt": 1, "series": {"loss": [[4, 0.4], [5, 0.5]]}}


def test_a_step_is_never_cut_in_two_by_the_most_points_that_are_sent(project, monkeypatch):
    monkeypatch.setattr(curves, "POINTS_SENT", 3)
    job = make_job(project)
    make_metrics(job, "loss", 3)
    make_metrics(job, "speed", 3)
    assert curves.points_after(job, -1) == {"loss": [(1, 0.1)], "speed": [(1, 0.1)]}
    monkeypatch.setattr(curves, "POINTS_SENT", 1)
    assert curves.points_after(job, 1) == {"loss": [(2, 0.2)], "speed": [(2, 0.2)]}


@pytest.mark.parametrize("after", ["x", "1e3", "--1", "", "9" * 30])
def test_nonsense_instead_of_a_step_is_refused(client, project, after):
    assert client.get(f"/jobs/{make_job(project).pk}/metrics.json", {"after": after}).status_code == 400


def test_what_the_runner_says_is_shown_as_text(client, project):
    job = make_job(project, state="running")
    said = {"time": 1764000000.0, "message": "<b>checkpoint</b> at 20"}
    write(job, "events.jsonl", json.dumps(said) + '\n{"time": 1, "step": 1}\n{"time": 3, "mess')
    text = text_of(client.get(f"/jobs/{job.pk}"))
    assert "&lt;b&gt;checkpoint&lt;/b&gt; at 20" in text and "<b>checkpoint" not in text


def test_the_log_shows_the_last_lines_of_the_latest_attempt(client, project):
    job = make_job(project, state="running", attempt=2)
    write(job, "log.txt", "".join(f"line {number}\n" for number in range(20_000)))
    text = text_of(client.get(f"/jobs/{job.pk}/log"))
    assert "line 19999" in text and "line 19000\n" not in text


def test_a_link_in_place_of_the_log_is_not_followed(client, project, tmp_path):
    job = make_job(project, state="running")
    (tmp_path / "secret").write_text("the key")
    write(job, "events.jsonl", "")
    (job.path / "attempt-1" / "log.txt").symlink_to(tmp_path / "secret")
    assert "the key" not in text_of(client.get(f"/jobs/{job.pk}/log"))


def test_the_latest_answers_of_a_sample_job_are_shown_inert(client, project):
    job = make_job(project, state="running")
    make_sampling(project, job, texts=("<script>alert(1)</script>", "plain\u202eevil"))
    text = text_of(client.get(f"/jobs/{job.pk}"))
    assert "&lt;script&gt;alert(1)" in text and "<script>alert" not in text
    assert "U+202E" in text and "2 drawn" in text


def test_the_page_says_what_the_job_came_from_and_what_it_made(client, project):
    policy, snapshot = make_policy("small"), make_snapshot(project)
    job = make_job(project, kind="reward", inputs={"policy": policy.pk, "snapshot": snapshot.pk}, spec={"epochs": 3})
    text = text_of(client.get(f"/jobs/{job.pk}"))
    assert f"Reward model on “Bread”, snapshot {snapshot.short_hash}" in text
    assert f'href="/policies/{policy.pk}"' in text and "36 comparisons" in text and "Epochs" in text


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


def test_a_job_page_costs_the_same_with_many_metrics_and_answers(client, project, django_assert_max_num_queries):
    job = make_job(project, state="running")
    make_sampling(project, job)
    make_metrics(job, "loss", 2)
    with django_assert_max_num_queries(40) as few:
        client.get(f"/jobs/{job.pk}")
    for name in ("accuracy", "heldout_accuracy", "grad_norm"):
        make_metrics(job, name, 500)
    make_sampling(project, make_job(project), texts=tuple("abcdefgh"))
    with django_assert_max_num_queries(len(few)):
        client.get(f"/jobs/{job.pk}")


def test_the_list_costs_the_same_with_many_jobs(client, project, django_assert_max_num_queries):
    make_job(project)
    with django_assert_max_num_queries(20) as few:
        client.get("/jobs/")
    for _ in range(20):
        make_job(project, state="running")
    with django_assert_max_num_queries(len(few)):
        client.get("/jobs/")


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
