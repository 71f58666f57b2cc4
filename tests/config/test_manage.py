"""manage.py starts the services for the commands that need them, and takes them away again."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import get_commands

from config import postgres
from manage import WITHOUT_SERVICES

ROOT = Path(__file__).resolve().parents[2]


def manage(*words: str, python: tuple[str, ...] = (sys.executable,)) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*python, "manage.py", *words], cwd=ROOT, capture_output=True, text=True, env=os.environ)


def test_a_command_with_the_database_finds_it_started_and_leaves_nothing_running(fresh_home):
    done = manage("showmigrations", "annotate")
    assert done.returncode == 0
    assert "[ ] 0001_initial" in done.stdout
    assert (Path(fresh_home) / "postgres/PG_VERSION").exists()
    assert postgres.running(Path(fresh_home) / "postgres") is None


def test_a_command_before_the_first_migration_says_so_in_a_sentence(fresh_home):
    done = manage("sign_in_link", "admin")
    assert done.returncode == 1
    assert (
        done.stderr == "The database is not up to date. Start Plackett with `make demo`, "
        "or run: .venv/bin/python manage.py migrate\n"
    )


def test_a_command_without_the_database_starts_nothing(fresh_home):
    assert manage("help").returncode == 0
    assert manage("migrate", "--help").returncode == 0
    assert not (Path(fresh_home) / "postgres").exists()


def test_every_command_that_starts_nothing_is_there():
    assert sorted(WITHOUT_SERVICES - {*get_commands(), "help", "version"}) == []


def test_a_service_that_cannot_start_is_said_in_a_sentence(fresh_home):
    (Path(fresh_home) / "postgres").mkdir()
    (Path(fresh_home) / "postgres/PG_VERSION").write_text("9\n")
    done = manage("migrate")
    assert done.returncode == 1
    assert done.stderr.startswith("The cluster was made by Postgres 9")
    assert "Traceback" not in done.stderr


def test_the_doctor_of_a_home_that_was_never_used_looks_at_the_machine_and_makes_nothing(fresh_home, monkeypatch):
    monkeypatch.setenv("PLACKETT_HOME", f"{fresh_home}/none")
    done = manage("doctor")
    assert (done.returncode, done.stderr) == (1, "")
    line = f"fail home        There is nothing in {fresh_home}/none yet. Start Plackett once: make demo."
    assert line in done.stdout
    report = json.loads(manage("doctor", "--json").stdout)
    states = {check["name"]: check["state"] for check in report["checks"]}
    assert list(states) == ["python", "packages", "home", "disk", "torch", "chromium"]
    assert (states["python"], states["home"], states["torch"], report["ok"]) == ("ok", "fail", "ok", False)
    assert list(Path(fresh_home).iterdir()) == []


@pytest.mark.parametrize("word", ["--help", "-h"])
def test_the_doctor_of_a_home_that_was_never_used_says_how_it_is_called(fresh_home, monkeypatch, word):
    monkeypatch.setenv("PLACKETT_HOME", f"{fresh_home}/none")
    done = manage("doctor", word)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: manage.py doctor [-h] [--json]")
    wrong = manage("doctor", "--jsno")
    assert (wrong.returncode, wrong.stderr) == (1, "Error: unrecognized arguments: --jsno\n")
    assert list(Path(fresh_home).iterdir()) == []


def test_the_doctor_makes_no_database_and_says_in_words_that_there_is_none(fresh_home):
    assert manage("check").returncode == 0
    done = manage("doctor", "--json")
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert checks["services"]["detail"] == f"There is no database in {fresh_home} yet."
    assert "No such file or directory" in checks["workers"]["detail"]
    assert not (Path(fresh_home) / "postgres").exists()


def test_a_python_without_the_packages_says_which_one_has_them(fresh_home):
    done = manage("migrate", python=(sys.executable, "-S"))
    assert done.returncode == 1
    assert done.stderr.strip().endswith("Use .venv/bin/python, which `make demo` sets up.")
