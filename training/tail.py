"""Growing files of JSON lines, read as they grow."""

import json
from pathlib import Path
from typing import Any

READ_AT_ONCE = 4 * 1024 * 1024  # bytes
Event = dict[str, Any]


class Tail:
    """The complete lines that a growing file has gained. They count as read once `advance` is called."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0
        self._ahead = 0

    def read(self) -> list[Event]:
        """JSON objects, in order. A torn last line waits for its end; a line that is no JSON is passed over."""
        self._ahead = self._offset
        try:
            with self.path.open("rb") as file:
                file.seek(self._offset)
                block = file.read(READ_AT_ONCE)
                while b"\n" not in block and (more := file.read(READ_AT_ONCE)):
                    block += more
        except FileNotFoundError:
            return []
        whole = block[: block.rfind(b"\n") + 1]
        self._ahead = self._offset + len(whole)
        return [row for row in map(_object, whole.splitlines()) if row]

    def advance(self) -> None:
        self._offset = self._ahead


def _object(line: bytes) -> Event:
    try:
        row = json.loads(line)
    except ValueError:
        return {}
    return row if isinstance(row, dict) else {}
