"""What is wrong with this installation, and what to do about it. Each check looks at one thing and says so."""

import os
import stat
from collections.abc import Callable

from django.conf import settings
from django.db import DatabaseError

from config import checkup, embedded, health
from config.address import Address, NoAddress, answers, running_url
from config.backups.swap import unsettled
from config.checkup import Ill, Poor, first_line
from config.processes import ServiceFailed
from rewards.models import RewardModel
from training import folders
from training.models import Policy


def home() -> str:
    mode = stat.S_IMODE(settings.HOME.stat().st_mode)
    if not os.access(settings.HOME, os.W_OK | os.X_OK):
        raise Ill(f"{settings.HOME} cannot be written.", "Change its owner, or set PLACKETT_HOME to another folder.")
    for folder in unsettled(settings.HOME):
        remedy = f"Start Plackett, or restore again. Leave {folder} alone until then: it may hold the one copy."
        raise Ill("A restore broke off, or is under way: not all files are in their places.", remedy)
    if mode & 0o077:
        raise Poor(f"Others can look into it: its mode is {mode:o}.", f"Run: chmod 700 {settings.HOME}")
    return str(settings.HOME)


def keys() -> str:
    embedded.secret_key()
    open_files = [file for file in (settings.HOME / "keys").iterdir() if stat.S_IMODE(file.stat().st_mode) & 0o077]
    if open_files:
        names = " ".join(map(str, open_files))
        raise Ill("Others can read secrets.", f"Run: chmod 600 {names} - and renew them, if others use this machine.")
    return "secret key and passwords are readable by the owner alone"


def services() -> str:
    """Start what does not run, since only a running database can be looked at; a new one is not made."""
    if not embedded.has_database():
        raise Ill(f"There is no database in {settings.HOME} yet.", "Start Plackett once: make demo")
    try:
        started = embedded.ensure()
    except ServiceFailed as problem:
        raise Ill(str(problem), f"See the logs in {settings.HOME / 'logs'}.") from problem
    return f"started for this look: {', '.join(started)}" if started else "up"


def database() -> str:
    try:
        health.database()
    except DatabaseError as problem:
        remedy = f"See DATABASE_URL, or {settings.HOME / 'logs/postgres.log'}."
        raise Ill(f"Postgres does not answer: {first_line(problem)}", remedy) from problem
    return "answers"


def migrations() -> str:
    try:
        health.migrations()
    except health.Unwell as problem:
        raise Ill("Not all are applied.", "Run: python manage.py migrate") from problem
    return "all applied"


def broker() -> str:
    try:
        health.broker()
    except health.Unwell as problem:
        remedy = f"See CELERY_BROKER_URL, or {settings.HOME / 'logs/valkey.log'}."
        raise Poor("The broker does not answer. Jobs wait until it does; nothing is lost.", remedy) from problem
    return "answers"


def workers() -> str:
    try:
        health.workers()
    except health.Unwell as problem:
        raise Poor(
            str(problem), "Start Plackett with make demo, or: celery -A config worker -Q QUEUE -c 1"
        ) from problem
    return "each queue has one"


def server() -> str:
    """The web server of this home, or else whether one could be started where it would listen."""
    url = running_url()
    if url is not None:
        if not answers(url):
            raise Poor(f"Plackett runs at {url}, but does not answer.", f"See {settings.HOME / 'logs/web.log'}.")
        return f"runs at {url}"
    try:
        address = Address.told()
        address.try_out()
    except NoAddress as problem:
        raise Ill(str(problem), "Set PORT, or unset it for 8000.") from None
    except OSError as problem:
        remedy = "Stop what listens there, or choose another with PORT."
        raise Poor(f"none runs, and {address} cannot be had: {problem.strerror}.", remedy) from problem
    return f"none runs; {address} is free for one"


def models() -> str:
    """Every policy's and reward model's folder is there and is what its manifest says."""
    broken, good = [], 0
    models: list[Policy | RewardModel] = [*Policy.objects.all(), *RewardModel.objects.all()]
    for model in models:
        try:
            folders.check_model_folder(model.path)
            if (model.path.parent / folders.MANIFEST).exists():
                folders.verify(model.path.parent)
            good += 1
        except folders.UnusableFolder as problem:
            broken.append(f"{model}: {problem}")
    if broken:
        raise Ill(" ".join(broken), "Restore the files from a backup, or run the jobs again.")
    return f"{good} whole"


CHECKS: dict[str, Callable[[], str]] = {
    "python": checkup.python,
    "packages": checkup.packages,
    "home": home,
    "disk": checkup.disk,
    "keys": keys,
    "services": services,
    "database": database,
    "migrations": migrations,
    "broker": broker,
    "workers": workers,
    "server": server,
    "torch": checkup.torch,
    "models": models,
    "chromium": checkup.chromium,
}
