"""Look the installation over: `doctor`, or `doctor --json` for a program. Ends with 1 if something does not work."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from config import checkup, embedded


class Command(BaseCommand):
    help = "Say what is wrong with this installation, and what to do about it."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="One JSON object, for a program to read.")

    def handle(self, *, json: bool, **options: Any) -> None:
        checks = checkup.BEFORE_THE_FIRST_START
        if embedded.is_used():
            from config.doctor import CHECKS as checks  # it needs the settings, and they would make a home
        well = checkup.tell(checkup.examine(checks), self.say, as_json=json)
        sys.exit(0 if well else 1)

    def say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
