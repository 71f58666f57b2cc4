"""The demo project, its model and its answers. quickstart runs this beside the web server."""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from annotate.accounts import first_admin
from config import demo


class Command(BaseCommand):
    help = "Make the demo project, fetch its small model, and let it answer. Safe to repeat."

    def handle(self, **options: Any) -> None:
        admin = first_admin()
        demo.make_project(admin)
        try:
            demo.await_answers(demo.make_answers(admin, self.say), self.say)
        except demo.DemoFailed as problem:
            self.say(str(problem))
            sys.exit(1)

    def say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
