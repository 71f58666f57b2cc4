"""Where the web server listens: BIND and PORT."""

import os
import socket
from dataclasses import dataclass
from typing import Self

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

    def try_out(self) -> None:
        """Listen there for a moment. Raises OSError where that is not to be had."""
        with socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((self.host, self.port))


def own_hosts() -> list[str]:
    """The names under which browsers ask for this machine: it itself, and what BIND names, if that is one address."""
    local = ["127.0.0.1", "localhost", "[::1]"]
    return local if _host() in EVERYWHERE else list(dict.fromkeys([*local, _bracketed(_host())]))


def _host() -> str:
    return os.environ.get("BIND") or "127.0.0.1"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
