"""Which part of a file a request asks for: RFC 9110, section 14. Pure."""

import re
from typing import NamedTuple

ONE_RANGE = re.compile(r"bytes[ \t]*=[ \t]*([0-9]{0,99})-([0-9]{0,99})[ \t]*", re.ASCII | re.IGNORECASE)


class Unsatisfiable(ValueError):
    """The range has no byte of the file: 416."""


class Part(NamedTuple):
    """From the byte `start` up to the byte before `stop`."""

    start: int
    stop: int

    def of(self, size: int) -> str:
        """As Content-Range says it."""
        return f"bytes {self.start}-{self.stop - 1}/{size}"


def part(header: str | None, size: int) -> Part | None:
    """None for the whole: nothing is asked for, or what no server needs to understand, as several ranges at once.

    Raises Unsatisfiable."""
    found = ONE_RANGE.fullmatch(header or "")
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        asked = Part(max(size - int(last), 0), size)
    else:
        if last and int(last) < int(first):
            return None
        asked = Part(int(first), min(int(last) + 1, size) if last else size)
    if asked.start >= asked.stop:
        raise Unsatisfiable(f"There is no byte of {header} in a file of {size} bytes.")
    return asked


def is_current(header: str | None, etag: str) -> bool:
    """Whether If-Range lets the range stand: only for this very content, which a date cannot tell."""
    return header is None or header.strip() == etag


def is_known(header: str | None, etag: str) -> bool:
    """Whether If-None-Match names what the file is: 304."""
    if header is None:
        return False
    names = [name.strip().removeprefix("W/") for name in header.split(",")]
    return "*" in names or etag in names
