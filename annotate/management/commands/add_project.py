"""`add_project SLUG [--name NAME] [--purpose P] [--rankings-wanted N]`: found a project."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from annotate.management.arguments import own_url
from annotate.models import AuditEvent, Project


class Command(BaseCommand):
    help = "Make a project. An installation admin is admin of every project; add others by add_member."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug", metavar="SLUG", help="letters, digits and hyphens; stands in its addresses")
        parser.add_argument("--name", default="", help="as people see it")
        parser.add_argument("--purpose", choices=Project.Purpose.values, default=Project.Purpose.TRAINING)
        parser.add_argument("--rankings-wanted", type=int, default=1, metavar="N", help="people who rank each task")

    @transaction.atomic
    def handle(self, *args: Any, slug: str, name: str, purpose: str, rankings_wanted: int, **options: Any) -> None:
        name = name or slug.replace("-", " ").capitalize()
        project = Project(slug=slug, name=name, purpose=purpose, rankings_wanted=rankings_wanted)
        try:
            project.full_clean()
        except ValidationError as problem:
            said = "; ".join(f"{field}: {' '.join(texts)}" for field, texts in problem.message_dict.items())
            raise CommandError(said) from None
        project.save()
        AuditEvent.record("project.create", project=project, subject=slug)
        self.stdout.write(f"{project} is made: {own_url()}{project.get_absolute_url()}")
