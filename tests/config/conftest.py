"""Homes that hold something, and places to restore them to."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from django.db import connection

from config.backups import making
from tests import homes
from tests.config import installation


@pytest.fixture
def home(settings, tmp_path) -> Path:
    settings.HOME = tmp_path / "home"
    (settings.HOME / "keys").mkdir(parents=True)
    (settings.HOME / "keys/secret_key").write_text("secret")
    (settings.HOME / "keys/postgres_password").write_text("of one cluster")
    (settings.HOME / "logs").mkdir()
    return settings.HOME


@pytest.fixture
def new_home() -> Iterator[str]:
    """The path of a home that nobody uses yet, short enough for sockets; this process stays where it is."""
    folder = Path(tempfile.mkdtemp(prefix="plackett-home-"))
    yield str(folder)
    homes.remove(folder)


@pytest.fixture
def full(home) -> Path:
    installation.make(home)
    return home


@pytest.fixture
def archive(full, tmp_path) -> Path:
    making.make(tmp_path / "backup.tar")
    return tmp_path / "backup.tar"


@pytest.fixture
def database() -> Iterator[str]:
    """The address of another, empty database on the server of the tests."""
    with psycopg.connect(**connection.get_connection_params() | {"dbname": "postgres"}, autocommit=True) as server:
        name = f"restored_{uuid4().hex}"
        server.execute(f"CREATE DATABASE {name}")
        params = connection.get_connection_params()
        yield f"postgresql://{params['user']}:{params['password']}@/{name}?host={params['host']}"
        server.execute(f"DROP DATABASE {name}")
