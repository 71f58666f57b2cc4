"""`import_answers FILE --project SLUG --source NAME`: bring in answers that are there already, to be ranked."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from annotate import imports
from annotate.management.arguments import add_import_arguments, brought_in


class Command(BaseCommand):
    help = "Import answers, and make a ranking task of each prompt."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_import_arguments(parser)
        parser.add_argument("--source", required=True, metavar="NAME", help="who answered, for rows that do not say")
        parser.add_argument("--not-for-ranking", action="store_true", help="make no ranking tasks")

    def handle(self, *args: Any, file: Path, project: str, not_for_ranking: bool, **options: Any) -> None:
        said = {name: options[name] for name in ("source", "keep_good", "licence")}
        report = brought_in(imports.import_answers, file, project, for_ranking=not not_for_ranking, **said)
        self.stdout.write(str(report))
