"""Frozen data: an immutable file of rows, named by the hash of its content, and a row that says what is in it."""

import hashlib
import json
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet

from annotate import row_source
from annotate.formats.rows import Row
from annotate.models import Answer, AnswerBatch, AuditEvent, Project, Prompt, Ranking, Snapshot, User

Kind, Purpose = Snapshot.Kind, Snapshot.Purpose
SHORTEST_HASH = 8


class SnapshotRefused(ValueError):
    """There is nothing to freeze, or it must not be frozen for this, or it could not be written."""


class SnapshotDamaged(ValueError):
    """The file is gone, cannot be read, or is not what its name says."""


class TooFewConversations(ValueError):
    """A split needs at least two conversations."""


class NoSuchSnapshot(LookupError):
    """No snapshot, or several, under this hash."""


def freeze(
    *, project: Project, kind: str = Kind.RANKINGS, purpose: str = Purpose.TRAINING, user: User | None = None
) -> Snapshot:
    """Write what stands now into a file, and return its row. The same content gives the same hash and the same row.

    For training, rankings of test prompts are left out, and of every prompt that shares a conversation with one.
    Raises SnapshotRefused."""
    if purpose == Purpose.TRAINING and project.purpose == Project.Purpose.EVALUATION:
        raise SnapshotRefused(
            f"{project} is for evaluation: its rankings never enter training. Freeze them for testing instead."
        )
    source, tally = _SOURCES[Kind(kind)], _Tally()
    with one_moment():
        entering = source.entering(project, purpose)
        left_out = source.rows(project).count() - entering.count()
        if not entering.exists():
            raise SnapshotRefused(_nothing(project, kind, left_out))
        digest, size = _write(tally.passing(source.generator(entering)))
        versions = _guidelines_versions(entering) if kind == Kind.RANKINGS else []
    with transaction.atomic():
        snapshot, is_new = Snapshot.objects.get_or_create(
            project=project,
            kind=kind,
            purpose=purpose,
            sha256=digest,
            defaults={
                "size_bytes": size,
                "counts": {**tally.counts(kind), "left_out": left_out},
                "guidelines_versions": versions,
                "created_by": user,
            },
        )
        if is_new:
            AuditEvent.record(
                "snapshot.freeze", user=user, project=project, subject=digest, kind=str(kind), purpose=str(purpose)
            )
    return snapshot


def rows_of(project: Project, kind: str, purpose: str) -> Iterator[Row]:
    """The rows as they stand now, in the order of a snapshot's file."""
    source = _SOURCES[Kind(kind)]
    return source.generator(source.entering(project, purpose))


def path_of(snapshot: Snapshot) -> Path:
    return _folder() / f"{snapshot.sha256}.jsonl"


def find(sha256: str, *, project: Project | None = None, purpose: str = "") -> Snapshot:
    """By its hash, or the first eight characters or more of it. Raises NoSuchSnapshot.

    The same content may be frozen in two projects or for both purposes: name those that matter."""
    if len(sha256) < SHORTEST_HASH:
        raise NoSuchSnapshot(f"{sha256!r} is too short: give at least {SHORTEST_HASH} characters of the hash.")
    rows = Snapshot.objects.filter(project=project) if project else Snapshot.objects.all()
    rows = rows.filter(purpose=purpose) if purpose else rows
    found = rows.select_related("project").filter(sha256__startswith=sha256).order_by("pk")
    if len({snapshot.sha256 for snapshot in found}) != 1:
        wanted = f" for {purpose}" if purpose else ""
        raise NoSuchSnapshot(f"{'Several snapshots start' if found else f'No snapshot{wanted} starts'} with {sha256}.")
    return found[0]


def verify(snapshot: Snapshot) -> Path:
    """The file, if it is what its name says. Raises SnapshotDamaged."""
    path = path_of(snapshot)
    try:
        with path.open("rb") as content:
            found = hashlib.file_digest(content, "sha256").hexdigest()
    except FileNotFoundError as problem:
        raise SnapshotDamaged(f"The file of {snapshot} is gone: {path}. Bring it back from a backup.") from problem
    except OSError as problem:
        raise SnapshotDamaged(f"The file of {snapshot} cannot be read: {path}: {problem.strerror}.") from problem
    if found != snapshot.sha256:
        raise SnapshotDamaged(f"The file of {snapshot} was changed: {path}. Bring it back from a backup.")
    return path


def read(snapshot: Snapshot) -> Iterator[Row]:
    """The rows. The whole file is verified first, by this call, before a row is asked for. Raises SnapshotDamaged."""
    return _rows(verify(snapshot))


def split(rows: Iterable[Row], *, seed: int, heldout_share: float) -> tuple[list[Row], list[Row]]:
    """(train, held out), cut by conversation, never through one. Held out are the `heldout_size` roots that come first
    in an order drawn by the seed: a root's draw depends on nothing else that is there. Raises TooFewConversations."""
    if not 0 < heldout_share < 1:
        raise ValueError(f"heldout_share={heldout_share}: it is a share between 0 and 1.")
    rows = list(rows)
    draws = {root: _draw(seed, root) for root in dict.fromkeys(row["root"] for row in rows)}
    if len(draws) < 2:
        raise TooFewConversations(
            "All rankings are of one conversation, so nothing can be held out to test on. Rank answers of more prompts."
        )
    by_draw = sorted(draws, key=lambda root: draws[root])
    heldout = set(by_draw[: heldout_size(len(draws), heldout_share)])
    return [row for row in rows if row["root"] not in heldout], [row for row in rows if row["root"] in heldout]


