"""Files for others, streamed row by row: from a snapshot, or from what stands in a project at this moment."""

import csv
import json
from collections.abc import Iterable, Iterator

from annotate import snapshots
from annotate.formats import WRITERS, Writer, spreadsheet
from annotate.formats.rows import Row
from annotate.models import AuditEvent, Project, Snapshot, User

Purpose = Snapshot.Purpose
TYPES = {"jsonl": "application/x-ndjson; charset=utf-8", "csv": "text/csv; charset=utf-8"}
"""Of files, by how their names end."""


class ExportRefused(ValueError):
    """There is no such format, or it cannot carry what is asked for."""


def of_kind(kind: str) -> dict[str, Writer]:
    """The formats that a snapshot of this kind can be written in."""
    return {name: writer for name, writer in WRITERS.items() if writer.kind == kind}


def export(
    source: Snapshot | Project,
    format: str,
    *,
    ending: str = "jsonl",
    purpose: str = Purpose.TRAINING,
    user: User | None = None,
) -> Iterator[bytes]:
    """The lines of a file, made while they are read, one a row; the first of CSV names the columns.

    `purpose` is for a project; a snapshot has its own. Raises ExportRefused or snapshots.SnapshotDamaged before the
    first line."""
    wanted = WRITERS.get(format)
    if wanted is None:
        raise ExportRefused(f"There is no format {format!r}: take one of {', '.join(WRITERS)}.")
    if isinstance(source, Snapshot):
        rows = _from_snapshot(source, wanted)
        project, subject, purpose = source.project, source.sha256, source.purpose
    else:
        rows = _from_project(source, wanted, purpose)
        project, subject = source, source.slug
    AuditEvent.record(
        "export", user=user, project=project, subject=subject, format=format, ending=ending, purpose=str(purpose)
    )
    return _table(rows, wanted.columns) if ending == "csv" else _lines(rows)


def filename(source: Snapshot | Project, format: str, ending: str = "jsonl") -> str:
    project = source.project if isinstance(source, Snapshot) else source
    name = source.short_hash if isinstance(source, Snapshot) else "now"
    return f"{project.slug}-{name}.{format}.{ending}"


def _from_snapshot(snapshot: Snapshot, wanted: Writer) -> Iterable[Row]:
    if snapshot.kind != wanted.kind:
        possible = ", ".join(of_kind(snapshot.kind))
        raise ExportRefused(f"{snapshot} cannot be written as {wanted.kind}: take one of {possible}.")
    return wanted.rows(snapshots.read(snapshot))


def _from_project(project: Project, wanted: Writer, purpose: str) -> Iterator[Row]:
    if purpose == Purpose.TRAINING and project.purpose == Project.Purpose.EVALUATION:
        raise ExportRefused(f"{project} is for evaluation: its rankings can be exported for testing, not for training.")
    if problem := snapshots.leaks(project, wanted.kind, purpose):
        raise ExportRefused(problem)

    def rows() -> Iterator[Row]:
        with snapshots.one_moment():
            yield from wanted.rows(snapshots.rows_of(project, wanted.kind, purpose))

    return rows()


def _lines(rows: Iterable[Row]) -> Iterator[bytes]:
    for row in rows:
        yield json.dumps(row, ensure_ascii=False).encode() + b"\n"


class _Written:
    """A file for csv.writer that keeps nothing: its `write` gives back what it was given."""

    write = staticmethod(str.encode)


def _table(rows: Iterable[Row], columns: Iterable[str]) -> Iterator[bytes]:
    line = csv.writer(_Written()).writerow
    yield line(columns)
    for row in rows:
        yield line(spreadsheet.cells(row, columns))
