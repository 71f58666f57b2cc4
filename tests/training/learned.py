"""Snapshots, reward models and samplings for tests of pages: rows without files."""

from collections.abc import Callable
from datetime import timedelta
from itertools import count
from typing import Any

from django.conf import settings
from django.utils.timezone import now

from annotate.models import AnswerBatch, Project, Snapshot
from rewards.models import RewardModel
from tests import factories
from training.models import Fitting, Job, Metric, Policy, Sampling

_number = count(1)


def make_policy(name: str = "", **fields: Any) -> Policy:
    number = next(_number)
    return Policy.objects.create(name=name or f"policy {number}", folder=f"jobs/{number}/output/model", **fields)


def make_snapshot(project: Project, **fields: Any) -> Snapshot:
    fields = {"counts": {"prompts": 12, "comparisons": 36, "ties": 0}, **fields}
    return Snapshot.objects.create(project=project, sha256=f"{next(_number):064x}", size_bytes=1, **fields)


def make_reward_model(project: Project, name: str = "", *, policy: Policy | None = None, **fields: Any) -> RewardModel:
    """With the job and the policy that it was fitted by and from."""
    policy = policy or make_policy()
    name = name or f"reward model {next(_number)}"
    snapshot = make_snapshot(project)
    fields = {"folder": "jobs/1/output/model", **fields}
    model = RewardModel.objects.create(project=project, snapshot=snapshot, name=name, base_name=policy.name, **fields)
    job = make_job(project, kind="reward", state="succeeded", inputs={"policy": policy.pk, "snapshot": snapshot.pk})
    Fitting.objects.create(reward_model=model, base_policy=policy, job=job)
    return model


def make_job(project: Project | None, *, kind: str = "sample", state: str = "queued", **fields: Any) -> Job:
    """A job in any state, as far as its pages can tell."""
    if state == "running":
        lease = now() + timedelta(seconds=settings.JOB_LEASE_SECONDS)
        fields = {"lease_until": lease, "started_at": now(), "attempt": 1, **fields}
    elif state != "queued":
        fields = {"started_at": now(), "finished_at": now(), "attempt": 1, **fields}
    return Job.objects.create(project=project, kind=kind, state=state, **fields)


def make_sampling(project: Project, job: Job, texts: tuple[str, ...] = ("good", "bad"), **fields: Any) -> AnswerBatch:
    """A batch that the job drew, with answers to one prompt."""
    batch = factories.make_batch(project, answers_wanted=len(texts))
    factories.make_answers(factories.make_prompt(project), texts, batch)
    Sampling.objects.create(batch=batch, policy=make_policy(), job=job, **fields)
    return batch


def make_metrics(job: Job, name: str, count: int, value: Callable[[int], float] = lambda step: step / 10) -> None:
    """The metric at the steps 1 to `count`."""
    Metric.objects.bulk_create(
        Metric(job=job, name=name, step=step, value=value(step), attempt=1) for step in range(1, count + 1)
    )
