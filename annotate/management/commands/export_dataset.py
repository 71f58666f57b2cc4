"""`export_dataset HASH --format F --out PATH`: write a snapshot in a format that others read."""

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotate import exports, snapshots


class Command(BaseCommand):
    help = "Export a snapshot as JSON lines. The file is seen whole or not at all."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("hash", metavar="HASH", help="of the snapshot, or its first 8 characters or more")
        parser.add_argument("--format", choices=list(exports.FORMATS), required=True)
        parser.add_argument("--out", type=Path, required=True, metavar="PATH")

    def handle(self, *args: Any, hash: str, format: str, out: Path, **options: Any) -> None:
        draft = out.with_name(f".{out.name}.partial")
        try:
            rows = 0
            lines = exports.export(snapshots.find(hash), format)
            with draft.open("wb") as file:
                for line in lines:
                    rows += 1
                    file.write(line)
            os.replace(draft, out)
        except (snapshots.NoSuchSnapshot, snapshots.SnapshotDamaged, exports.ExportRefused) as problem:
            raise CommandError(str(problem)) from None
        except OSError as problem:
            draft.unlink(missing_ok=True)
            raise CommandError(f"{out} cannot be written: {problem.strerror}.") from None
        self.stdout.write(f"{rows} row{'' if rows == 1 else 's'} in {out}")
