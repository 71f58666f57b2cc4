"""A line on a terminal that says how far something is. Elsewhere, as in a log, nothing."""

import time
from typing import Self, TextIO

EVERY = 0.2
"""Seconds between two changes of the line."""


class Progress:
    """Call it with what to say, as often as you like."""

    def __init__(self, stream: TextIO) -> None:
        self.stream, self.shown, self.due_at = stream, stream.isatty(), 0.0

    def __call__(self, text: str) -> None:
        if self.shown and time.monotonic() >= self.due_at:
            self.due_at = time.monotonic() + EVERY
            self._write(f"\r\x1b[K{text}")

    def clear(self) -> None:
        if self.shown:
            self._write("\r\x1b[K")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *problem: object) -> None:
        self.clear()

    def _write(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()
