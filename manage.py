#!/usr/bin/env python
"""Plackett's commands. Those that need the database find the embedded services started."""

import os
import signal
import sys
from argparse import ArgumentParser
from importlib.util import find_spec
from typing import NoReturn

WITHOUT_SERVICES = {
    "backup",
    "check",
    "collectstatic",
    "doctor",
    "findstatic",
    "help",
    "makemessages",
    "quickstart",
    "restore",
    "version",
}
"""Commands that do not ask the database, or that look after the services themselves."""
MIGRATING = {"migrate", "quickstart"}


def main(words: list[str]) -> None:
    if find_spec("django") is None or find_spec("celery") is None:
        sys.exit("This Python has not what Plackett needs. Use .venv/bin/python, which `make demo` sets up.")
    from django.core.management import execute_from_command_line
    from django.db import ProgrammingError
    from psycopg.errors import UndefinedColumn, UndefinedTable

    from config import embedded
    from config.processes import ServiceFailed

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    # Python would die of it on the spot, and the services would never hear that their last user left.
    signal.signal(signal.SIGTERM, _leave)
    command = words[1] if len(words) > 1 else "help"
    if command == "restore":
        _choose_home(words)
    if command == "doctor" and not embedded.is_used():
        _examine_without_a_home(words)
    if not (command.startswith("-") or command in WITHOUT_SERVICES or {"--help", "-h"} & set(words)):
        try:
            embedded.ensure()
        except ServiceFailed as problem:
            sys.exit(str(problem))
    try:
        execute_from_command_line(words)
    except ProgrammingError as problem:
        missing = isinstance(problem.__cause__, UndefinedTable | UndefinedColumn)
        if command in MIGRATING or not missing or not _behind():
            raise
        sys.exit(
            "The database is not up to date. Start Plackett with `make demo`, "
            "or run: .venv/bin/python manage.py migrate"
        )


def _choose_home(words: list[str]) -> None:
    """`--home` stands for PLACKETT_HOME, which the settings read before any command does its words."""
    parser = ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--home")
    home = parser.parse_known_args(words[2:])[0].home
    if home:
        os.environ["PLACKETT_HOME"] = home


def _examine_without_a_home(words: list[str]) -> None:
    """The doctor, who ends with it. Django would read the settings to find him, and they make a home of none."""
    from django.core.management import CommandError

    from config.management.commands.doctor import Command

    doctor = Command()
    try:
        options = doctor.create_parser(*words[:2]).parse_args(words[2:])
    except CommandError as problem:
        sys.exit(str(problem))
    doctor.handle(**vars(options))


def _behind() -> bool:
    """Whether migrations wait to be applied."""
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    plan = MigrationExecutor(connection)
    return bool(plan.migration_plan(plan.loader.graph.leaf_nodes()))


def _leave(number: int, frame: object) -> NoReturn:
    sys.exit(128 + number)


if __name__ == "__main__":
    main(sys.argv)
