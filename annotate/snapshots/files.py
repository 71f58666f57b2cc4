"""The files of snapshots, PLACKETT_HOME/snapshots/<sha256>.jsonl: whole or not there, verified before they are read."""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import connection, transaction

from annotate import json_lines
from annotate.formats.rows import Row
from annotate.models import Snapshot

DRAFT = ".freezing-"
ABANDONED = timedelta(hours=6)
"""A draft to which nothing was added for so long is nobody's: a million rankings are frozen within minutes."""


class SnapshotRefused(ValueError):
    """There is nothing to freeze, or it must not be frozen for this, or it could not be written."""


class SnapshotDamaged(ValueError):
    """The file is gone, cannot be read, or is not what its name says."""


def path_of(snapshot: Snapshot) -> Path:
    return _path(snapshot.sha256)


def verify(snapshot: Snapshot) -> Path:
    """The file, if it is what its name says. Raises SnapshotDamaged."""
    path = path_of(snapshot)
    with _readable(snapshot), path.open("rb") as content:
        found = hashlib.file_digest(content, "sha256").hexdigest()
    if found != snapshot.sha256:
        raise SnapshotDamaged(_changed(snapshot))
    return path


def read(snapshot: Snapshot) -> Iterator[Row]:
    """The rows. The whole file is verified first, by this call, before a row is asked for. Raises SnapshotDamaged."""
    return _rows(verify(snapshot))


def lines(snapshot: Snapshot) -> Iterator[bytes]:
    """The lines as they are, verified at the last one: for a reader that keeps nothing until then."""
    digest = hashlib.sha256()
    with _readable(snapshot), path_of(snapshot).open("rb") as content:
        for line in content:
            digest.update(line)
            yield line
    if digest.hexdigest() != snapshot.sha256:
        raise SnapshotDamaged(_changed(snapshot))


@dataclass(frozen=True)
class Draft:
    """A file that has no name yet."""

    path: Path
    sha256: str
    size_bytes: int

    def publish(self) -> None:
        """Give it the name of its content. Call it in the transaction that stores its row, after `hold`."""
        with _writing(self.path.parent):
            os.replace(self.path, _path(self.sha256))
            _fsync_folder(self.path.parent)


@contextmanager
def written(rows: Iterable[Row]) -> Iterator[Draft]:
    """The rows in a draft, which is gone at the end if it was not published. Raises SnapshotRefused."""
    folder, digest, size = _folder(), hashlib.sha256(), 0
    with _writing(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = tempfile.NamedTemporaryFile(dir=folder, prefix=DRAFT, delete=False)  # noqa: SIM115
    try:
        with _writing(folder), draft:
            for row in rows:
                line = json_lines.line(row)
                digest.update(line)
                size += draft.write(line)
            draft.flush()
            os.fsync(draft.fileno())
        yield Draft(Path(draft.name), digest.hexdigest(), size)
    finally:
        Path(draft.name).unlink(missing_ok=True)


def hold(sha256: str) -> None:
    """Until the transaction ends nobody else gives a file this name or takes it away."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"snapshot {sha256}"])


def forget(sha256: str) -> None:
    """Remove the file, unless a row has this content: another one, or a new one."""
    with transaction.atomic():
        hold(sha256)
        if not Snapshot.objects.filter(sha256=sha256).exists():
            _path(sha256).unlink(missing_ok=True)


def sweep(at: datetime) -> None:
    """Remove the drafts that a freezing left behind because it was killed; one that fails removes its own."""
    for draft in _folder().glob(f"{DRAFT}*"):
        with suppress(FileNotFoundError):
            if draft.stat().st_mtime < (at - ABANDONED).timestamp():
                draft.unlink()


def _rows(path: Path) -> Iterator[Row]:
    with path.open("rb") as content:
        for line in content:
            yield json.loads(line.decode())


@contextmanager
def _readable(snapshot: Snapshot) -> Iterator[None]:
    path = path_of(snapshot)
    try:
        yield
    except FileNotFoundError as problem:
        raise SnapshotDamaged(f"The file of {snapshot} is gone: {path}. Bring it back from a backup.") from problem
    except OSError as problem:
        raise SnapshotDamaged(f"The file of {snapshot} cannot be read: {path}: {problem.strerror}.") from problem


def _changed(snapshot: Snapshot) -> str:
    return f"The file of {snapshot} was changed: {path_of(snapshot)}. Bring it back from a backup."


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        raise SnapshotRefused(
            f"The snapshot could not be written to {folder}: {problem.strerror}. Nothing was frozen."
        ) from problem


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _path(sha256: str) -> Path:
    return _folder() / f"{sha256}.jsonl"


def _folder() -> Path:
    return Path(settings.HOME) / "snapshots"
