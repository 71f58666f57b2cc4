"""Processes, named so that a signal never hits a stranger: pid numbers come back, start times do not."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

POLL_SECONDS = 0.02
_started: list["subprocess.Popen[bytes]"] = []  # kept, so that those which end are reaped and not left as zombies


class ServiceFailed(RuntimeError):
    """Something that Plackett starts by itself did not start."""


@dataclass(frozen=True)
class Process:
    """A process, or what was one. `started` is in clock ticks since boot."""

    pid: int
    started: int

    @classmethod
    def running(cls, pid: int) -> Self | None:
        """The live process under this number. A zombie is not alive: it waits for a parent and serves nobody."""
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        return None if fields[0] in "ZX" else cls(pid, int(fields[19]))

    @classmethod
    def load(cls, file: Path) -> Self | None:
        """The process that save() wrote down, if it still lives."""
        try:
            pid, started = map(int, file.read_text().split())
        except (FileNotFoundError, ValueError):
            return None
        process = cls(pid, started)
        return process if process.alive() else None

    def save(self, file: Path) -> None:
        draft = file.with_name(file.name + ".new")
        draft.write_text(f"{self.pid} {self.started}\n")
        os.replace(draft, file)

    def alive(self) -> bool:
        return Process.running(self.pid) == self

    def send(self, number: signal.Signals) -> None:
        if self.alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def end(self, *, patience: float) -> None:
        """Wait for it, which was asked to end, and after `patience` seconds kill it with its whole group."""
        if wait_until(lambda: not self.alive(), patience):
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL) if os.getpgid(self.pid) == self.pid else self.send(signal.SIGKILL)
        wait_until(lambda: not self.alive(), 5)


def wait_until(condition: Callable[[], bool], patience: float) -> bool:
    """Poll until the condition holds or `patience` seconds are over; says which."""
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            return False
        reap()
        time.sleep(POLL_SECONDS)
    return True


def reap() -> None:
    """Collect the children that ended, so that their numbers are free again."""
    _started[:] = [child for child in _started if child.poll() is None]


def spawn(command: Sequence[str | Path], *, log: Path | None, **options: Any) -> "subprocess.Popen[bytes]":
    """Start a command in a session of its own, where a Ctrl-C in the terminal does not reach it.

    It writes to the end of `log`; without one it speaks in our terminal."""
    with contextlib.ExitStack() as stack:
        if log is not None:
            log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            options["stdout"] = options["stderr"] = stack.enter_context(log.open("ab"))
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, **options)
    _started.append(child)
    return child


def tail(log: Path, lines: int = 8) -> str:
    """The end of a log, for a message."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""
