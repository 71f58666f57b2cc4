"""launch_job, run_job, add_policy and reaper, as a person types them."""

import io
import os
import signal
import subprocess
import sys
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.utils.timezone import now

from annotate.models import AnswerBatch
from tests import factories
from tests.training.jobs import (
    claim,
    environment,
    launch_long_sample,
    launch_sample,
    make_devices,
    make_policy,
    make_snapshot,
    refreshed,
    sampling_project,
    tiny_model,
    wait_until,
)
from training.models import Job, Policy
from training.workers import drain, register

pytestmark = pytest.mark.django_db(transaction=True)


def typed(*words: str) -> str:
    out = io.StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def test_launch_job_prints_the_id_alone_and_takes_rows_by_their_names() -> None:
    project = factories.make_project("cheer")
    policy, snapshot = make_policy(), make_snapshot(project)
    printed = typed(
        "launch_job", "reward", "--project", "cheer",
        "--set", "policy=tiny", f"snapshot={snapshot.sha256[:12]}", "epochs=3", "--set", "name=taste",
    )  # fmt: skip
    job = Job.objects.get()
    assert printed == f"{job.pk}\n"
    assert job.inputs == {"snapshot": snapshot.pk, "policy": policy.pk, "name": "taste"} and job.spec["epochs"] == 3


@pytest.mark.parametrize(
    ("pair", "sentence"),
    [
        ("colour=red", "no 'colour'; there are answers, batch_size"),
        ("policy=nobody", "There is no policy 'nobody' here; there are [0-9]+ tiny."),
        ("policy=77777", "There is no policy '77777' here; there are [0-9]+ tiny."),
        ("prompts=25,x", "'x' is no id of a prompt"),
        ("for_ranking=no", "for_ranking must be true or false, not 'no'"),
        ("policy", "Write --set key=value"),
        ("answers=many", "answers must be a whole number"),
        ("split=dev", "no split 'dev'"),
    ],
)
def test_launch_job_says_what_it_does_not_understand(pair, sentence) -> None:
    make_policy()
    sampling_project(1)
    project = Job._meta.get_field("project").related_model.objects.get()
    with pytest.raises(CommandError, match=sentence):
        typed("launch_job", "sample", "--project", project.slug, "--set", "policy=tiny", pair)
    assert not Job.objects.exists()


@pytest.mark.parametrize("written", ["{},{}", "[{}, {}]"])
def test_launch_job_takes_a_list_with_commas_or_as_json(written) -> None:
    make_policy()
    project = sampling_project(3)
    first, _, last = project.prompts.order_by("pk").values_list("pk", flat=True)
    prompts = "prompts=" + written.format(last, first)
    typed("launch_job", "sample", "--project", project.slug, "--set", "policy=tiny", prompts, "for_ranking=False")
    assert Job.objects.get().inputs["prompts"] == [first, last]
    assert Job.objects.get().inputs["for_ranking"] is False


def test_launch_job_names_the_ten_newest_of_what_there_is_or_says_how_one_is_made() -> None:
    project = factories.make_project("cheer")
    words = ("launch_job", "best_of_n", "--project", "cheer", "--set", "policy=tiny", "reward_model=taste")
    with pytest.raises(CommandError, match="no policy 'tiny' here; there are none: add one by add_policy"):
        typed(*words)
    for number in range(12):
        make_policy(f"tiny-{number}")
    with pytest.raises(CommandError, match=r"there are \d+ tiny-11, \d+ tiny-10, .*, \d+ tiny-2 and 2 more"):
        typed(*words)
    make_policy()
    with pytest.raises(
        CommandError, match="no reward model 'taste' here; there are none: train one by launch_job reward"
    ):
        typed(*words)
    snapshot = make_snapshot(project)
    with pytest.raises(CommandError, match=f"starts with deadbeef; there are {snapshot.sha256[:12]}"):
        typed("launch_job", "reward", "--project", "cheer", "--set", "snapshot=deadbeef")
    with pytest.raises(CommandError, match="A reward job belongs to a project: name it by --project"):
        typed("launch_job", "reward", "--set", "policy=tiny", f"snapshot={snapshot.pk}")


def test_launch_job_never_takes_the_id_of_a_snapshot_for_the_start_of_a_hash() -> None:
    project = factories.make_project("cheer")
    make_policy()
    snapshot = make_snapshot(project)
    other = make_snapshot(project, 41, sha256=f"{snapshot.pk}{'a' * 63}"[:64])
    words = ("launch_job", "reward", "--project", "cheer", "--set", "policy=tiny", "name=taste")
    typed(*words, f"snapshot={snapshot.pk}")
    assert Job.objects.get().inputs["snapshot"] == snapshot.pk
    with pytest.raises(CommandError, match="too short: give at least 8 characters"):
        typed(*words, f"snapshot={other.sha256[:7]}")


