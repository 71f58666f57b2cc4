import pytest
from django.utils.timezone import now

from annotate.models import Withdrawal
from tests import factories
from tests.training.learned import make_job, make_reward_model, make_sampling
from training.loop import ENOUGH_RANKINGS, loops

pytestmark = pytest.mark.django_db


def loop_of(project):
    return loops([project], now=now())[project.pk]


@pytest.fixture
def project():
    return factories.make_project("bread")


def ranked(project, count):
    tasks = [factories.make_task(project) for _ in range(count)]
    labeler = factories.make_labeler(project)
    return [factories.make_ranking(task, labeler=labeler) for task in tasks]


def test_a_project_without_prompts_imports_some(project):
    assert loop_of(project).next_step().action == "Import prompts"


def test_prompts_without_answers_are_answered(project):
    factories.make_prompt(project)
    assert loop_of(project).next_step().url == "/projects/bread/sample"


def test_what_is_being_drawn_is_watched_and_not_drawn_again(project):
    factories.make_prompt(project)
    job = make_job(project, kind="sample", state="running")
    step = loop_of(project).next_step()
    assert (step.url, step.waits) == (f"/jobs/{job.pk}", True)


def test_answers_that_are_not_at_the_desk_are_sent_there(project):
    factories.make_answers(factories.make_prompt(project))
    assert loop_of(project).next_step().action == "Choose a batch"


def test_open_tasks_are_ranked_until_there_are_enough(project):
    ranked(project, 2)
    for _ in range(30):
        factories.make_task(project)
    step = loop_of(project).next_step()
    assert step.action == "Rank"
    assert step.text.startswith(f"{ENOUGH_RANKINGS - 2} more rankings")


def test_when_all_is_ranked_a_reward_model_is_trained(project):
    ranked(project, 3)
    assert loop_of(project).next_step().url == "/projects/bread/train"


def test_a_reward_model_then_picks_the_best_of_n(project):
    ranked(project, 3)
    make_reward_model(project)
    assert loop_of(project).next_step().url == "/projects/bread/best-of-n"


def test_after_best_of_n_the_loop_begins_again(project):
    ranked(project, 3)
    model = make_reward_model(project)
    make_sampling(project, make_job(project, kind="best_of_n", state="succeeded"), reward_model=model)
    assert loop_of(project).next_step().url == "/projects/bread/sample"


@pytest.mark.parametrize("state", ["running", "failed", "cancelled"])
def test_best_of_n_is_not_done_before_its_job_has_succeeded(project, state):
    ranked(project, 3)
    job = make_job(project, kind="best_of_n", state=state)
    make_sampling(project, job, reward_model=make_reward_model(project))
    step = loop_of(project).next_step()
    assert step.url == (f"/jobs/{job.pk}" if state == "running" else "/projects/bread/best-of-n")


def test_an_evaluation_never_leads_to_training(project):
    project.purpose = "evaluation"
    project.save()
    ranked(project, 3)
    assert "Freeze" in loop_of(project).next_step().action


def test_counts_leave_out_what_was_withdrawn_and_what_is_surplus(project):
    first, second, _ = ranked(project, 3)
    first.surplus = True
    first.save()
    Withdrawal.objects.create(ranking=second)
    loop = loop_of(project)
    assert (loop.rankings, loop.rankings_wanted, loop.labelers) == (1, 3, 1)


def test_the_loops_of_ten_projects_cost_as_many_queries_as_that_of_one(django_assert_num_queries):
    projects = [factories.make_project() for _ in range(10)]
    for one in projects:
        factories.make_task(one)
    with django_assert_num_queries(8) as few:
        loops(projects[:1], now=now())
    with django_assert_num_queries(len(few)):
        found = loops(projects, now=now())
    assert [loop.tasks for loop in found.values()] == [1] * 10
