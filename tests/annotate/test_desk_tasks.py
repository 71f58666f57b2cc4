import pytest

from annotate import desk_tasks
from annotate.models import RankingTask
from tests.factories import make_answers, make_batch, make_project, make_prompt, make_ranking

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return make_project(rankings_wanted=2)


@pytest.fixture
def batch(project):
    return make_batch(project, answers_wanted=3)


def texts(task):
    return list(task.task_answers.values_list("answer__text", flat=True))


def test_a_complete_prompt_becomes_a_task_that_wants_what_the_project_wants(project, batch):
    make_answers(make_prompt(project), ["a", "b", "c"], batch)
    assert desk_tasks.make_ranking_tasks(batch).made == 1
    task = RankingTask.objects.get()
    assert (texts(task), task.rankings_wanted, task.open_slots) == (["a", "b", "c"], 2, 2)


def test_a_prompt_whose_answers_are_still_coming_waits(project, batch):
    prompt = make_prompt(project)
    make_answers(prompt, ["a", "b"], batch)
    assert desk_tasks.make_ranking_tasks(batch).made == 0
    batch.answers.create(prompt=prompt, index=2, text="c")
    assert desk_tasks.make_ranking_tasks(batch).made == 1


def test_making_tasks_again_makes_only_the_new_ones(project, batch):
    make_answers(make_prompt(project), ["a", "b", "c"], batch)
    desk_tasks.make_ranking_tasks(batch)
    make_answers(make_prompt(project), ["d", "e", "f"], batch)
    assert desk_tasks.make_ranking_tasks(batch).made == 1
    assert RankingTask.objects.count() == 2


def test_tasks_can_be_made_of_some_prompts_alone(project, batch):
    first, second = make_prompt(project), make_prompt(project)
    for prompt in (first, second):
        make_answers(prompt, ["a", "b", "c"], batch)
    assert desk_tasks.make_ranking_tasks(batch, prompts=[second.pk]).made == 1
    assert RankingTask.objects.get().prompt == second


def test_equal_texts_are_shown_once(project, batch):
    make_answers(make_prompt(project), ["yes", "no", "yes\n"], batch)
    desk_tasks.make_ranking_tasks(batch)
    assert texts(RankingTask.objects.get()) == ["yes", "no"]


def test_answers_that_are_all_alike_make_no_task_and_are_said(project, batch):
    make_answers(make_prompt(project), ["yes", "yes", "yes"], batch)
    report = desk_tasks.make_ranking_tasks(batch)
    assert str(report) == (
        "No ranking task was made. 1 prompt has fewer than two different answers, so there is nothing to rank."
    )
    assert not RankingTask.objects.exists()


def test_more_than_nine_answers_are_shortened_and_said(project):
    batch = make_batch(project, answers_wanted=12)
    make_answers(make_prompt(project), [str(n) for n in range(12)], batch)
    report = desk_tasks.make_ranking_tasks(batch)
    assert report.shortened == 1 and len(texts(RankingTask.objects.get())) == 9


def test_winners_go_to_the_desk_beside_the_policys_own_answers(project, batch):
    both, own_only = make_prompt(project), make_prompt(project)
    make_answers(both, ["own 1", "own 2", "winner"], batch)
    make_answers(own_only, ["a", "b", "c"], batch)
    winners = make_batch(project, "best of 4")
    make_answers(both, ["better winner"], winners)
    assert desk_tasks.send_to_desk([batch, winners]).made == 2
    assert texts(RankingTask.objects.get(prompt=both)) == ["own 1", "better winner", "own 2", "winner"]


def test_sending_twice_makes_no_second_task(project, batch):
    make_answers(make_prompt(project), ["a", "b", "c"], batch)
    desk_tasks.make_ranking_tasks(batch)
    report = desk_tasks.send_to_desk([batch])
    assert (report.made, report.there_already) == (0, 1)
    assert str(report) == "No ranking task was made: every prompt has its task already."


def test_only_the_prompts_asked_for_are_sent(project, batch):
    chosen, other = make_prompt(project), make_prompt(project)
    for prompt in (chosen, other):
        make_answers(prompt, ["a", "b", "c"], batch)
    desk_tasks.send_to_desk([batch], prompts=[chosen.pk])
    assert RankingTask.objects.get().prompt == chosen


def test_batches_of_two_projects_cannot_be_ranked_together(batch):
    with pytest.raises(ValueError, match="one project"):
        desk_tasks.send_to_desk([batch, make_batch(make_project())])


def test_what_the_desk_makes_can_be_ranked(project, batch):
    make_answers(make_prompt(project), ["a", "b", "c"], batch)
    desk_tasks.make_ranking_tasks(batch)
    assert make_ranking(RankingTask.objects.get()).ranks == [1, 2, 3]
