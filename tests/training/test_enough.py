"""What the form to train promises is what a freeze gives."""

import json
import math
import re

import pytest

from annotate import snapshots
from tests import factories
from tests.training.jobs import claim, launch_reward, make_devices, make_policy
from tests.training.pages import client_of, text_of
from training import gather
from training.enough import Ranked
from training.folders import JobFolder
from training.models import Job, Policy

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return factories.make_project("bread", name="Bread")


def ranked(project, ranks=(1, 2, 3), **prompt):
    task = factories.make_task(answers=factories.make_answers(factories.make_prompt(project, **prompt)))
    return factories.make_ranking(task, ranks=ranks)


def promised(project):
    client = client_of(factories.make_member(project, "researcher"))
    return text_of(client.get("/projects/bread/train"))


def prompts_of_a_fit(project, snapshot, seed, **settings):
    """The prompts with a winner that a fit of this snapshot learns from, and those that it is tested on."""
    job = launch_reward(project, snapshot, seed=seed, **settings)
    gather.prepare(claim(only=job.pk), JobFolder(job.path))
    files = [job.path / "inputs" / f"{part}.jsonl" for part in ("train", "heldout")]
    rows = [[json.loads(line) for line in file.read_text().splitlines()] for file in files]
    Job.objects.filter(pk=job.pk).delete()
    return [len({row["id"] for row in part if len(set(row["ranks"])) > 1}) for part in rows]


def test_the_prompts_that_the_form_promises_are_those_that_a_fit_learns_from(project):
    make_devices(4)
    for ranks in [(1, 2, 3), (1, 1, 3), (3, 2, 1), (2, 1, 2), (1, 2, 2), (1, 2, 3), (1, 3, 2)]:
        ranked(project, ranks)
    ranked(project, split="id_test")
    text = promised(project)
    words = (
        r">(\d+) training prompts, and (\d+) held out\. Suggested: (\d+) a step, (\d+) epochs, which makes (\d+) steps"
    )
    training, heldout, size, epochs, steps = map(int, re.search(words, text).groups())
    assert (training, heldout) == (6, 1) and steps == epochs * math.ceil(training / size)
    now = Ranked.now(project)
    snapshot = snapshots.freeze(project=project)
    assert Ranked.frozen(snapshot) == now and now.is_exact
    for seed in range(4):
        assert prompts_of_a_fit(project, snapshot, seed) == [training, heldout]


def test_where_the_draw_decides_how_many_prompts_are_held_out_the_form_says_about(project):
    for _ in range(4):
        ranked(project)
    for text in ("And then?", "And after that?"):
        ranked(project, text=text, root="one conversation")
    ranked(project, (1, 1, 1))
    now = Ranked.now(project)
    assert (now.prompts, now.all_prompts, now.conversations, now.is_exact) == (6, 7, 6, False)
    assert "About 5 training prompts, and about 1 held out" in promised(project)
    assert Ranked.frozen(snapshots.freeze(project=project)) == now


ENOUGH = Ranked(comparisons=600, ties=0, prompts=100, all_prompts=100, conversations=100)


def test_a_hundred_prompts_are_enough_to_measure_with_and_fewer_are_not():
    assert (ENOUGH.heldout, ENOUGH.warning) == (20, "")
    assert "90 ranked prompts are few to measure with" in ENOUGH._replace(prompts=90).warning
    old = ENOUGH._replace(prompts=90, conversations=0)  # they were not counted then
    assert "90 ranked prompts are few to measure with" in old.warning


def test_many_prompts_of_few_conversations_are_few_to_measure_with():
    few = ENOUGH._replace(conversations=30).warning
    assert "30 conversations are few to measure with" in few and "rank prompts of 100 conversations or more" in few


@pytest.mark.parametrize("frozen", [False, True])
def test_rankings_of_one_conversation_are_not_trained_on_and_the_form_says_what_to_do(project, frozen):
    make_policy()
    for text in ("And then?", "And after that?", "And last?"):
        ranked(project, text=text, root="one conversation")
    if frozen:
        snapshots.freeze(project=project)
    client = client_of(factories.make_member(project, "researcher"))
    words = "All rankings are of one conversation, and nothing of it can be held out to test the model: rank prompts of"
    page = client.get("/projects/bread/train")
    assert words in text_of(page) and "held out. Suggested" not in text_of(page)
    chosen = {"snapshot": project.snapshots.get().pk} if frozen else {}
    settings = {name: page.context["form"][name].value() for name in page.context["form"].setting_names}
    settings |= {"prompts_per_step": 2, "epochs": 1, "policy": Policy.objects.get().pk}
    refused = client.post("/projects/bread/train", {**settings, **chosen})
    assert refused.status_code == 422
    assert refused.context["form"].non_field_errors() == [f"{words} another."]
    assert not Job.objects.exists() and project.snapshots.count() == frozen
