"""`restore FILE [--home PATH] [--force]`: a backup into a home and a database that hold nothing yet."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from config.backups import restoring, tables
from config.backups.archive import BackupRefused
from config.terminal import Progress

WORD = "replace"


class Command(BaseCommand):
    help = "Bring back what `backup` saved. What is there already is replaced only with --force, or if you type so."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument("--home", metavar="PATH", help="the home to restore into, instead of PLACKETT_HOME")
        parser.add_argument("--force", action="store_true", help="replace what is there, without a question")

    def handle(self, *args: Any, file: Path, home: str | None, force: bool, **options: Any) -> None:
        if home is not None and Path(home).expanduser().resolve() != settings.HOME:
            raise CommandError(f"This process works in {settings.HOME}: set PLACKETT_HOME to {home} instead.")
        try:
            with Progress(sys.stderr) as progress:
                manifest, cancelled = restoring.restore(
                    file.expanduser().absolute(), confirm=lambda text: force or _typed(text, progress), tell=progress
                )
        except BackupRefused as problem:
            raise CommandError(str(problem)) from None
        rows = sum(table["rows"] for table in manifest["tables"])
        self.stdout.write(f"{rows:,} rows of {manifest['made_at']} are back, in {settings.HOME} and its database.")
        if not manifest["with_models"]:
            self.stdout.write("Without the weights of policies and reward models: they must be made again.")
        if cancelled:
            self.stdout.write(f"{cancelled:,} jobs that had not ended are cancelled: retry those that you still want.")
        self.stdout.write(
            "Everybody must sign in again. Passwords, roles and API tokens are those of then, also what was revoked "
            "since: `manage.py revoke_tokens --all` ends every token."
        )
        behind = set(manifest["migrations"]) != tables.known()
        update = "It is of an older version: `manage.py migrate` (or `make demo`) brings it up to date. "
        self.stdout.write(f"{update if behind else ''}Start Plackett: make demo")


def _typed(text: str, progress: Progress) -> bool:
    """Whether a person at a terminal says so."""
    if not sys.stdin.isatty():
        return False
    progress.clear()
    return input(f"{text}\nType {WORD} to go on: ").strip() == WORD
