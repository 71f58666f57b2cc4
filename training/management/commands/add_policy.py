"""`add_policy NAME --path DIR`: check a model, and make a policy of it here and now."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from training import foreground, lifecycle
from training.models import Job, Policy


class Command(BaseCommand):
    help = "Add a policy from a folder of a transformers model in safetensors, or from a GGUF file."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("--path", required=True, type=Path, metavar="DIR")
        parser.add_argument("--revision", default="", help="where it came from, kept in the description")

    def handle(self, *args: Any, name: str, path: Path, revision: str, **options: Any) -> None:
        inputs = {"source": str(path.absolute()), "name": name, "description": revision}
        try:
            job = lifecycle.launch(
                kind="convert", project=None, user=None, settings={}, inputs=inputs, priority=lifecycle.INTERACTIVE
            )
            job = self._finished(job)
        except (lifecycle.Refused, lifecycle.InvalidSpec, foreground.CannotRun) as problem:
            raise CommandError(str(problem)) from None
        if job.state != Job.State.SUCCEEDED:
            raise CommandError(job.reason or f"Job {job.pk} is {job.get_state_display().lower()}.")
        policy = Policy.objects.get(job=job)
        self.stdout.write(f"Policy {policy.name} is number {policy.pk}, in {policy.path}.")

    def _finished(self, job: Job) -> Job:
        """Run it here; where a worker was quicker, wait for that one."""
        try:
            return foreground.run(job, tell=self.stdout.write)
        except foreground.CannotRun as problem:
            self.stdout.write(f"{problem} Waiting for a worker.")
            return foreground.wait(job)
