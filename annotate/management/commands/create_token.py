"""`create_token NAME --scopes read upload [--days N] [--project SLUG]`: make an API token, and print it alone."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotate import tokens
from annotate.management.arguments import person_named, project_named


class Command(BaseCommand):
    help = "Make an API token for a person, and print it. It is never shown again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", metavar="NAME", help="the user name")
        parser.add_argument(
            *("--scopes", "--scope"), nargs="+", action="extend", choices=tokens.OFFERED, required=True, dest="scopes"
        )
        parser.add_argument("--days", type=int, default=tokens.DAYS, metavar="N", help=f"at most {tokens.MOST_DAYS}")
        parser.add_argument("--project", metavar="SLUG", help="good in this one only; else in all of the person's")
        parser.add_argument("--name", default="made by command", metavar="TEXT", help="what it is for")

    def handle(
        self, *args: Any, user: str, scopes: list[str], days: int, project: str | None, name: str, **options: Any
    ) -> None:
        person, only = person_named(user), project_named(project) if project else None
        try:
            _, secret = tokens.make(person, name[:100], scopes, project=only, days=days, by=None)
        except tokens.TokenRefused as problem:
            raise CommandError(str(problem)) from None
        self.stdout.write(secret)
