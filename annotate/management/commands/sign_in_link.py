"""`sign_in_link NAME`: print a link that signs this person in once, within 15 minutes."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from annotate.accounts import sign_in_link
from annotate.management.arguments import link_line, own_url, person_named


class Command(BaseCommand):
    help = "Print a link that signs a person in once. It lapses after 15 minutes."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help="the user name")

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        self.stdout.write(link_line(sign_in_link(person_named(name), own_url())))
