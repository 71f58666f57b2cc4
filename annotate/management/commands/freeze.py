"""`freeze --project SLUG [--kind K] [--for training|testing]`: freeze what stands now, print the hash alone."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotate import snapshots
from annotate.management.arguments import project_named
from annotate.models import Snapshot


class Command(BaseCommand):
    help = "Freeze rankings, demonstrations or prompts into an immutable file, and print its hash."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--project", required=True, metavar="SLUG")
        parser.add_argument("--kind", choices=Snapshot.Kind.values, default=Snapshot.Kind.RANKINGS)
        parser.add_argument("--for", choices=Snapshot.Purpose.values, default=Snapshot.Purpose.TRAINING, dest="purpose")

    def handle(self, *args: Any, project: str, kind: str, purpose: str, **options: Any) -> None:
        try:
            snapshot = snapshots.freeze(project=project_named(project), kind=kind, purpose=purpose)
        except snapshots.SnapshotRefused as problem:
            raise CommandError(str(problem)) from None
        self.stdout.write(snapshot.sha256)
