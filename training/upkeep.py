"""What a worker's main process does beside running jobs: give signs of life, reap, hand back its jobs at the end; and
that of the light queue makes texts searchable and removes exports, drafts and uploads whose time is over."""

import logging
import os
import threading
from collections.abc import Iterable

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.utils.timezone import now

from annotate import searching, snapshots
from training import brought, exported, workers
from training.doorbell import ring
from training.models import Job, Worker
from training.reaper import reap

log = logging.getLogger(__name__)

SEARCHABLE_SECONDS = 5
"""Of each round, at most: the database has other work too."""


class Upkeep:
    """A loop in a thread, from the worker's start to its end."""

    def __init__(self, queues: Iterable[str]) -> None:
        self._queues = [queue for queue in queues if queue in Job.Queue.values]
        self._registered: set[str] = set()
        self._pid = os.getpid()
        self._stopping = threading.Event()
        self._over = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="upkeep", daemon=True)

    def start(self) -> None:
        """Comes back once the worker and its devices are written down: no ring is answered before. What was rung for
        until then found nobody, so it rings once itself."""
        try:
            for queue in self._queues:
                self._sign_of_life(queue)
                ring(queue)
        except (DatabaseError, InterfaceError) as problem:
            self._wait_for_database(problem)
        self._thread.start()

    def drain(self) -> None:
        """The worker was asked to stop: it takes no more, and its jobs save and leave. Returns at once."""
        self._stopping.set()
        self._wake.set()

    def end(self) -> None:
        self._over.set()
        self._wake.set()
        self._thread.join(timeout=10)

    def _loop(self) -> None:
        while not self._over.is_set():
            try:
                self._round()
            except (DatabaseError, InterfaceError) as problem:
                self._wait_for_database(problem)
            except Exception:
                log.exception("Upkeep")
            self._wake.wait(min(settings.JOB_REAP_SECONDS, settings.JOB_HEARTBEAT_SECONDS))
            self._wake.clear()
        self._retire()

    def _wait_for_database(self, problem: Exception) -> None:
        log.warning("Upkeep waits for the database: %s", str(problem).strip().splitlines()[:1])
        connection.close()

    def _round(self) -> None:
        for queue in self._queues:
            worker = self._sign_of_life(queue)
            if self._stopping.is_set():
                workers.drain(worker)
        reap(now())
        if Job.Queue.LIGHT in self._queues and not self._stopping.is_set():
            exported.remove_old(now())
            snapshots.sweep(now())
            brought.sweep(now())
            searching.catch_up(SEARCHABLE_SECONDS)

    def _sign_of_life(self, queue: str) -> Worker:
        mine = Worker.objects.filter(host=workers.this_host(), queue=queue, pid=self._pid)
        if queue in self._registered and mine.update(seen_at=now()):
            return mine.get()
        self._registered.add(queue)
        return workers.register(queue, pid=self._pid, now=now())

    def _retire(self) -> None:
        try:
            Worker.objects.filter(host=workers.this_host(), pid=self._pid, queue__in=self._queues).delete()
        except (DatabaseError, InterfaceError):
            log.warning("The database is away; the reaper forgets this worker later.")
        connection.close()
