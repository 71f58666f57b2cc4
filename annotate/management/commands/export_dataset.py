"""`export_dataset HASH --format F --out PATH`: write a snapshot in a format that others read; PATH.csv as CSV."""

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotate import exports, snapshots
from annotate.formats import WRITERS
from annotate.management.arguments import there_are
from annotate.models import Snapshot


class Command(BaseCommand):
    help = "Export a snapshot as JSON lines, or as CSV where PATH ends so. The file is seen whole or not at all."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("hash", metavar="HASH", help="of the snapshot, or its first 8 characters or more")
        parser.add_argument("--format", choices=list(WRITERS), required=True)
        parser.add_argument("--out", type=Path, required=True, metavar="PATH")

    def handle(self, *args: Any, hash: str, format: str, out: Path, **options: Any) -> None:
        draft = out.with_name(f".{out.name}.partial")
        try:
            ending = "csv" if out.suffix.lower() == ".csv" else "jsonl"
            rows = -1 if ending == "csv" else 0  # the first line of CSV names the columns
            lines = exports.export(_snapshot(hash), format, ending=ending)
            with draft.open("wb") as file:
                for line in lines:
                    rows += 1
                    file.write(line)
            os.replace(draft, out)
        except (snapshots.SnapshotDamaged, exports.ExportRefused) as problem:
            raise CommandError(str(problem)) from None
        except OSError as problem:
            draft.unlink(missing_ok=True)
            raise CommandError(f"{out} cannot be written: {problem.strerror}.") from None
        self.stdout.write(f"{rows} row{'' if rows == 1 else 's'} in {out}")


def _snapshot(hash: str) -> Snapshot:
    try:
        return snapshots.find(hash)
    except snapshots.NoSuchSnapshot as problem:
        rows = Snapshot.objects.select_related("project").order_by("-pk")
        others = there_are(rows, otherwise="make one by freeze", called=_in_words)
        raise CommandError(f"{str(problem).rstrip('.')}; {others}.") from None


def _in_words(snapshot: Snapshot) -> str:
    return f"{snapshot.short_hash} ({snapshot.kind} of {snapshot.project.slug} for {snapshot.purpose})"
