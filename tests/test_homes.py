"""What a killed test run leaves behind, and who clears it away."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from config import postgres, valkey
from config.processes import wait_until
from tests import homes

ROOT = Path(__file__).resolve().parents[1]
OWNER = """
import os, sys
from config import embedded
from tests import homes
os.environ["PLACKETT_HOME"] = str(homes.make())
embedded.ensure(postgres_settings={"fsync": "off"})
print(os.environ["PLACKETT_HOME"], flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def temporary(monkeypatch) -> Iterator[Path]:
    """A folder for temporary files of our own, with a path as short as usual."""
    with tempfile.TemporaryDirectory(prefix="plackett-") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


@pytest.fixture
def owner(temporary) -> Iterator["subprocess.Popen[str]"]:
    """A test run that has its services."""
    kept = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "CELERY_BROKER_URL")}
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        env={**kept, "TMPDIR": str(temporary)},
    )  # fmt: skip
    yield process
    process.communicate("\n")


def test_the_home_of_a_killed_run_goes_with_its_services_and_that_of_a_living_one_stays(owner, temporary):
    home = Path(owner.stdout.readline().strip())
    services = [postgres.running(postgres.place(home)), valkey.running(home / "run/valkey.sock")]
    assert all(services)
    homes.remove_abandoned()
    assert home.exists() and all(service.alive() for service in services)
    owner.kill()
    owner.wait()
    assert all(service.alive() for service in services)
    homes.remove_abandoned()
    assert list(temporary.iterdir()) == []
    assert wait_until(lambda: not any(service.alive() for service in services), 5)


def test_a_home_that_names_no_owner_is_left_alone(temporary):
    (temporary / f"{homes.PREFIX}of-another").mkdir()
    homes.remove_abandoned()
    assert len(list(temporary.iterdir())) == 1
