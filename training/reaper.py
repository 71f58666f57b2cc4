"""The reaper: jobs whose worker is gone go back into the queue, bells that were lost ring again.

It runs in every worker's main process and in `manage.py reaper`; an advisory lock lets one at a time do the work."""

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q

from annotate import assignment
from training import lifecycle, workers
from training.doorbell import ring_for
from training.folders import JobFolder
from training.models import Device, Job, Worker

log = logging.getLogger(__name__)

LOCK = 7_225_526
"""The number of the advisory lock; any number will do that nobody else in this database uses."""
LIGHT_RINGS = 2
TIDY_AGAIN = timedelta(days=7)
"""For so long after its end the files of a job that succeeded are looked after; its supervisor did it at once, unless
it was killed just then."""
LOST = "Its worker stopped giving signs of life: it was killed, or its host or its network failed."


def reap(now: datetime) -> bool:
    """One round. False if another reaper is at it."""
    with transaction.atomic():
        if not _mine():
            return False
        _recover_jobs(now)
        _forget_workers(now)
    assignment.release_lapsed(now)
    _ring_again(now)
    _tidy(now)
    return True


def _mine() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
        return bool(cursor.fetchone()[0])


def _recover_jobs(now: datetime) -> None:
    """Whoever had the lease is fenced from here on: the row does not run, and the next attempt has another number."""
    running = Job.objects.filter(state=Job.State.RUNNING, lease_until__lt=now)
    for job in running.select_for_update(skip_locked=True, no_key=True).order_by("id"):
        log.warning("Job %s, attempt %s: the lease ran out at %s", job.pk, job.attempt, job.lease_until)
        if job.cancel_requested:
            lifecycle.cancelled(job, now)
        elif job.stop_requested:
            lifecycle.give_back(job, now)
        else:
            lifecycle.interrupt(job, LOST, now)
    Device.objects.filter(job__isnull=False).exclude(job__state=Job.State.RUNNING).update(job=None)


def _forget_workers(now: datetime) -> None:
    """Workers that are long gone, and the devices of hosts without any."""
    Worker.objects.filter(seen_at__lt=now - 3 * workers.lifetime()).delete()
    hosts = Worker.objects.filter(queue=Job.Queue.JOBS).values("host")
    Device.objects.filter(job=None).exclude(host__in=hosts).delete()


def _tidy(now: datetime) -> None:
    """A light job has nothing to go on from, however it ended."""
    useless = Q(state=Job.State.SUCCEEDED) | Q(queue=Job.Queue.LIGHT, state__in=[Job.State.FAILED, Job.State.CANCELLED])
    for job in Job.objects.filter(useless, finished_at__gt=now - TIDY_AGAIN).only("pk"):
        JobFolder(job.path).tidy()


def _ring_again(now: datetime) -> None:
    """For jobs that nobody was called to lately, as many as could start; no further while the broker is away."""
    long_ago = now - timedelta(seconds=settings.JOB_RING_AGAIN_SECONDS)
    waiting = Job.objects.filter(state=Job.State.QUEUED).filter(Q(published_at=None) | Q(published_at__lt=long_ago))
    slots = {Job.Queue.JOBS: Device.objects.filter(job=None).count(), Job.Queue.LIGHT: LIGHT_RINGS}
    for queue, most in slots.items():
        for job in waiting.filter(queue=queue).order_by("priority", "id")[:most]:
            if not ring_for(job):
                return