def heldout_size(conversations: int, share: float) -> int:
    """How many of two conversations or more a split holds out: the share of them, at least one and never all."""
    return min(max(1, round(share * conversations)), conversations - 1)


@contextmanager
def one_moment() -> Iterator[None]:
    """All queries inside see the database as it is at one moment. Inside a transaction, that one decides."""
    if connection.in_atomic_block:
        yield
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


@dataclass
class _Tally:
    """Counts rows while they pass."""

    rows: int = 0
    comparisons: int = 0
    ties: int = 0
    prompts: set[str] = field(default_factory=set)
    roots: set[str] = field(default_factory=set)
    decided: set[str] = field(default_factory=set)
    """Prompts of which some answer was held better than another."""
    labelers: set[str] = field(default_factory=set)

    def passing(self, rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            self.rows += 1
            self.prompts.add(row["id"])
            if "ranks" in row:
                self._add_ranks(row["ranks"])
                self.roots.add(row["root"])
                if len(set(row["ranks"])) > 1:
                    self.decided.add(row["id"])
                self.labelers.add(row["labeler"])
            yield row

    def _add_ranks(self, ranks: list[int]) -> None:
        self.comparisons += len(ranks) * (len(ranks) - 1) // 2
        self.ties += sum(count * (count - 1) // 2 for count in Counter(ranks).values())

    def counts(self, kind: str) -> dict[str, int]:
        counted = {str(kind): self.rows, "prompts": len(self.prompts)}
        if kind == Kind.RANKINGS:
            counted |= {"comparisons": self.comparisons, "ties": self.ties, "labelers": len(self.labelers)}
            counted |= {"conversations": len(self.roots), "decided": len(self.decided)}
        return counted


def _rankings(project: Project) -> QuerySet[Ranking]:
    return Ranking.objects.standing().filter(task__project=project)


def _demonstrations(project: Project) -> QuerySet[Answer]:
    return Answer.objects.filter(batch__project=project, batch__source=AnswerBatch.Source.PEOPLE)


def _prompts(project: Project) -> QuerySet[Prompt]:
    return project.prompts.all()


class _Source(NamedTuple):
    """What a kind of snapshot is made of."""

    rows: Callable[[Project], QuerySet[Any]]
    prompt: str
    """How its rows refer to their prompt."""
    generator: Callable[[QuerySet[Any]], Iterator[Row]]

    def entering(self, project: Project, purpose: str) -> QuerySet[Any]:
        """Into training no test prompt, and none that shares a conversation with one."""
        found = self.rows(project)
        if purpose == Purpose.TESTING:
            return found
        tests = project.prompts.exclude(split=Prompt.Split.TRAIN).values("root")
        return found.exclude(**{f"{self.prompt}root__in": tests})


_SOURCES = {
    Kind.RANKINGS: _Source(_rankings, "task__prompt__", row_source.ranking_rows),
    Kind.DEMONSTRATIONS: _Source(_demonstrations, "prompt__", row_source.demonstration_rows),
    Kind.PROMPTS: _Source(_prompts, "", row_source.prompt_rows),
}


def _guidelines_versions(rankings: QuerySet[Ranking]) -> list[int]:
    versions = rankings.order_by().values_list("guidelines_version", flat=True).distinct()
    return sorted(version for version in versions if version is not None)


def _nothing(project: Project, kind: str, left_out: int) -> str:
    if left_out:
        return f"All {left_out} {kind} of {project} belong to test prompts, which never enter training."
    return f"{project} has no {kind} yet: there is nothing to freeze."


def _rows(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def _write(rows: Iterable[Row]) -> tuple[str, int]:
    """Write the rows aside, then give the file the name of its content: it is seen whole or not at all."""
    folder, digest, size = _folder(), hashlib.sha256(), 0
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".freezing-", delete=False) as draft:
            try:
                for row in rows:
                    line = json.dumps(row, ensure_ascii=False).encode() + b"\n"
                    digest.update(line)
                    size += draft.write(line)
                draft.flush()
                os.fsync(draft.fileno())
                os.replace(draft.name, folder / f"{digest.hexdigest()}.jsonl")
            except BaseException:
                os.unlink(draft.name)
                raise
        _fsync_folder(folder)
    except OSError as problem:
        raise SnapshotRefused(
            f"The snapshot could not be written to {folder}: {problem.strerror}. Nothing was frozen."
        ) from problem
    return digest.hexdigest(), size


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _folder() -> Path:
    return Path(settings.HOME) / "snapshots"


def _draw(seed: int, root: str) -> float:
    """In [0, 1), the same for the same seed and root."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{root}".encode()).digest()[:8], "big") / 2**64
