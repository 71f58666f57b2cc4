"""`launch_job KIND --project SLUG --set key=value ...`: queue a job, print its id alone."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

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
        home = _project(project)
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


def _project(slug: str | None) -> Project | None:
    if slug is None:
        return None
    project = Project.objects.filter(slug=slug).first()
    if project is None:
        raise CommandError(f"There is no project {slug!r}; there are {', '.join(_slugs()) or 'none'}.")
    return project


def _slugs() -> list[str]:
    return list(Project.objects.order_by("slug").values_list("slug", flat=True)[:20])


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
    named = {
        "policy": Policy.objects.filter(name=text),
        "reward_model": RewardModel.objects.filter(project=project, name=text),
        "snapshot": Snapshot.objects.filter(project=project, sha256__startswith=text),
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
