"""Files of rows, a line at a time: JSON lines or CSV, plain or gzipped. No file, however made, fills the memory."""

import csv
import gzip
import hashlib
import io
import json
import zlib
from collections.abc import Iterator
from typing import IO, Any, NamedTuple

MOST_BYTES = 4 * 1024**3
"""Unpacked. A gzip bomb of a few megabytes would unpack to far more."""
MOST_ROWS = 2_000_000
LONGEST_ROW = 8 * 1024**2
"""In bytes: a line of JSON, or all the lines of a CSV row, whose quoted cells may go on over any number of them."""

csv.field_size_limit(LONGEST_ROW)


class Unreadable(ValueError):
    """The file, or a line of it, is not what its name says."""


class Row(NamedTuple):
    line: int
    value: Any
    size: int
    """In bytes, unpacked."""


class RowFile:
    """The rows of a binary stream, with the numbers of their lines. Iterate once; then `sha256` is the content's."""

    def __init__(self, stream: IO[bytes], name: str, *, most_bytes: int = MOST_BYTES) -> None:
        self._digest = hashlib.sha256()
        self._most_bytes, self._read, self._of_row = most_bytes, 0, 0
        self._stream = _unpacked(stream)
        self._is_csv = name.lower().removesuffix(".gz").endswith(".csv")
        self.line = 0

    @property
    def sha256(self) -> str:
        """Of all that was read, unpacked."""
        return self._digest.hexdigest()

    def __iter__(self) -> Iterator[Row]:
        rows = self._csv_rows() if self._is_csv else self._json_rows()
        for count, row in enumerate(rows, 1):
            if count > MOST_ROWS:
                raise Unreadable(f"there are more than {MOST_ROWS:,} rows: import them in several files")
            yield row

    def _json_rows(self) -> Iterator[Row]:
        for text in self._lines():
            size = self._row_size()
            if text.strip():
                yield Row(self.line, _parsed(text, first=self.line == 1), size)

    def _csv_rows(self) -> Iterator[Row]:
        reader = csv.reader(self._lines(), strict=True)
        try:
            header = [name.strip() for name in next(reader, [])]
            if len(set(header)) < len(header) or not all(header):
                raise Unreadable("the first line must name each column, and no name twice")
            self._row_size()
            for cells in reader:
                size = self._row_size()
                if cells and len(cells) != len(header):
                    raise Unreadable(f"there are {len(cells)} cells, but the first line names {len(header)} columns")
                if cells:
                    named = {name: cell for name, cell in zip(header, cells, strict=True) if cell}
                    yield Row(self.line, named, size)
        except csv.Error as problem:
            raise Unreadable(f"this is not CSV: {problem}") from problem

    def _row_size(self) -> int:
        """How many bytes were read since it was asked last."""
        size, self._of_row = self._of_row, 0
        return size

    def _lines(self) -> Iterator[str]:
        while True:
            self.line += 1
            raw = self._line()
            if not raw:
                return
            self._read += len(raw)
            self._of_row += len(raw)
            if self._of_row > LONGEST_ROW:
                raise Unreadable(f"the row is longer than {LONGEST_ROW >> 20} MiB")
            if self._read > self._most_bytes:
                raise Unreadable(f"the file unpacks to more than {self._most_bytes >> 20:,} MiB: import it in parts")
            self._digest.update(raw)
            yield _decoded(raw, first=self.line == 1)

    def _line(self) -> bytes:
        try:
            return self._stream.readline(LONGEST_ROW + 1)
        except (EOFError, zlib.error, gzip.BadGzipFile) as problem:
            raise Unreadable(f"the gzip file is damaged or cut off: {problem}") from problem


def _unpacked(stream: IO[bytes]) -> IO[bytes]:
    """By content: what a file is called says nothing about how it was packed."""
    buffered = stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(_Raw(stream))
    if buffered.peek(2)[:2] == b"\x1f\x8b":
        return gzip.GzipFile(fileobj=buffered)  # type: ignore[return-value]
    return buffered


class _Raw(io.RawIOBase):
    """Any binary stream, also an upload that knows only read(), as one that can be buffered."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        chunk = self._stream.read(len(buffer))
        buffer[: len(chunk)] = chunk
        return len(chunk)


def _decoded(raw: bytes, *, first: bool) -> str:
    try:
        return raw.decode("utf-8-sig" if first else "utf-8")
    except UnicodeDecodeError as problem:
        raise Unreadable(f"byte {problem.start + 1} of the line is not UTF-8") from problem


def _parsed(text: str, *, first: bool) -> Any:
    if first and text.lstrip().startswith("["):
        raise Unreadable("the file is one JSON list: write each row as an object on a line of its own")
    try:
        # Without the line's end: what is missing there would be told of as the second character behind it.
        return json.loads(text.rstrip(" \t\r\n"), parse_constant=_refuse_number, parse_float=_finite)
    except json.JSONDecodeError as problem:
        said = problem.msg.removesuffix(" at")
        raise Unreadable(f"this is not JSON: {said} at character {problem.pos + 1}") from problem
    except RecursionError as problem:
        raise Unreadable("the row is nested too deeply") from problem
    except ValueError as problem:
        raise Unreadable(f"this is not JSON: {problem}") from problem


def _finite(text: str) -> float:
    value = float(text)
    return value if abs(value) != float("inf") else _refuse_number(text)


def _refuse_number(text: str) -> float:
    raise ValueError(f"{text[:40]} is not a number that can be kept")
