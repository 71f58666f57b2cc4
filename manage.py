#!/usr/bin/env python
"""Plackett's commands. Those that need the database find the embedded services started."""

import os
import signal
import sys
from argparse import ArgumentParser
from importlib.util import find_spec
from json import dumps
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
        print(_nothing_yet(json="--json" in words))
        sys.exit(1)
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


def _nothing_yet(*, json: bool) -> str:
    """What the doctor says of a home that was never used. The settings would make one where there is none."""
    from config import embedded

    detail = f"There is nothing in {embedded.told_home()} yet."
    remedy = "Start Plackett once: make demo. If it lies elsewhere, set PLACKETT_HOME to that folder."
    if not json:
        return f"fail home        {detail} {remedy}"
    return dumps({"ok": False, "checks": [{"name": "home", "state": "fail", "detail": detail, "remedy": remedy}]})


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
