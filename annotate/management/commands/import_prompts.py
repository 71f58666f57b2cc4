"""`import_prompts FILE --project SLUG [--split S]`: bring in prompts, and demonstrations, from JSONL or CSV."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotate import imports
from annotate.management.arguments import opened, project_named
from annotate.models import Prompt


class Command(BaseCommand):
    help = "Import prompts, all or nothing. Repeating an import changes nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE", help="JSON lines or CSV; may be gzipped")
        parser.add_argument("--project", required=True, metavar="SLUG")
        parser.add_argument("--split", choices=Prompt.Split.values, help="of rows that name none; train if left out")

    def handle(self, *args: Any, file: Path, project: str, split: str | None, **options: Any) -> None:
        home = project_named(project)
        with opened(file) as stream:
            try:
                report = imports.import_prompts(project=home, stream=stream, filename=file.name, split=split)
            except imports.ImportRefused as problem:
                raise CommandError(str(problem)) from None
        self.stdout.write(str(report))
