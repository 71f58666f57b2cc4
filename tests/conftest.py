"""Every test run gets services of its own in a home of its own, before Django reads its settings.

That is why pyproject.toml names no settings module: pytest-django would read the settings before this file.
DATABASE_URL and CELERY_BROKER_URL are honoured, where they are set."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import homes

homes.remove_abandoned()
HOME = homes.make()
os.environ["PLACKETT_HOME"] = str(HOME)
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"

import django  # noqa: E402

from config import embedded  # noqa: E402

embedded.ensure(postgres_settings={"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"})
django.setup()


def pytest_unconfigure() -> None:
    embedded.leave()
    homes.remove(HOME)


@pytest.fixture
def fresh_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A home of its own for a test that starts and stops services, with nothing inherited."""
    folder = tempfile.mkdtemp(prefix="plackett-home-")
    for name in ("DATABASE_URL", "CELERY_BROKER_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PLACKETT_HOME", folder)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def real_data() -> Path:
    """The folder of real data, or a skip that says what is missing."""
    folder = os.environ.get("PLACKETT_TEST_DATA")
    if not folder:
        pytest.skip("PLACKETT_TEST_DATA names no folder with the real data")
    return Path(folder)


@pytest.fixture(autouse=True)
def plain_static_files(settings) -> None:
    """Pages link to the files as they are: their hashed copies are made when the server starts."""
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
