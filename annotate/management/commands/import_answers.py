"""`import_answers FILE --project SLUG --source NAME`: bring in answers that are there already, to be ranked."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotate import imports
from annotate.management.arguments import opened, project_named


class Command(BaseCommand):
    help = "Import answers, all or nothing, and make a ranking task of each prompt."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE", help="JSON lines; may be gzipped")
        parser.add_argument("--project", required=True, metavar="SLUG")
        parser.add_argument("--source", required=True, metavar="NAME", help="who answered, for rows that do not say")
        parser.add_argument("--not-for-ranking", action="store_true", help="make no ranking tasks")

    def handle(self, *args: Any, file: Path, project: str, source: str, not_for_ranking: bool, **options: Any) -> None:
        home = project_named(project)
        with opened(file) as stream:
            try:
                report = imports.import_answers(
                    project=home, stream=stream, filename=file.name, source=source, for_ranking=not not_for_ranking
                )
            except imports.ImportRefused as problem:
                raise CommandError(str(problem)) from None
        self.stdout.write(str(report))
