"""The end of what a runner wrote: its messages and its log. Files of a job's folder, read only, bounded."""

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from training.models import Job

TAIL_BYTES = 64 * 1024


@dataclass(frozen=True)
class Message:
    at: datetime
    text: str


def messages(job: Job, *, most: int = 40) -> list[Message]:
    """The last things that the runner of the latest attempt said."""
    events = (_event(line) for line in _tail(_folder(job) / "events.jsonl"))
    said = [
        Message(datetime.fromtimestamp(event["time"], UTC), str(event["message"]))
        for event in events
        if "message" in event and isinstance(event.get("time"), (int, float))
    ]
    return said[-most:]


def log(job: Job, *, most: int = 400) -> str:
    """The last lines of what the runner of the latest attempt printed."""
    return "\n".join(_tail(_folder(job) / "log.txt")[-most:])


def _folder(job: Job) -> Path:
    return job.path / f"attempt-{job.attempt}"


def _tail(path: Path) -> list[str]:
    """The whole lines in the last TAIL_BYTES; none where there is no file, or a link in its place."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return []
    with open(descriptor, "rb") as file:
        start = max(os.fstat(descriptor).st_size - TAIL_BYTES, 0)
        file.seek(start)
        lines = file.read(TAIL_BYTES).decode("utf-8", "replace").splitlines()
    return lines[1:] if start else lines


def _event(line: str) -> dict[str, Any]:
    """A torn last line says nothing."""
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}