def test_launch_job_takes_the_snapshot_for_training_of_two_with_the_same_content() -> None:
    project = factories.make_project("cheer")
    make_policy()
    make_snapshot(project, purpose="testing")
    snapshot = make_snapshot(project)
    typed(
        "launch_job", "reward", "--project", "cheer",
        "--set", "policy=tiny", "name=taste", f"snapshot={snapshot.sha256[:8]}",
    )  # fmt: skip
    assert Job.objects.get().inputs["snapshot"] == snapshot.pk


def test_launch_job_says_which_kinds_there_are() -> None:
    with pytest.raises(
        CommandError,
        match="no kind of job 'dance'; there are best_of_n, convert, export, freeze, import, reward, sample, score",
    ):
        typed("launch_job", "dance", "--project", "cheer")


def test_launch_job_says_beside_the_id_that_nobody_takes_the_job(capsys) -> None:
    make_policy()
    words = ("launch_job", "sample", "--project", sampling_project(1).slug, "--set", "policy=tiny")
    first = typed(*words).strip()
    said = capsys.readouterr().err
    assert "it waits. Start them all by `make demo`" in said and f"manage.py run_job {first}\n" in said
    worker = register("jobs", pid=1, now=now())
    typed(*words)
    assert capsys.readouterr().err == ""
    drain(worker)
    typed(*words)
    assert "it waits" in capsys.readouterr().err


def test_launch_job_names_the_projects_that_there_are() -> None:
    factories.make_project("here")
    with pytest.raises(CommandError, match="There is no project 'there'; there are here"):
        typed("launch_job", "sample", "--project", "there")


def test_run_job_runs_in_the_foreground_and_says_how_it_goes() -> None:
    job = launch_sample(sampling_project(2))
    printed = typed("run_job", str(job.pk))
    assert "tokens_per_second" in printed and printed.endswith(f"Job {job.pk}: done.\n")
    assert AnswerBatch.objects.get(sampling__job=job).answers.count() == 4
    with pytest.raises(CommandError, match="does not wait any more: it is done"):
        typed("run_job", str(job.pk))


def test_run_job_says_that_a_worker_was_quicker_and_where_to_watch(monkeypatch) -> None:
    monkeypatch.setenv("PORT", "9000")
    make_devices(1)
    job = launch_sample()
    claim()
    with pytest.raises(CommandError, match=f"A worker has job {job.pk} already.*127.0.0.1:9000/jobs/{job.pk}"):
        typed("run_job", str(job.pk))


def test_run_job_fails_with_the_reason_of_the_job() -> None:
    job = launch_sample()
    Policy.objects.update(folder="models/gone")
    with pytest.raises(CommandError, match="There is no model folder"):
        typed("run_job", str(job.pk))
    with pytest.raises(CommandError, match="There is no job 0"):
        typed("run_job", "0")


def test_ctrl_c_puts_the_job_back_into_the_queue() -> None:
    make_devices(1)
    job = launch_long_sample()
    command = [sys.executable, "manage.py", "run_job", str(job.pk)]
    process: Any = subprocess.Popen(command, cwd=settings.ROOT, env=environment(), stdout=subprocess.PIPE, text=True)
    wait_until(lambda: refreshed(job).progress.get("step"), what="progress")
    os.kill(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=40)
    assert (refreshed(job).state, refreshed(job).interruptions) == ("queued", 0)
    assert said.endswith(f"Job {job.pk}: waiting.\n")


def test_add_policy_makes_a_policy_of_a_folder() -> None:
    printed = typed("add_policy", "student", "--path", str(tiny_model()), "--revision", "abc")
    policy = Policy.objects.get(name="student")
    assert (policy.path / "model.safetensors").is_file() and policy.description == "abc"
    assert printed.endswith(f"Policy student is number {policy.pk}, in {policy.path}.\n")
    with pytest.raises(CommandError, match="There is a policy named student already"):
        typed("add_policy", "student", "--path", str(tiny_model()))


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ((), "no config.json"),
        (("config.json", "pytorch_model.bin"), "pickled weights"),
        (None, "There is no model at"),
    ],
)
def test_add_policy_refuses_what_it_cannot_trust_and_stores_nothing(tmp_path, files, sentence) -> None:
    folder = tmp_path if files is not None else tmp_path / "nowhere"
    for name in files or ():
        (folder / name).write_text("{}")
    with pytest.raises(CommandError, match=sentence):
        typed("add_policy", "bad", "--path", str(folder))
    assert not Job.objects.exists() and not Policy.objects.exists()


def test_the_reaper_does_one_round_on_request() -> None:
    make_devices(1)
    job = launch_sample()
    Job.objects.update(published_at=None)
    typed("reaper", "--once")
    assert refreshed(job).published_at is not None
