"""The homes of test runs. Each says which process it belongs to, so that a later run removes what a killed one left."""

import os
import shutil
import tempfile
from pathlib import Path
from unittest.mock import patch
from urllib.parse import urlsplit

from config import embedded, postgres, valkey
from config.processes import Process

PREFIX = "plackett-test-"
OWNER = f"owner-{os.stat('/proc/self/ns/pid').st_ino}.process"
"""Where the owner is written down. Named after our pid namespace: what is alive in another one cannot be seen here."""


def make() -> Path:
    """A new home that is ours for as long as we live."""
    home = Path(tempfile.mkdtemp(prefix=PREFIX))
    owner = Process.running(os.getpid())
    assert owner is not None
    owner.save(home / OWNER)
    return home


def remove(home: Path) -> None:
    """With its cluster, which lies elsewhere where another user runs it."""
    if (home / "postgres").is_symlink():
        shutil.rmtree(postgres.place(home).parent, ignore_errors=True)
    shutil.rmtree(home, ignore_errors=True)


def remove_abandoned() -> None:
    """End the services of homes whose owner is gone, and remove them; all others are left alone."""
    for home in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        if _is_abandoned(home):
            _end_services(home)
            remove(home)


def _is_abandoned(home: Path) -> bool:
    try:
        return (home / OWNER).stat().st_uid == os.geteuid() and Process.load(home / OWNER) is None
    except OSError:  # of another person, of another namespace, or being made or removed just now
        return False


def _end_services(home: Path) -> None:
    with patch.dict(os.environ, {"PLACKETT_HOME": str(home), "CELERY_BROKER_URL": ""}):
        valkey.stop(Path(urlsplit(embedded.broker_url()).path))
    postgres.stop(postgres.place(home))
