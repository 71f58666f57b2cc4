"""Files for others, streamed row by row: from a snapshot, or from what stands in a project at this moment."""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from annotate import snapshots
from annotate.formats import trl
from annotate.formats.rows import Row
from annotate.models import AuditEvent, Project, Snapshot, User

Kind, Purpose = Snapshot.Kind, Snapshot.Purpose


class ExportRefused(ValueError):
    """There is no such format, or it cannot carry what is asked for."""


class Format(NamedTuple):
    label: str
    kind: str
    """Of the snapshots that it is made from."""
    rows: Callable[[Iterable[Row]], Iterable[Row]]


def as_they_are(rows: Iterable[Row]) -> Iterable[Row]:
    return rows


FORMATS = {
    "ranking": Format("Rankings: every rank of every labeler", Kind.RANKINGS, as_they_are),
    "preference": Format("Preferences: chosen and rejected, for TRL", Kind.RANKINGS, trl.preference_rows),
    "demonstration": Format("Demonstrations: conversations", Kind.DEMONSTRATIONS, as_they_are),
    "prompt": Format("Prompts: as an import reads them", Kind.PROMPTS, as_they_are),
}


def export(
    source: Snapshot | Project, format: str, *, purpose: str = Purpose.TRAINING, user: User | None = None
) -> Iterator[bytes]:
    """The lines of a JSONL file, made while they are read. `purpose` is for a project; a snapshot has its own.

    Raises ExportRefused or snapshots.SnapshotDamaged before the first line."""
    wanted = FORMATS.get(format)
    if wanted is None:
        raise ExportRefused(f"There is no format {format!r}: take one of {', '.join(FORMATS)}.")
    if isinstance(source, Snapshot):
        lines = _from_snapshot(source, wanted)
        project, subject, purpose = source.project, source.sha256, source.purpose
    else:
        lines = _from_project(source, wanted, purpose)
        project, subject = source, source.slug
    AuditEvent.record("export", user=user, project=project, subject=subject, format=format, purpose=str(purpose))
    return lines


def filename(source: Snapshot | Project, format: str) -> str:
    project = source.project if isinstance(source, Snapshot) else source
    name = source.short_hash if isinstance(source, Snapshot) else "now"
    return f"{project.slug}-{name}.{format}.jsonl"


def _from_snapshot(snapshot: Snapshot, wanted: Format) -> Iterator[bytes]:
    if snapshot.kind != wanted.kind:
        possible = [name for name, known in FORMATS.items() if known.kind == snapshot.kind]
        raise ExportRefused(f"{snapshot} cannot be written as {wanted.kind}: take {' or '.join(possible)}.")
    return _lines(wanted.rows(snapshots.read(snapshot)))


def _from_project(project: Project, wanted: Format, purpose: str) -> Iterator[bytes]:
    if purpose == Purpose.TRAINING and project.purpose == Project.Purpose.EVALUATION:
        raise ExportRefused(f"{project} is for evaluation: its rankings can be exported for testing, not for training.")

    def rows() -> Iterator[Row]:
        with snapshots.one_moment():
            yield from wanted.rows(snapshots.rows_of(project, wanted.kind, purpose))

    return _lines(rows())


def _lines(rows: Iterable[Row]) -> Iterator[bytes]:
    for row in rows:
        yield json.dumps(row, ensure_ascii=False).encode() + b"\n"
