"""Where the web server listens: BIND and PORT say it to quickstart, and its lock to all other commands."""

import fcntl
import http.client
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from config import embedded
from config.processes import wait_until

EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104  compared, not bound


class NoAddress(ValueError):
    """PORT is no port. The text says what to write."""


@dataclass(frozen=True)
class Address:
    host: str
    port: int

    @classmethod
    def told(cls) -> Self:
        """From the environment. Raises NoAddress."""
        port = os.environ.get("PORT") or "8000"
        if not (port.isascii() and port.isdecimal() and 0 < int(port) < 65536):
            raise NoAddress(f"PORT={port!r}: write a number between 1 and 65535.")
        return cls(_host(), int(port))

    def __str__(self) -> str:
        return f"{_bracketed(self.host)}:{self.port}"

    @property
    def url(self) -> str:
        """Where a browser on this machine reaches it."""
        return f"http://{_bracketed('127.0.0.1' if self.host in EVERYWHERE else self.host)}:{self.port}"

    def try_out(self) -> None:
        """Listen there for a moment. Raises OSError where that is not to be had."""
        with socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((self.host, self.port))


class Running(RuntimeError):
    """A quickstart of this home runs already. The text says where, and what to do."""


@contextmanager
def alone(url: str) -> Iterator[None]:
    """One quickstart per home, which writes down where it serves. The lock goes with the process, however it ends.

    Raises Running."""
    with _lock().open("a+") as file:
        if not wait_until(lambda: _locked(file), patience=1):  # a command that looks at the lock holds it for a moment
            file.seek(0)
            raise Running(
                f"Plackett runs already from {embedded.home()}: {file.read().strip()}. "
                "Stop that one first, or give this one another PLACKETT_HOME and PORT."
            )
        file.truncate(0)
        file.write(f"process {os.getpid()}, {url}")
        file.flush()
        yield


def running_url() -> str | None:
    """Where the quickstart of this home serves, or None if none runs."""
    try:
        file = _lock().open()
    except FileNotFoundError:
        return None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return file.read().rpartition(" ")[2] or None
    return None


def answers(url: str) -> bool:
    """Whether a server is alive there."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=5)
    try:
        connection.request("GET", "/livez")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def own_url() -> str:
    """Where the pages are reached: at the running quickstart, else where the next one would serve. Raises NoAddress."""
    return running_url() or Address.told().url


def own_hosts() -> list[str]:
    """The names under which browsers ask for this machine: it itself, and what BIND names, if that is one address."""
    local = ["127.0.0.1", "localhost", "[::1]"]
    return local if _host() in EVERYWHERE else list(dict.fromkeys([*local, _bracketed(_host())]))


def _locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lock() -> Path:
    folder = embedded.home() / "run"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder / "quickstart.lock"


def _host() -> str:
    return os.environ.get("BIND") or "127.0.0.1"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
