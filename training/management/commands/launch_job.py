"""`launch_job KIND --project SLUG --set key=value ...`: queue a job, print its id alone."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import QuerySet

from annotate import snapshots
from annotate.management.arguments import project_named
from annotate.models import AnswerBatch, Project, Snapshot
from rewards.models import RewardModel
from rewards.specs import InvalidSpec, describe
from training import lifecycle
from training.checks import CHECKS
from training.models import Policy
from training.specs import KINDS


class Command(BaseCommand):
    help = "Queue a job and print its id. A policy, a snapshot and a reward model may be named instead of numbered."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("kind", choices=sorted(KINDS), metavar="KIND", help=", ".join(sorted(KINDS)))
        parser.add_argument("--project", metavar="SLUG", help="the project; a convert job has none")
        parser.add_argument("--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", dest="pairs")
        parser.add_argument("--priority", type=int, default=0, help="smaller comes first")

    def handle(
        self, *args: Any, kind: str, project: str | None, pairs: list[str], priority: int, **options: Any
    ) -> None:
        home = project_named(project) if project is not None else None
        settings, inputs = split(kind, [_pair(pair) for pair in pairs], home)
        try:
            job = lifecycle.launch(
                kind=kind, project=home, user=None, settings=settings, inputs=inputs, priority=priority
            )
        except (InvalidSpec, lifecycle.Refused) as problem:
            raise CommandError(str(problem)) from None
        self.stdout.write(str(job.pk))


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
    named: dict[str, QuerySet[Any]] = {
        "policy": Policy.objects.filter(name=text),
        "reward_model": RewardModel.objects.filter(project=project, name=text),
        "batch": AnswerBatch.objects.filter(project=project, name=text),
    }
    if key in ("name", "description", "source", "split"):
        return text
    if key not in named:
        return _value(text)
    found = list(named[key].order_by("-pk")[:2])
    if len(found) == 1:
        return found[0].pk
    if found:
        raise CommandError(f"{key}={text} fits more than one: say {key}=ID, for example {found[0].pk}.")
    if not text.isdecimal():
        raise CommandError(f"There is no {key.replace('_', ' ')} {text!r} here.")
    return int(text)


def _snapshot(text: str, project: Project | None) -> int:
    """By its hash, or by its id: too short a word to be taken for a hash."""
    try:
        return snapshots.find(text, project=project, purpose=Snapshot.Purpose.TRAINING).pk
    except snapshots.NoSuchSnapshot as problem:
        if text.isdecimal():
            return int(text)
        raise CommandError(str(problem)) from None
