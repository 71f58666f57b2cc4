"""The Makefile on a machine that lacks something."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("target", ["test", "test-slow"])
def test_without_chromium_the_tests_stop_before_anything_is_installed(tmp_path, target):
    make = shutil.which("make")
    assert make, "README asks for make"
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/id").symlink_to(shutil.which("id"))
    environment = {**os.environ, "PATH": str(tmp_path / "bin"), "MAKEFLAGS": ""}
    done = subprocess.run([make, target], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert "Run this once: sudo apt-get install -y chromium" in done.stderr
    assert done.returncode == 2
    assert not (tmp_path / ".venv").exists()


def test_an_install_says_how_much_it_takes_before_it_begins_and_lets_pip_show_how_far_it_is(tmp_path):
    make = shutil.which("make")
    assert make, "README asks for make"
    for name in ("Makefile", "requirements.txt", "requirements-dev.txt"):
        shutil.copy(ROOT / name, tmp_path)
    environment = {**os.environ, "MAKEFLAGS": ""}
    done = subprocess.run([make, "--dry-run", "demo"], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.stdout.index("GB on disk") < done.stdout.index("-m pip install")
    assert "--quiet" not in done.stdout
