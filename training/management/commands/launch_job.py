"""`launch_job KIND --project SLUG --set key=value ...`: queue a job, print its id alone."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import QuerySet
from django.db.models.functions import Left

from annotate import snapshots
from annotate.management.arguments import project_named, there_are
from annotate.models import AnswerBatch, Project, Snapshot
from rewards.models import RewardModel
from rewards.specs import InvalidSpec, describe
from training import lifecycle
from training.checks import CHECKS
from training.models import Policy
from training.specs import KINDS
from training.waiting import takers

EXAMPLES = """a setting or an input of the kind. A number: answers=4. Yes or no: for_ranking=true. A text:
name="First try". Something by its name or number: policy=mine. A snapshot by the start of its hash, 8 characters or
more, or by its number: snapshot=1f3870be. A list: prompts=25,26. JSON: rows='[{"prompt": [{"role": "user",
"content": "Why?"}], "answers": ["So."]}]'. A key that there is not is answered with all that there are."""
TEXTS = ("name", "description", "source", "split")
REMEDIES = {
    "policy": "add one by add_policy",
    "reward_model": "train one by launch_job reward",
    "batch": "draw answers by launch_job sample, or bring some in by import_answers",
}


class Command(BaseCommand):
    help = "Queue a job and print its id. A policy, a snapshot and a reward model may be named instead of numbered."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("kind", metavar="KIND", help=", ".join(sorted(KINDS)))
        parser.add_argument("--project", metavar="SLUG", help="the project; a convert job has none")
        parser.add_argument(
            "--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", dest="pairs", help=EXAMPLES
        )
        parser.add_argument("--priority", type=int, default=0, help="smaller comes first")

    def handle(
        self, *args: Any, kind: str, project: str | None, pairs: list[str], priority: int, **options: Any
    ) -> None:
        if kind not in KINDS:
            raise CommandError(f"There is no kind of job {kind!r}; there are {', '.join(sorted(KINDS))}.")
        if project is None and kind != "convert":
            raise CommandError(f"A {kind} job belongs to a project: name it by --project SLUG.")
        home = project_named(project) if project is not None else None
        settings, inputs = split(kind, [_pair(pair) for pair in pairs], home)
        try:
            job = lifecycle.launch(
                kind=kind, project=home, user=None, settings=settings, inputs=inputs, priority=priority
            )
        except (InvalidSpec, lifecycle.Refused) as problem:
            raise CommandError(str(problem)) from None
        self.stdout.write(str(job.pk))
        if not takers(job).filter(draining=False).exists():  # not on standard output, where the id stands alone
            self.stderr.write(
                f"No worker runs that takes it: it waits. Start them all by `make demo`, "
                f"or run it here: manage.py run_job {job.pk}"
            )


def split(kind: str, pairs: list[tuple[str, str]], project: Project | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings and the inputs among what was set, names turned into ids."""
    settings = {field.name for field in describe(KINDS[kind].spec)}
    inputs = set(CHECKS[kind][1])
    for key, _ in pairs:
        if key not in settings | inputs:
            raise CommandError(f"A {kind} job has no {key!r}; there are {', '.join(sorted(settings | inputs))}.")
    return (
        {key: _value(text) for key, text in pairs if key in settings},
        {key: _row_or_value(key, text, project) for key, text in pairs if key in inputs},
    )


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise CommandError(f"Write --set key=value, not {text!r}.")
    return key.strip(), value


def _value(text: str) -> Any:
    """JSON where it is some, else the text as it is."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _row_or_value(key: str, text: str, project: Project | None) -> Any:
    if key == "snapshot":
        return _snapshot(text, project)
    if key in REMEDIES:
        return _row(key, text, project)
    if key == "for_ranking":
        return _yes_or_no(key, text)
    if key == "prompts" and not text.startswith("["):
        return text.split(",")
    return text if key in TEXTS else _value(text)


def _yes_or_no(key: str, text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise CommandError(f"{key} must be true or false, not {text!r}.")
    return text.lower() == "true"


def _row(key: str, text: str, project: Project | None) -> int:
    """The id of the row of this name, or else of this id."""
    rows: QuerySet[Any] = {
        "policy": Policy.objects.all(),
        "reward_model": RewardModel.objects.filter(project=project),
        "batch": AnswerBatch.objects.filter(project=project),
    }[key].order_by("-pk")
    found = list(rows.filter(name=text)[:2])
    if len(found) > 1:
        raise CommandError(f"{key}={text} fits more than one: say {key}=ID, for example {found[0].pk}.")
    if not found and text.isdecimal():
        found = list(rows.filter(pk=int(text)))
    if not found:
        others = there_are(rows, otherwise=REMEDIES[key], called=lambda row: f"{row.pk} {row}")
        raise CommandError(f"There is no {key.replace('_', ' ')} {text!r} here; {others}.")
    return found[0].pk


def _snapshot(text: str, project: Project | None) -> int:
    """By its hash, or by its id: too short a word to be taken for a hash."""
    rows = Snapshot.objects.filter(project=project).order_by("-pk")
    try:
        return snapshots.find(text, project=project, purpose=Snapshot.Purpose.TRAINING).pk
    except snapshots.NoSuchSnapshot as problem:
        if text.isdecimal() and rows.filter(pk=int(text)).exists():
            return int(text)
        hashes = rows.filter(purpose=Snapshot.Purpose.TRAINING).annotate(start=Left("sha256", 12))
        others = there_are(hashes.values_list("start", flat=True), otherwise="make one by freeze")
        raise CommandError(f"{str(problem).rstrip('.')}; {others}.") from None
