"""What is wrong with this installation, and what to do about it. Each check looks at one thing and says so."""

import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, ProgrammingError

from config import embedded, health
from config.address import Address, NoAddress, answers, running_url
from config.processes import ServiceFailed
from rewards.models import RewardModel
from training import folders
from training.models import Policy

ROOT = Path(__file__).resolve().parent.parent
ENOUGH_BYTES = 10 << 30
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


class Trouble(Exception):
    """What is the matter, and what to do about it."""

    def __init__(self, detail: str, remedy: str) -> None:
        super().__init__(detail, remedy)
        self.detail, self.remedy = detail, remedy


class Ill(Trouble):
    """Something does not work."""


class Poor(Trouble):
    """It works, but not as well as it should."""


@dataclass(frozen=True)
class Finding:
    name: str
    state: str
    """ok, warn or fail."""
    detail: str
    remedy: str = ""


def examine() -> Iterator[Finding]:
    """Every check in turn, as soon as it is done."""
    for name, check in CHECKS.items():
        try:
            yield Finding(name, "ok", check())
        except Trouble as problem:
            yield Finding(name, "fail" if isinstance(problem, Ill) else "warn", problem.detail, problem.remedy)
        except DatabaseError as problem:
            said = "tables are missing" if isinstance(problem, ProgrammingError) else "it does not answer"
            yield Finding(
                name, "fail", f"The database cannot be asked: {said}.", "See what is said of database and migrations."
            )


def python() -> str:
    release = sys.version.split()[0]
    if sys.version_info < (3, 11):  # noqa: UP036  only pip reads requires-python, and nothing makes one use pip
        raise Ill(f"Python {release} is too old.", "Install Python 3.11, remove .venv, and run make demo.")
    return release


def packages() -> str:
    """The installed releases are the pinned ones."""
    pins = re.findall(r"^([\w.-]+)(?:\[[\w,]+\])?==(\S+)", (ROOT / "requirements.txt").read_text(), flags=re.MULTILINE)
    wrong = [
        f"{name} {wanted} (here: {here or 'missing'})" for name, wanted in pins if (here := _installed(name)) != wanted
    ]
    if wrong:
        raise Ill(f"Other packages than the pinned ones: {', '.join(wrong)}.", "Run: pip install -r requirements.txt")
    return f"{len(pins)} packages as pinned"


def _installed(name: str) -> str | None:
    """Without the part after a +, which tells builds of one release apart."""
    try:
        return version(name).partition("+")[0]
    except PackageNotFoundError:
        return None


def home() -> str:
    mode = stat.S_IMODE(settings.HOME.stat().st_mode)
    if not os.access(settings.HOME, os.W_OK | os.X_OK):
        raise Ill(f"{settings.HOME} cannot be written.", "Change its owner, or set PLACKETT_HOME to another folder.")
    if mode & 0o077:
        raise Poor(f"Others can look into it: its mode is {mode:o}.", f"Run: chmod 700 {settings.HOME}")
    return str(settings.HOME)


def disk() -> str:
    free = shutil.disk_usage(settings.HOME).free
    if free < health.LEAST_FREE_BYTES:
        raise Ill(f"{free / 1e9:.1f} GB free: too little for a model.", f"Make room in {settings.HOME}.")
    if free < ENOUGH_BYTES:
        raise Poor(f"{free / 1e9:.1f} GB free. Each training job takes some.", f"Make room in {settings.HOME}.")
    return f"{free / 1e9:.0f} GB free"


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
        raise Ill(f"Postgres does not answer: {str(problem).strip().splitlines()[0]}", remedy) from problem
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


def torch() -> str:
    """In a process of its own, as always."""
    code = "import torch, transformers; print(torch.__version__, torch.cuda.device_count())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["it was killed"])[-1]
        raise Ill(f"torch cannot be imported: {last}", "Run: pip install --force-reinstall -r requirements.txt")
    number, gpus = done.stdout.split()
    return f"torch {number}, {gpus} GPUs"


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


def chromium() -> str:
    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if found is None:
        raise Poor("There is none. Only the browser tests need it.", "Run: sudo apt-get install -y chromium")
    return found


CHECKS: dict[str, Callable[[], str]] = {
    "python": python,
    "packages": packages,
    "home": home,
    "disk": disk,
    "keys": keys,
    "services": services,
    "database": database,
    "migrations": migrations,
    "broker": broker,
    "workers": workers,
    "server": server,
    "torch": torch,
    "models": models,
    "chromium": chromium,
}
