"""Everything on this machine, from one command: services, migrations, a demo project, the web server, two workers."""

import contextlib
import os
import shlex
import signal
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections, transaction
from django.utils.text import Truncator
from django.utils.timezone import now

from annotate.accounts import first_admin, sign_in_link
from config import demo, embedded, supervision
from config.address import Address, NoAddress, Running, alone, answers
from config.backups.archive import BackupRefused
from config.backups.swap import settle_left
from config.processes import ServiceFailed, wait_until
from config.supervision import Child
from training.models import Job

PROGRAMS = Path(sys.executable).parent
WEB_PATIENCE = 20.0
ROOT_IS_MEANT = ("-W", "ignore::Warning:celery.platforms")
"""Else Celery warns of root at each start. Nothing is unpickled here, which is what makes root dangerous to it."""
NEWS_SECONDS = 5.0
"""Between two looks for jobs that failed."""
LOOK_SECONDS = 5
"""As long may each step of such a look take: to connect, to be answered."""
LONGEST_REASON = 300
WORKER_PATIENCE = settings.JOB_STOP_GRACE_SECONDS + 15.0


class Command(BaseCommand):
    help = "Start everything on this machine and look after it until Ctrl-C."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--no-demo", action="store_true", help="Make no demo project.")

    def handle(self, *, no_demo: bool, **options: Any) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _stop)
        try:
            address = Address.told()
            self.url = address.url
            with alone(self.url):
                self.children = _children(address, with_demo=not no_demo)
                supervision.stop(self.children)  # what a killed quickstart left behind
                _try_out(address)
                try:
                    self.prepare(with_demo=not no_demo)
                    self.run()
                finally:
                    self.stop()
        except SystemExit:
            again = _typed("quickstart", "--no-demo") if no_demo else " ".join([*_home(), "make demo"])
            self.say(f"Stopped. `{again}` goes on where you left.")
            raise
        except (BackupRefused, NoAddress, Running, ServiceFailed) as problem:
            raise CommandError(str(problem)) from None

    def prepare(self, *, with_demo: bool) -> None:
        self.say(f"Plackett keeps everything in {settings.HOME}.")
        for name in embedded.ensure():
            self.say(f"{name} is up.")
        for is_done in settle_left(settings.HOME):
            self.say(f"A restore that broke off is {'brought to its end' if is_done else 'undone'}.")
        call_command("migrate", interactive=False, verbosity=0)
        call_command("collectstatic", interactive=False, verbosity=0)
        self.say("The database is up to date.")
        admin = first_admin()
        if with_demo and demo.make_project(admin):
            self.say("The demo project and its prompts are made.")

    def run(self) -> None:
        web, *others = self.children
        web.start()
        if not wait_until(lambda: answers(self.url), patience=60):
            self.say(f"The page does not answer yet. See {web.log}.")
        admin = first_admin()
        self.say(f"\nSign in once: {sign_in_link(admin, self.url).strip()}\n")
        again = _typed("sign_in_link", admin.username)
        self.say(f"The link is good for 15 minutes. Another: {again}")
        if os.environ.get("DATABASE_URL"):
            self.say("Set DATABASE_URL there as here.")
        self.say("Ctrl-C stops everything.")
        for child in others:
            child.start()
        connections.close_all()
        news = FailedJobs()
        while True:
            self.tend()
            for line in news.lines(self.url):
                self.say(line)
            time.sleep(0.5)

    def tend(self) -> None:
        """Bring back what died: the services first, since the others need them."""
        try:
            for name in embedded.ensure():
                self.say(f"{name} had ended, and is up again.")
        except ServiceFailed as problem:
            self.say(str(problem))
            time.sleep(5)
        for child in self.children:
            news = child.tend()
            if news:
                self.say(news)

    def stop(self) -> None:
        """In order: the web server, so that nobody is cut off half-way; the workers; the broker; Postgres."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        self.say("Stopping.")
        web, *others = self.children
        supervision.stop([web])
        supervision.stop(others)
        connections.close_all()
        embedded.leave()

    def say(self, line: str) -> None:
        with contextlib.suppress(OSError):  # a terminal that is gone must not keep us from stopping in order
            self.stdout.write(line)
            self.stdout.flush()


class FailedJobs:
    """What there is to say of jobs that fail from now on, once of each."""

    def __init__(self) -> None:
        self.since = now()
        self.told: set[tuple[int, int]] = set()
        self.due_at = 0.0

    def lines(self, url: str) -> list[str]:
        if time.monotonic() < self.due_at:
            return []
        try:
            with _impatient_database() as alias:
                failures = Job.objects.using(alias).filter(state=Job.State.FAILED, finished_at__gte=self.since)
                failed = list(failures.order_by("pk"))
        except DatabaseError:  # it is being brought back
            failed = []
        self.due_at = time.monotonic() + NEWS_SECONDS
        fresh = [job for job in failed if (job.pk, job.attempt) not in self.told]
        self.told.update((job.pk, job.attempt) for job in fresh)
        return [f"{job} failed: {_in_one_line(job.reason)} See {url}{job.get_absolute_url()}" for job in fresh]


@contextlib.contextmanager
def _impatient_database() -> Iterator[str]:
    """The alias of a connection that soon gives up on a database gone silent: children wait to be brought back."""
    link = connections[DEFAULT_DB_ALIAS].copy("impatient")
    link.settings_dict["OPTIONS"] |= {
        "connect_timeout": LOOK_SECONDS,
        "tcp_user_timeout": LOOK_SECONDS * 1000,
        **{"keepalives_idle": LOOK_SECONDS, "keepalives_interval": 1, "keepalives_count": 2},
    }
    connections[link.alias] = link
    try:
        with transaction.atomic(using=link.alias), link.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [f"{LOOK_SECONDS}s"])
            yield link.alias
    finally:
        link.close()
        del connections[link.alias]


def _in_one_line(text: str) -> str:
    """Fit for a terminal, which would obey control characters, whoever wrote them."""
    plain = "".join(character if character.isprintable() else "?" for character in " ".join(text.split()))
    return Truncator(plain).chars(LONGEST_REASON, truncate="...")


def _children(address: Address, *, with_demo: bool) -> list[Child]:
    """In the order in which they start."""

    def child(name: str, *command: str | Path, patience: float, log: bool = True, once: bool = False) -> Child:
        pid_file = settings.HOME / "run" / f"{name}.process"
        file = settings.HOME / "logs" / f"{name}.log" if log else None
        return Child(name, command, pid_file=pid_file, log=file, patience=patience, once=once)

    def worker(queue: str) -> Child:
        celery = (sys.executable, *ROOT_IS_MEANT, "-m", "celery", "-A", "config", "worker")
        wanted = ("-Q", queue, "-c", "1", "-n", f"{queue}@%h", "--loglevel", "INFO")
        return child(f"worker-{queue}", *celery, *wanted, patience=WORKER_PATIENCE)

    web = child(
        "web",
        *(PROGRAMS / "gunicorn", "config.wsgi:application", "--bind", str(address), "--no-control-socket"),
        *("--worker-class", "gthread", "--workers", "2", "--threads", "8", "--timeout", "60"),
        *("--max-requests", "2000", "--max-requests-jitter", "200", "--graceful-timeout", "15"),
        patience=WEB_PATIENCE,
    )
    demo_answers = child("demo", sys.executable, "manage.py", "demo", patience=10, log=False, once=True)
    return [web, worker("jobs"), worker("light"), *([demo_answers] if with_demo else [])]


def _try_out(address: Address) -> None:
    try:
        address.try_out()
    except OSError as problem:
        raise CommandError(
            f"Plackett cannot listen on {address}: {problem.strerror}. "
            f"Stop the program that does, or choose another port: PORT={address.port + 1} make demo"
        ) from problem


def _typed(*words: str) -> str:
    """A command of manage.py as it is typed in another terminal, in the folder of the clone."""
    python = os.path.relpath(sys.executable, settings.ROOT)
    return " ".join([*_home(), shlex.join([python, "manage.py", *words])])


def _home() -> list[str]:
    return [f"PLACKETT_HOME={shlex.quote(str(settings.HOME))}"] if os.environ.get("PLACKETT_HOME") else []


def _stop(number: int, frame: object) -> NoReturn:
    sys.exit(0)
