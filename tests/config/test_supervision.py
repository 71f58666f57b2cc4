"""One child at a time, with real commands."""

import signal
import subprocess
import time
from pathlib import Path

import pytest

from config import embedded, supervision
from config.processes import Process, wait_until
from config.supervision import Child


@pytest.fixture
def child(tmp_path: Path):
    made: list[Child] = []

    def make(*command: str, **options) -> Child:
        made.append(Child("it", command, pid_file=tmp_path / "it.process", log=tmp_path / "it.log", **options))
        return made[-1]

    yield make
    supervision.stop(made)


def test_a_dead_child_is_said_once_and_started_again_when_it_is_due(child):
    it = child("sleep", "60")
    it.start()
    first = it.process
    assert it.tend() is None
    first.kill()
    first.wait()
    assert it.tend() == f"it was ended by SIGKILL. It starts again in 1 s. Its log: {it.log}"
    assert it.tend() is None
    assert it.process is first
    time.sleep(1.1)
    assert it.tend() is None
    assert it.process is not first
    assert it.process.poll() is None


def test_a_child_that_cannot_live_is_started_ever_more_rarely(child):
    it = child("false")
    delays = []
    for _ in range(7):
        it.start()
        it.process.wait()
        delays.append(float(it.tend().partition("again in ")[2].partition(" s.")[0]))
    assert delays == [1, 2, 4, 8, 16, 30, 30]


def test_a_child_that_runs_once_is_left_alone_when_it_has_ended_but_not_when_it_was_killed(child):
    it = child("sh", "-c", "exit 3", once=True)
    it.start()
    it.process.wait()
    assert it.tend() is None
    it.command = ("sleep", "60")
    it.start()
    it.process.kill()
    it.process.wait()
    assert "starts again" in it.tend()


def test_the_pid_file_of_a_child_lets_another_supervisor_end_it(child):
    it = child("sleep", "60")
    it.start()
    another = child("sleep", "60")
    supervision.stop([another])
    assert it.process.wait(5) == -signal.SIGTERM
    assert not it.pid_file.exists()


def test_a_pid_file_whose_number_went_to_a_stranger_harms_nobody(child):
    stranger = subprocess.Popen(["sleep", "60"])
    it = child("sleep", "60")
    it.pid_file.write_text(f"{stranger.pid} {Process.running(stranger.pid).started - 1}\n")
    supervision.stop([it])
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


def test_a_child_that_will_not_end_is_killed_with_what_it_started(child, tmp_path):
    script = f"trap '' TERM; sleep 61 & echo $! > {tmp_path}/grandchild; wait; wait"
    it = child("sh", "-c", script, patience=0.3)
    it.start()
    assert wait_until((tmp_path / "grandchild").exists, 5)
    assert wait_until(lambda: (tmp_path / "grandchild").read_text().strip() != "", 5)
    grandchild = Process.running(int((tmp_path / "grandchild").read_text()))
    supervision.stop([it])
    assert it.process.wait(5) == -signal.SIGKILL
    assert wait_until(lambda: not grandchild.alive(), 5)


def test_a_large_log_is_set_aside_at_the_next_start(child, monkeypatch):
    monkeypatch.setattr(supervision, "SET_ASIDE_AT", 10)
    it = child("echo", "new")
    it.log.write_text("old " * 10)
    it.start()
    it.process.wait()
    assert it.log.read_text() == "new\n"
    assert it.log.with_suffix(".log.1").read_text() == "old " * 10


def test_the_test_run_has_services_of_its_own():
    assert embedded.ensure() == []
