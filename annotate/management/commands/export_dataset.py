"""`export_dataset HASH --format F --to FILE [--as A]`: write a snapshot in a format that others read."""

import os
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotate import exports, snapshots
from annotate.formats import WRITERS
from annotate.management.arguments import there_are
from annotate.models import Snapshot

ENDINGS = {"jsonl": "jsonl", "parquet": "parquet", "folder": "zip", "csv": "csv"}


class Command(BaseCommand):
    help = "Export a snapshot to a file, which is seen whole or not at all."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("hash", metavar="HASH", help="of the snapshot, or its first 8 characters or more")
        parser.add_argument("--format", choices=list(WRITERS), required=True)
        parser.add_argument(
            "--as", dest="container", choices=list(ENDINGS), help="folder: a .zip for `datasets`; else as FILE ends"
        )
        parser.add_argument("--to", "--out", dest="to", type=Path, required=True, metavar="FILE")

    def handle(self, *args: Any, hash: str, format: str, container: str | None, to: Path, **options: Any) -> None:
        known = to.suffix.lower().removeprefix(".")
        ending = ENDINGS[container] if container else known if known in exports.TYPES else "jsonl"
        draft = to.with_name(f".{to.name}.partial")
        try:
            snapshot = _snapshot(hash)
            with draft.open("wb") as file:
                for piece in self._pieces(snapshot, format, ending):
                    file.write(piece)
            os.replace(draft, to)
        except (snapshots.SnapshotDamaged, exports.ExportRefused) as problem:
            raise CommandError(str(problem)) from None
        except OSError as problem:
            raise CommandError(f"{to} cannot be written: {problem.strerror}.") from None
        finally:
            draft.unlink(missing_ok=True)
        self.stdout.write(f"{to}: {to.stat().st_size:,} bytes")

    def _pieces(self, snapshot: Snapshot, format: str, ending: str) -> Iterator[bytes]:
        """With a line of progress, where somebody looks on."""
        looks_on, total = sys.stderr.isatty(), snapshot.counts.get(snapshot.kind, 0)

        def tell(rows: int) -> None:
            if looks_on:
                self.stderr.write(f"\r{rows:,} of {total:,} {snapshot.kind}", ending="")

        yield from exports.export(snapshot, format, ending=ending, watch=tell)
        if looks_on:
            self.stderr.write("")


def _snapshot(hash: str) -> Snapshot:
    try:
        return snapshots.find(hash)
    except snapshots.NoSuchSnapshot as problem:
        rows = Snapshot.objects.select_related("project").order_by("-pk")
        others = there_are(rows, otherwise="make one by freeze", called=_in_words)
        raise CommandError(f"{str(problem).rstrip('.')}; {others}.") from None


def _in_words(snapshot: Snapshot) -> str:
    return f"{snapshot.short_hash} ({snapshot.kind} of {snapshot.project.slug} for {snapshot.purpose})"
