"""Rings for a worker. A ring carries no job: it says "claim what fits". It may be lost; the reaper rings again."""

import logging

from celery import current_app
from django.utils.timezone import now

from training.models import Job

log = logging.getLogger(__name__)

RUN_NEXT = "training.run_next"
PATIENCE = 2  # seconds; whoever rings may be answering a page


def ring(queue: str) -> bool:
    """Tell the queue's workers that there may be work. False, and a line in the log, if the broker is not there."""
    options = {**(current_app.conf.broker_transport_options or {}), "max_retries": 0, "socket_timeout": PATIENCE}
    try:
        with current_app.connection_for_write(connect_timeout=PATIENCE, transport_options=options) as broker:
            current_app.send_task(RUN_NEXT, args=[queue], queue=queue, connection=broker, retry=False)
    except Exception as problem:  # each transport has errors of its own, and no page may break over one
        log.warning("The broker cannot be reached; the reaper rings for the queue %s later: %s", queue, problem)
        return False
    return True


def ring_for(job: Job) -> bool:
    """Ring, and write down on the job that it was rung for."""
    rung = ring(job.queue)
    if rung:
        Job.objects.filter(pk=job.pk).update(published_at=now())
    return rung
