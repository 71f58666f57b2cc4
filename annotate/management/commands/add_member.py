"""`add_member NAME --project SLUG --role R`: make a person a member, and print a link that signs them in once."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from annotate import members
from annotate.management.arguments import link_line, own_url, project_named
from annotate.models import Membership


class Command(BaseCommand):
    help = "Add a person to a project. A name without an account gets one; the link sets its password."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help="the user name")
        parser.add_argument("--project", required=True, metavar="SLUG")
        parser.add_argument("--role", choices=Membership.Role.values, required=True)

    def handle(self, *args: Any, name: str, project: str, role: str, **options: Any) -> None:
        try:
            added = members.add(project_named(project), name, role, by=None, base_url=own_url())
        except members.MembershipRefused as problem:
            raise CommandError(str(problem)) from None
        except ValidationError as problem:
            raise CommandError(" ".join(problem.messages)) from None
        assert added.link is not None, "the command line may open every account"
        self.stdout.write(link_line(added.link))
