"""`run_job ID`: run a queued job here, in the foreground, and say how it goes."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotate.management.arguments import own_url
from training import foreground
from training.models import Job


class Command(BaseCommand):
    help = (
        "Run a queued job in the foreground, where no worker is up to take it first. "
        "Ctrl-C saves its work and puts it back into the queue."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("id", type=int)

    def handle(self, *args: Any, id: int, **options: Any) -> None:
        job = Job.objects.filter(pk=id).first()
        if job is None:
            raise CommandError(f"There is no job {id}.")
        try:
            job = foreground.run(job, tell=self.stdout.write)
        except foreground.CannotRun as problem:
            raise CommandError(f"{problem} See {own_url()}{job.get_absolute_url()}") from None
        self.stdout.write(f"Job {job.pk}: {job.get_state_display().lower()}.")
        if job.state == Job.State.FAILED:
            raise CommandError(job.reason)
