"""`reaper [--once]`: what every worker does anyway, as a process of its own."""

import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import InterfaceError, OperationalError, connection
from django.utils.timezone import now

from training.reaper import reap


class Command(BaseCommand):
    help = "Queue the jobs of lost workers again and ring for jobs that wait. Workers do this too."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="one round, then end")

    def handle(self, *args: Any, once: bool, **options: Any) -> None:
        if once:
            reap(now())
            return
        while True:
            try:
                reap(now())
            except (OperationalError, InterfaceError) as problem:
                self.stderr.write(f"The database is away: {problem}")
                connection.close()
            time.sleep(settings.JOB_REAP_SECONDS)
