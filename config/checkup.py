"""A check-up: what its checks find, how that is told, and the checks that need no home. No settings: they make one."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from django.db import DatabaseError
from psycopg.errors import UndefinedColumn, UndefinedTable

from config import embedded

ROOT = Path(__file__).resolve().parent.parent
LEAST_FREE_BYTES = 1 << 30
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


def examine(checks: Mapping[str, Callable[[], str]]) -> Iterator[Finding]:
    """Every check in turn, as soon as it is done."""
    for name, check in checks.items():
        try:
            yield Finding(name, "ok", check())
        except Trouble as problem:
            yield Finding(name, "fail" if isinstance(problem, Ill) else "warn", problem.detail, problem.remedy)
        except DatabaseError as problem:
            missing = isinstance(problem.__cause__, UndefinedTable | UndefinedColumn)
            said = "tables or columns are missing." if missing else first_line(problem)
            yield Finding(
                name, "fail", f"The database cannot be asked: {said}", "See what is said of database and migrations."
            )


def first_line(problem: Exception) -> str:
    """What an error says in short: the name of its class, if it says nothing."""
    return next(iter(str(problem).strip().splitlines()), type(problem).__name__)


def tell(findings: Iterator[Finding], say: Callable[[str], object], *, as_json: bool) -> bool:
    """Each finding in a line as it comes, or all in one JSON object. True if nothing fails."""
    told = []
    for finding in findings:
        told.append(finding)
        if not as_json:
            say(f"{finding.state:<5}{finding.name:<12}{finding.detail} {finding.remedy}".rstrip())
    well = all(finding.state != "fail" for finding in told)
    if as_json:
        say(json.dumps({"ok": well, "checks": list(map(asdict, told))}, indent=2, ensure_ascii=False))
    return well


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


def unused_home() -> str:
    there = _nearest_folder()
    if not os.access(there, os.W_OK | os.X_OK):
        raise Ill(f"{there} cannot be written.", "Change its owner, or set PLACKETT_HOME to another folder.")
    raise Ill(
        f"There is nothing in {embedded.told_home()} yet.",
        "Start Plackett once: make demo. If it lies elsewhere, set PLACKETT_HOME to that folder.",
    )


def disk() -> str:
    home = embedded.told_home()
    free = shutil.disk_usage(_nearest_folder()).free
    if free < LEAST_FREE_BYTES:
        raise Ill(f"{free / 1e9:.1f} GB free: too little for a model.", f"Make room in {home}.")
    if free < ENOUGH_BYTES:
        raise Poor(f"{free / 1e9:.1f} GB free. Each training job takes some.", f"Make room in {home}.")
    return f"{free / 1e9:.0f} GB free"


def _nearest_folder() -> Path:
    """The home, or what is there of the way to it."""
    home = embedded.told_home()
    return next(folder for folder in (home, *home.parents) if os.path.exists(folder))


def torch() -> str:
    """In a process of its own, as always."""
    code = "import torch, transformers; print(torch.__version__, torch.cuda.device_count())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["it was killed"])[-1]
        raise Ill(f"torch cannot be imported: {last}", "Run: pip install --force-reinstall -r requirements.txt")
    number, gpus = done.stdout.split()
    return f"torch {number}, {gpus} GPUs"


def chromium() -> str:
    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if found is None:
        raise Poor("There is none. Only the browser tests need it.", "Run: sudo apt-get install -y chromium")
    return found


BEFORE_THE_FIRST_START: dict[str, Callable[[], str]] = {
    "python": python,
    "packages": packages,
    "home": unused_home,
    "disk": disk,
    "torch": torch,
    "chromium": chromium,
}
