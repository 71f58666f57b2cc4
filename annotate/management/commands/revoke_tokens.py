"""`revoke_tokens NAME ...` or `--all`: end API tokens, say after a restore, which brings dead ones back."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotate import tokens
from annotate.management.arguments import person_named
from annotate.models import Token


class Command(BaseCommand):
    help = "Revoke the API tokens of some people, or all there are."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("users", nargs="*", metavar="NAME", help="the user names")
        parser.add_argument("--all", action="store_true", dest="everybody", help="those of everybody")

    def handle(self, *args: Any, users: list[str], everybody: bool, **options: Any) -> None:
        if bool(users) == everybody:
            raise CommandError("Name the people whose tokens are to end, or say --all.")
        found = Token.objects.all() if everybody else Token.objects.filter(user__in=[*map(person_named, users)])
        self.stdout.write(f"Revoked: {tokens.revoke_each(found, by=None)}.")
