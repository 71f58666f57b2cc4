import pytest
from django.test import Client

from tests import factories
from tests.training.learned import make_job, make_reward_model, make_sampling
from training.views.projects import batches_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return factories.make_project("bread", name="Bread")


def client_of(user, **headers):
    client = Client(headers=headers)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def page(user, url="/", **headers):
    response = client_of(user, **headers).get(url)
    return response.status_code, response.content.decode()


def test_a_labeler_sees_how_many_tasks_are_open_and_a_way_to_rank(project):
    for _ in range(3):
        factories.make_task(project)
    status, text = page(factories.make_member(project))
    assert status == 200
    assert "3 tasks open for you" in text
    assert 'href="/projects/bread/rank"' in text


def test_a_task_that_was_ranked_is_no_longer_open_for_that_labeler(project):
    labeler = factories.make_labeler(project)
    factories.make_ranking(factories.make_task(project, rankings_wanted=2), labeler=labeler)
    assert "Nothing is open for you now" in page(labeler.user)[1]
    assert "1 task open for you" in page(factories.make_member(project))[1]


def test_the_task_in_hand_counts_as_open(project):
    labeler = factories.make_labeler(project)
    factories.make_assignment(labeler)
    assert "1 task open for you" in page(labeler.user)[1]


def test_a_repeat_reserved_for_another_labeler_is_not_offered(project):
    first, other = factories.make_labeler(project), factories.make_labeler(project)
    task = factories.make_ranking(labeler=first).task
    factories.make_task(answers=list(task.answers.all()), batch=None, repeat_of=task, reserved_for=first)
    assert "1 task open for you" in page(first.user)[1]
    assert "Nothing is open for you now" in page(other.user)[1]


def test_a_labeler_sees_no_jobs_and_no_reward_models(project):
    make_reward_model(project, "secret-model")
    make_job(project, state="running")
    text = page(factories.make_member(project))[1]
    assert "secret-model" not in text and "/jobs/" not in text.split("<main", 1)[1]


def test_a_researcher_sees_running_jobs_the_latest_model_and_the_next_step(project):
    make_reward_model(project, "older", accuracy=0.5)
    make_reward_model(project, "newest", accuracy=0.694, accuracy_low=0.66, accuracy_high=0.72)
    job = make_job(project, kind="best_of_n", state="running")
    text = page(factories.make_member(project, "researcher"))[1]
    assert f'href="/jobs/{job.pk}"' in text
    assert "newest" in text and "69.4 %" in text and "66.0 % to 72.0 %" in text
    assert "Import prompts" in text


def test_who_has_no_password_is_told_so_until_one_is_set(project):
    user = factories.make_member(project)
    assert "You have no password yet" in page(user)[1]
    user.set_password("a long enough secret")
    user.save()
    assert "You have no password yet" not in page(user)[1]


def test_other_peoples_projects_are_not_on_the_page(project):
    stranger = factories.make_member(factories.make_project(name="Elsewhere"), "admin")
    text = page(stranger)[1]
    assert "Elsewhere" in text and "Bread" not in text


def test_someone_without_a_project_is_told_what_happens_next():
    assert "You are in no project yet" in page(factories.make_user())[1]
    assert "Make the first project" in page(factories.make_user(admin=True))[1]


def test_the_page_looks_again_only_while_jobs_run(project):
    researcher = factories.make_member(project, "researcher")
    assert "hx-trigger" not in page(researcher, **{"HX-Request": "true"})[1]
    make_job(project)
    text = page(researcher, **{"HX-Request": "true"})[1]
    assert text.lstrip().startswith('<div id="home"') and 'hx-trigger="every 5s"' in text


def test_many_projects_cost_no_more_queries_than_one(project, django_assert_max_num_queries):
    user = factories.make_member(project, "researcher")
    factories.make_task(project)
    client = client_of(user)
    with django_assert_max_num_queries(30) as few:
        client.get("/")
    for _ in range(6):
        other = factories.make_project()
        factories.make_member(other, "researcher", user)
        factories.make_task(other)
        make_job(other, state="running")
    with django_assert_max_num_queries(len(few)):
        client.get("/")


def test_the_project_page_shows_a_labeler_the_desk_and_not_the_jobs(project):
    factories.make_task(project)
    batch = make_sampling(project, make_job(project, state="succeeded"))
    status, text = page(factories.make_member(project), "/projects/bread/")
    assert status == 200
    assert "1 task open for you" in text
    assert "Send to the desk" not in text and f"batch-{batch.pk}" not in text


def test_a_labeler_gets_no_link_to_the_job_that_draws_answers(project):
    job = make_job(project, kind="sample", state="running")
    link = f'href="/jobs/{job.pk}"'
    assert link not in page(factories.make_member(project), "/projects/bread/")[1]
    assert link in page(factories.make_member(project, "researcher"), "/projects/bread/")[1]


def test_the_project_page_shows_a_researcher_the_loop_with_its_counts(project):
    factories.make_ranking(factories.make_task(project, rankings_wanted=2))
    make_reward_model(project, "gist", accuracy=0.7)
    text = page(factories.make_member(project, "researcher"), "/projects/bread/")[1]
    for words in ("Prompts", "Answers", "Rankings", "of 2", "Reward models", "Best of N", "gist", "70.0 %"):
        assert words in text


def test_the_project_page_is_404_to_a_stranger(project):
    assert page(factories.make_user(), "/projects/bread/")[0] == 404


def test_the_project_page_costs_the_same_with_many_batches(project, django_assert_max_num_queries):
    client = client_of(factories.make_member(project, "researcher"))
    make_sampling(project, make_job(project, state="succeeded"))
    with django_assert_max_num_queries(40) as few:
        client.get("/projects/bread/")
    for _ in range(5):
        make_sampling(project, make_job(project, state="succeeded"))
        make_reward_model(project)
    with django_assert_max_num_queries(len(few)):
        client.get("/projects/bread/")


def test_chosen_batches_are_sent_to_the_desk_together(project):
    job = make_job(project, state="succeeded")
    one = make_sampling(project, job)
    client = client_of(factories.make_member(project, "researcher"))
    response = client.post("/projects/bread/send-to-desk", {"batch": [one.pk]}, follow=True)
    assert project.ranking_tasks.count() == 1
    assert "1 ranking task was made." in response.content.decode()


def test_a_batch_counts_the_tasks_that_show_its_answers_beside_others(project):
    job = make_job(project, state="succeeded")
    prompt = factories.make_prompt(project)
    batches = [factories.make_batch(project) for _ in range(2)]
    factories.make_task(
        answers=[factories.make_answers(prompt, (text,), b)[0] for b, text in zip(batches, "ab", strict=True)]
    )
    make_sampling(project, job)
    assert [batch.n_tasks for batch in batches_of(project)] == [0, 1, 1]


def test_a_batch_of_another_project_is_not_sent(project):
    elsewhere = factories.make_project()
    foreign = make_sampling(elsewhere, make_job(elsewhere, state="succeeded"))
    client = client_of(factories.make_member(project, "researcher"))
    response = client.post("/projects/bread/send-to-desk", {"batch": [foreign.pk]}, follow=True)
    assert "Choose at least one batch" in response.content.decode()
    assert elsewhere.ranking_tasks.count() == 0


def test_a_labeler_may_not_send_batches(project):
    response = client_of(factories.make_member(project)).post("/projects/bread/send-to-desk", {"batch": [1]})
    assert response.status_code == 403
