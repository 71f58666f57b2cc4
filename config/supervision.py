"""The processes that quickstart looks after: each in a session of its own, started again when it dies."""

import os
import signal
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from config import embedded
from config.processes import Process, spawn

LONGEST_DELAY = 30.0
"""Seconds between two starts of a child that dies at once, again and again."""
STEADY = 60.0
"""Seconds of life after which a child's earlier deaths no longer count."""
SET_ASIDE_AT = 20_000_000
"""Bytes of a log from which on the next start begins a new one."""


@dataclass
class Child:
    """A command that is to run for as long as we do, or, with `once`, until it ends by itself."""

    name: str
    command: Sequence[str | Path]
    pid_file: Path
    log: Path | None = None
    """None: it speaks in our terminal."""
    patience: float = 20.0
    """Seconds that it gets to end when asked to."""
    once: bool = False
    process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)
    deaths: int = field(default=0, init=False)
    started_at: float = field(default=0.0, init=False)
    due_at: float = field(default=0.0, init=False)

    def start(self) -> None:
        """Start it, a user of the embedded services too, and write down who it is, for a later start to find."""
        if self.log is not None and self.log.exists() and self.log.stat().st_size > SET_ASIDE_AT:
            os.replace(self.log, self.log.with_suffix(".log.1"))
        with embedded.membership() as descriptor:
            self.process = spawn(self.command, log=self.log, cwd=Path(__file__).parent.parent, pass_fds=[descriptor])
        self.started_at = time.monotonic()
        self.due_at = 0.0
        identity = Process.running(self.process.pid)
        if identity is not None:
            identity.save(self.pid_file)

    def tend(self) -> str | None:
        """Look after it once: start it if it is due. Returns what there is to say, if anything."""
        if self.process is None or self.process.poll() is None:
            return None
        if self.once and self.process.returncode >= 0:
            return None
        if not self.due_at:
            return self._wait_a_little(self.process.returncode)
        if time.monotonic() >= self.due_at:
            self.start()
        return None

    def _wait_a_little(self, code: int) -> str:
        """Twice as long after each death in a row, so that what cannot live does not eat the machine."""
        self.deaths = 1 if time.monotonic() - self.started_at > STEADY else self.deaths + 1
        delay = min(2.0 ** (self.deaths - 1), LONGEST_DELAY)
        self.due_at = time.monotonic() + delay
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        where = f" Its log: {self.log}" if self.log else ""
        return f"{self.name} {how}. It starts again in {delay:.0f} s.{where}"

    def ask_to_end(self) -> None:
        """Ours, or one that a killed quickstart left behind."""
        running = Process.load(self.pid_file)
        if running is not None:
            running.send(signal.SIGTERM)

    def end(self) -> None:
        """Wait for it to end, and kill it and what it started if it takes too long."""
        running = Process.load(self.pid_file)
        if running is not None:
            running.end(patience=self.patience)
        self.pid_file.unlink(missing_ok=True)


def stop(children: Iterable[Child]) -> None:
    """Ask all of these at once, then wait for each."""
    children = list(children)
    for child in children:
        child.ask_to_end()
    for child in children:
        child.end()
