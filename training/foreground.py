"""A job run by whoever waits for it, in this very process, instead of by a worker."""

import signal
import threading
import time
from collections.abc import Callable

from django.db import transaction
from django.utils.timezone import now

from training import lifecycle, supervisor, workers
from training.models import Job


class CannotRun(ValueError):
    """The job does not wait, or something that it needs is taken. The text says which."""


def run(job: Job, *, tell: Callable[[str], None]) -> Job:
    """Claim this job, run it to its next state, and return it. Ctrl-C stops it as a stopping worker would."""
    with transaction.atomic():
        if job.queue == Job.Queue.JOBS:
            workers.register_devices()
        claimed = lifecycle.claim(worker=None, queue=job.queue, now=now(), only=job.pk)
    if claimed is None:
        job.refresh_from_db()
        raise CannotRun(_why(job))
    stop = threading.Event()
    before = signal.signal(signal.SIGINT, lambda number, frame: stop.set())
    try:
        supervisor.run(claimed, tell=tell, stop=stop)
    finally:
        signal.signal(signal.SIGINT, before)
    claimed.refresh_from_db()
    return claimed


def wait(job: Job) -> Job:
    """Until a worker has finished it."""
    while not job.is_finished:
        time.sleep(0.5)
        job.refresh_from_db()
    return job


def _why(job: Job) -> str:
    if job.state == Job.State.RUNNING:
        return f"A worker has job {job.pk} already: {job.worker or 'another run_job'}."
    if job.state != Job.State.QUEUED:
        return f"Job {job.pk} does not wait any more: it is {job.get_state_display().lower()}."
    holders = Job.objects.filter(devices__host=workers.this_host()).distinct()
    busy = ", ".join(str(holder.pk) for holder in holders)
    number = f"{job.devices_wanted} device{'' if job.devices_wanted == 1 else 's'}"
    return f"Job {job.pk} wants {number}, and fewer are free on this host; busy with job {busy or 'none'}."
