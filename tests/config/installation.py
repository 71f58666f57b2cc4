"""An installation worth saving, and what can be seen of one: `python -m tests.config.installation` tells it as JSON."""

import hashlib
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
USER, PASSWORD = "mia", "a long pass phrase"


def make(home: Path) -> Any:
    """A project with three rankings of several texts, a snapshot, a policy and a reward model; returns the project."""
    from annotate import snapshots
    from rewards.learning.reward_model import RewardModel as Model
    from rewards.models import RewardModel
    from tests import factories, tiny
    from training.models import Job, Policy

    project = factories.make_project("taste")
    mia = factories.make_member(project, "admin", factories.make_user(USER, admin=True))
    mia.set_password(PASSWORD)
    mia.save()
    for texts in (("good", "middling", "bad"), ("tab\t", "line\n\\N", "\U0001f389 \u202e"), ("a", "b", "c")):
        answers = factories.make_answers(factories.make_prompt(project), texts)
        factories.make_ranking(factories.make_task(answers=answers))
    snapshot = snapshots.freeze(project=project)

    drawn = _finished(Job.objects.create(kind="convert", state="succeeded"), lambda folder: tiny.causal_lm(folder))
    policy = Policy.objects.create(name="tiny", folder=f"jobs/{drawn.pk}/output/model", job=drawn)
    reward = Model.from_policy(home / policy.folder, seed=0)
    fitted = _finished(Job.objects.create(kind="reward", project=project, state="succeeded"), reward.save)
    RewardModel.objects.create(
        project=project, snapshot=snapshot, name="taste", base_name="tiny", folder=f"jobs/{fitted.pk}/output/model"
    )
    return project


def _finished(job: Any, write: Any) -> Any:
    """The files of a job that succeeded, and scratch that is good for nothing more."""
    from training.folders import JobFolder, seal
    from training.models import Artefact

    folder = JobFolder(job.path)
    folder.path.mkdir(parents=True)
    folder.write_spec({"kind": job.kind})
    folder.output.mkdir()
    write(folder.output / "model")
    for file in seal(folder.output):
        Artefact.objects.create(job=job, path=f"output/{file.path}", sha256=file.sha256, size_bytes=file.size_bytes)
    for name in ("attempt-1/log.txt", "attempt-1/output.partial/half", "checkpoints/step-1/half"):
        (folder.path / name).parent.mkdir(parents=True, exist_ok=True)
        (folder.path / name).write_text("as it was\n")
    return job


def facts() -> dict[str, Any]:
    """What must be equal before and after."""
    from django.apps import apps
    from django.test import Client

    from annotate import exports, snapshots
    from annotate.models import Project, Snapshot
    from rewards.learning.reward_model import RewardModel as Model
    from rewards.models import RewardModel
    from training import folders
    from training.models import Artefact, Policy

    ours = [model for app in ("annotate", "rewards", "training") for model in apps.get_app_config(app).get_models()]
    # A restore writes an audit event, workers come and go, and a sign-in is told on the person.
    changing = {"AuditEvent", "Worker", "Device", "User"}
    found: dict[str, Any] = {
        "rows": {model.__name__: _rows_of(model) for model in ours if model.__name__ not in changing},
        "can sign in": Client().post("/sign-in/", {"username": USER, "password": PASSWORD}).status_code == 302,
        "now": _hash(exports.export(Project.objects.get(), "ranking")),
        "frozen": _hash(exports.export(Snapshot.objects.get(), "ranking")),
        "snapshot": snapshots.verify(Snapshot.objects.get()).name,
        "artefacts": Artefact.objects.count(),
        "log": (Policy.objects.get().job.path / "attempt-1/log.txt").read_text(),
    }
    if Policy.objects.get().path.is_dir():
        for model in (*Policy.objects.all(), *RewardModel.objects.all()):
            folders.verify(model.path.parent)
        found["offset"] = Model.load(RewardModel.objects.get().path).offset
    return found


def yes(text: str) -> bool:
    return True


def no(text: str) -> bool:
    return False


def names(archive: Path) -> list[str]:
    with tarfile.open(archive) as tar:
        return tar.getnames()


def run(*words: str, module: str = "", **environment: str) -> "subprocess.CompletedProcess[str]":
    """A command of manage.py, or a module, with these settings and no others."""
    command = ["-m", module] if module else ["manage.py"]
    kept = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "PLACKETT_HOME")}
    return subprocess.run(
        [sys.executable, *command, *words], cwd=ROOT, capture_output=True, text=True, env={**kept, **environment}
    )


def facts_of(**environment: str) -> dict[str, Any]:
    """Of the installation that these settings lead to, by a process of its own."""
    done = run(module="tests.config.installation", **environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _rows_of(model: Any) -> str:
    """Every column of every row, told from the database itself: what the ORM does not ask for is there too."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            f'SELECT count(*), md5(string_agg(t::text, chr(10) ORDER BY t::text)) FROM "{model._meta.db_table}" t'
        )
        return str(cursor.fetchone())


def _hash(lines: Any) -> str:
    return hashlib.sha256(b"".join(lines)).hexdigest()


def main() -> None:
    import django

    django.setup()
    from django.test.utils import setup_test_environment

    from config import embedded

    embedded.ensure()
    setup_test_environment()
    print(json.dumps(facts()))


if __name__ == "__main__":
    main()
