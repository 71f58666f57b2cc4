"""`freeze --project SLUG [--kind K] [--for P] [options]`: freeze what stands now, and print the hash alone."""

from argparse import ArgumentParser
from dataclasses import Field, fields
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotate import snapshots
from annotate.management.arguments import project_named
from annotate.snapshots import SnapshotSpec

TYPES = {"guidelines_versions": int, "most_per_labeler": int, "seed": int, "heldout_share": float}


class Command(BaseCommand):
    help = "Freeze rankings, demonstrations or prompts into an immutable file, and print its hash."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--project", required=True, metavar="SLUG")
        for one in fields(SnapshotSpec):
            _add_option(parser, one)

    def handle(self, *args: Any, project: str, **options: Any) -> None:
        asked = {one.name: options[one.name] for one in fields(SnapshotSpec) if options.get(one.name) is not None}
        try:
            spec = SnapshotSpec.from_json(asked)
            snapshot = snapshots.freeze(project=project_named(project), spec=spec)
        except (snapshots.InvalidSnapshotSpec, snapshots.SnapshotRefused) as problem:
            raise CommandError(str(problem)) from None
        self.stdout.write(snapshot.sha256)


def _add_option(parser: ArgumentParser, one: "Field[Any]") -> None:
    """An option a field: its name, its help and its choices are the spec's."""
    name = "--for" if one.name == "purpose" else f"--{one.name.replace('_', '-')}"
    common: dict[str, Any] = {"dest": one.name, "help": one.metadata["help"].replace("%", "%%")}
    if isinstance(one.default, bool):
        parser.add_argument(name, action="store_true", default=None, **common)
    elif choices := [choice for choice in one.metadata["choices"] if choice]:
        parser.add_argument(name, choices=choices, **common)
    else:
        several: dict[str, Any] = {"nargs": "+"} if isinstance(one.default, tuple) else {}
        parser.add_argument(name, type=TYPES.get(one.name, str), **several, **common)
