"""Celery's side of the job engine: the doorbell's task, and what a worker does when it starts and stops."""

import os
from typing import Any

from celery import shared_task
from celery.signals import worker_init, worker_ready, worker_shutdown, worker_shutting_down
from django.db import connection
from django.utils.timezone import now

from training import home, lifecycle, supervisor, workers
from training.doorbell import RUN_NEXT, ring
from training.upkeep import Upkeep

__all__ = ["ring", "run_next"]

_upkeep: Upkeep | None = None
_main_process: int | None = None
"""Of the worker: the processes of its pool have it from their parent."""


@shared_task(name=RUN_NEXT, ignore_result=True)
def run_next(queue: str) -> None:
    """Claim what fits, and run it, until nothing does. A ring too many finds nothing, and is dropped."""
    worker = workers.current(queue) or workers.register(queue, pid=_main_process or os.getpid(), now=now())
    while (job := lifecycle.claim(worker=worker, queue=queue, now=now())) is not None:
        supervisor.run(job)


@worker_init.connect
def refuse_another_home(**_: Any) -> None:
    global _main_process
    _main_process = os.getpid()
    try:
        home.check()
    except home.AnotherHome as problem:
        raise SystemExit(str(problem)) from None
    finally:
        connection.close()  # before the pool forks


@worker_ready.connect
def start_upkeep(sender: Any, **_: Any) -> None:
    global _upkeep
    _upkeep = Upkeep(sender.app.amqp.queues.consume_from)
    _upkeep.start()


@worker_shutting_down.connect
def drain(**_: Any) -> None:
    if _upkeep is not None:
        _upkeep.drain()


@worker_shutdown.connect
def end_upkeep(**_: Any) -> None:
    if _upkeep is not None:
        _upkeep.end()
