"""Make a backup: the database as it is at one moment, and the files that its rows speak of."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from django.conf import settings
from django.db import connection, transaction
from django.utils.timezone import now

from annotate.models import AuditEvent
from config.backups import files, tables
from config.backups.archive import FORMAT, HOME, BackupRefused, Manifest, Member, Table, Tell, Writer, table_member
from config.backups.swap import unsettled
from rewards.model_folder import sync
from training.code import code_version


@dataclass
class Made:
    """What came of it."""

    rows: int
    files: int = 0
    missing: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    """Files that are not what the database says of them. They are in the backup as they are."""


def make(file: Path, *, with_models: bool = True, tell: Tell = lambda text: None) -> Made:
    """Write everything into one file, which is seen whole or not at all. Raises BackupRefused.

    People may go on working: rows that they add from now on are not in it."""
    if unsettled(Path(settings.HOME)):
        raise BackupRefused(
            f"A restore into {settings.HOME} broke off, or is under way. Start Plackett, or restore again: both first "
            "put the files in order."
        )
    with _draft(file) as draft:
        writer = Writer(draft)
        with _one_moment():
            migrations = _migrations()
            models = tables.models_at(migrations)
            dumped = [_add_table(writer, name, file.parent, tell) for name in tables.names_of(models)]
            wanted = files.of(models, Path(settings.HOME), with_models=with_models)
        made = Made(sum(table["rows"] for table in dumped), missing=wanted.missing, links=wanted.links)
        _add_files(writer, wanted, made, tell)
        writer.seal(_manifest(writer, migrations, dumped, made, with_models=with_models))
    if tables.is_current():
        AuditEvent.record("backup", subject=file.name, rows=made.rows, files=made.files)
    return made


def _manifest(
    writer: Writer, migrations: tables.Migrations, dumped: list[Table], made: Made, *, with_models: bool
) -> Manifest:
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        (postgres,) = cursor.fetchone()
    return Manifest(
        format=FORMAT,
        version=code_version().partition(",")[0],
        code=code_version(),
        made_at=now().isoformat(timespec="seconds"),
        postgres=postgres,
        migrations=migrations,
        with_models=with_models,
        missing=[*made.missing, *made.links],
        tables=dumped,
        files=writer.members,
    )


def _migrations() -> tables.Migrations:
    migrations = tables.applied()
    if not {"annotate", "rewards", "training"} <= {app for app, _ in migrations}:
        raise BackupRefused("There is nothing in this database yet. Start Plackett once: make demo")
    unknown = sorted(set(migrations) - tables.known())
    if unknown:
        raise BackupRefused(f"The database is ahead of this code: it has {'.'.join(unknown[0])}. Take the newer code.")
    return migrations


def _add_table(writer: Writer, name: str, folder: Path, tell: Tell) -> Table:
    """By way of a file without a name beside the archive, for a tar wants to know the size of what it gets."""
    tell(f"Table {name}")
    with tempfile.TemporaryFile(dir=folder) as packed:
        table = tables.write(name, packed)
        size = packed.tell()
        packed.seek(0)
        writer.add(table_member(name), packed, size)
    return table


def _add_files(writer: Writer, wanted: files.Wanted, made: Made, tell: Tell) -> None:
    home, done = Path(settings.HOME), 0
    total = sum((home / path).stat().st_size for path in wanted.paths if (home / path).is_file())

    def count(size: int) -> None:
        nonlocal done
        done += size
        tell(f"Files: {done / 1e6:,.0f} of {total / 1e6:,.0f} MB")

    for path, sha256 in wanted.paths.items():
        member = _add_file(writer, home, path, count)
        if member is None:
            made.missing.append(path)
            continue
        made.files += 1
        if sha256 not in (None, member["sha256"]):
            made.changed.append(path)


def _add_file(writer: Writer, home: Path, path: str, count: Callable[[int], None]) -> Member | None:
    """None if it went away meanwhile: a snapshot that somebody deleted."""
    try:
        descriptor = os.open(home / path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    with open(descriptor, "rb") as content:
        return writer.add(f"{HOME}/{path}", content, os.fstat(descriptor).st_size, count)


@contextmanager
def _one_moment() -> Iterator[None]:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


@contextmanager
def _draft(file: Path) -> Iterator[IO[bytes]]:
    """A file beside, for its owner alone, which gets the name once it is whole. Raises BackupRefused."""
    if not file.parent.is_dir() or file.is_dir():
        raise BackupRefused(f"{file} cannot be written: name a file in a folder that is there.")
    try:
        draft = tempfile.NamedTemporaryFile(dir=file.parent, prefix=f".{file.name}-", suffix=".partial", delete=False)  # noqa: SIM115
        try:
            with draft:
                yield draft
                draft.flush()
                os.fsync(draft.fileno())
            os.replace(draft.name, file)
            sync(file.parent)
        finally:
            Path(draft.name).unlink(missing_ok=True)
    except OSError as problem:
        where = f" ({problem.filename})" if problem.filename else ""
        said = f"{problem.strerror or problem}{where}"
        raise BackupRefused(f"{file} could not be written: {said}. Nothing is left of it.") from None
