"""`import_prompts FILE --project SLUG [--split S]`: bring in prompts, and demonstrations, from JSONL or CSV."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from annotate import imports
from annotate.management.arguments import add_import_arguments, brought_in
from annotate.models import Prompt


class Command(BaseCommand):
    help = "Import prompts. Repeating an import changes nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_import_arguments(parser)
        parser.add_argument("--split", choices=Prompt.Split.values, help="of rows that name none; train if left out")

    def handle(self, *args: Any, file: Path, project: str, **options: Any) -> None:
        said = {name: options[name] for name in ("split", "keep_good", "licence")}
        self.stdout.write(str(brought_in(imports.import_prompts, file, project, **said)))
