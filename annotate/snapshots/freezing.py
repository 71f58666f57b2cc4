"""Freeze what a spec chooses into a file and a row, find it again, and delete it."""

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, closing
from typing import Any

from django.db import transaction
from django.db.models import ProtectedError

from annotate.formats.rows import Row
from annotate.models import AuditEvent, Project, Snapshot, User
from annotate.snapshots import files, previews, rows
from annotate.snapshots.card import card_of
from annotate.snapshots.files import Draft, SnapshotRefused
from annotate.snapshots.previews import LeftOut
from annotate.snapshots.selection import Selection
from annotate.snapshots.spec import SnapshotSpec
from annotate.snapshots.splitting import TooFewConversations
from annotate.snapshots.tally import Tally

SHORTEST_HASH = 8
WATCHED = 1000
"""Rows between two words of how far it is."""
USES_NAMED = 3
Watch = Callable[[int, int], None]


class NoSuchSnapshot(LookupError):
    """No snapshot, or several, under this hash."""


class SnapshotInUse(ValueError):
    """Something was made of it, and would lose where it comes from."""


def freeze(
    *,
    project: Project,
    spec: SnapshotSpec | None = None,
    kind: str = Snapshot.Kind.RANKINGS,
    purpose: str = Snapshot.Purpose.TRAINING,
    user: User | None = None,
    watch: Watch = lambda done, total: None,
    keep: Callable[[Snapshot], None] = lambda snapshot: None,
) -> Snapshot:
    """Write what the spec chooses of what stands now, and return its row; `kind` and `purpose` are for a plain one.

    The same content gives the same hash, and by the same settings the same row. For training, rankings of test prompts
    are left out, and of every prompt that shares a conversation with one. Raises SnapshotRefused.

    `watch` hears how many are gathered of how many, and leaves off by raising: the connection is busy meanwhile. `keep`
    is given the row within the transaction that stores it."""
    spec = spec or SnapshotSpec(kind=str(kind), purpose=str(purpose))
    selection, tally = Selection(project, spec), Tally(spec.kind)
    with ExitStack() as drafts:
        with previews.one_moment():
            try:
                counted = previews.steps_counted(selection)
            except TooFewConversations as problem:
                raise SnapshotRefused(str(problem)) from problem
            previews.refuse(previews.refusal_of(selection, counted))
            with closing(rows.rows_of(selection)) as found:
                passing = _watched(tally.passing(found), spec, watch, counted[-1][1])
                draft = drafts.enter_context(files.written(passing))
            left_out = previews.left_out_of(counted) + _without_a_winner(selection, tally)
            card = card_of(selection, tally, left_out)
        return _store(selection, draft, card, user, keep)


def rows_of(project: Project, kind: str, purpose: str) -> Generator[Row]:
    """The rows as they stand now, in the order of a snapshot's file."""
    return rows.rows_of(_plain(project, kind, purpose))


def leaks(project: Project, kind: str, purpose: str) -> str:
    """Why these rows must not leave for this, as a freezing would say it, or empty."""
    return previews.leaks(_plain(project, kind, purpose)) if purpose == Snapshot.Purpose.TRAINING else ""


def find(sha256: str, *, project: Project | None = None, purpose: str = "") -> Snapshot:
    """By its hash, or the first eight characters or more of it. Raises NoSuchSnapshot.

    The same content may be frozen in two projects or for both purposes: name those that matter."""
    if len(sha256) < SHORTEST_HASH:
        raise NoSuchSnapshot(f"{sha256!r} is too short: give at least {SHORTEST_HASH} characters of the hash.")
    known = Snapshot.objects.filter(project=project) if project else Snapshot.objects.all()
    known = known.filter(purpose=purpose) if purpose else known
    found = known.select_related("project").filter(sha256__startswith=sha256).order_by("pk")
    if len({snapshot.sha256 for snapshot in found}) != 1:
        wanted = f" for {purpose}" if purpose else ""
        raise NoSuchSnapshot(f"{'Several snapshots start' if found else f'No snapshot{wanted} starts'} with {sha256}.")
    return found[0]


def delete(snapshot: Snapshot, *, user: User | None = None) -> None:
    """The row, and the file where no other row has its content. Raises SnapshotInUse, which names what uses it."""
    project, sha256, name = snapshot.project, snapshot.sha256, str(snapshot)
    try:
        with transaction.atomic():
            AuditEvent.record("snapshot.delete", user=user, project=project, subject=sha256, kind=snapshot.kind)
            snapshot.delete()
            transaction.on_commit(lambda: files.forget(sha256))
    except ProtectedError as problem:
        users = sorted(f"{one._meta.verbose_name} “{one}”" for one in problem.protected_objects)
        more = f" and {len(users) - USES_NAMED} more" if len(users) > USES_NAMED else ""
        raise SnapshotInUse(
            f"{name} cannot be deleted: {', '.join(users[:USES_NAMED])}{more} would lose where it comes from."
        ) from problem


def _plain(project: Project, kind: str, purpose: str) -> Selection:
    return Selection(project, SnapshotSpec(kind=str(kind), purpose=str(purpose)))


def _watched(passing: Iterable[Row], spec: SnapshotSpec, watch: Watch, total: int) -> Iterator[Row]:
    """Of several rankings that are made one row, each counts."""
    gathered = told = 0
    watch(gathered, total)
    for row in passing:
        yield row
        gathered += row["n_rankings"] if spec.is_consensus else 1
        if gathered >= told + WATCHED:
            told = gathered
            watch(gathered, total)
    watch(total, total)


def _store(
    selection: Selection, draft: Draft, card: dict[str, Any], user: User | None, keep: Callable[[Snapshot], None]
) -> Snapshot:
    project, spec = selection.project, selection.spec
    left_out = sum(one["rows"] for one in card["left_out"])
    versions = [one["version"] for one in card.get("guidelines", []) if one["version"] is not None]
    with transaction.atomic():
        files.hold(draft.sha256)
        snapshot, is_new = Snapshot.objects.get_or_create(
            project=project,
            kind=spec.kind,
            purpose=spec.purpose,
            sha256=draft.sha256,
            settings=spec.to_json(),
            defaults={
                "size_bytes": draft.size_bytes,
                "counts": {**card["counts"], "left_out": left_out},
                "card": card,
                "guidelines_versions": versions,
                "created_by": user,
            },
        )
        if is_new:
            AuditEvent.record(
                "snapshot.freeze", user=user, project=project, subject=draft.sha256,
                kind=spec.kind, purpose=spec.purpose, settings=spec.chosen(),
            )  # fmt: skip
        keep(snapshot)
        draft.publish()
    return snapshot


def _without_a_winner(selection: Selection, tally: Tally) -> list[LeftOut]:
    """Tasks that were made one row each, and of which nothing was left."""
    spec = selection.spec
    if not (spec.is_consensus and spec.ties == "drop"):
        return []
    dropped = selection.rows.order_by().values("task").distinct().count() - tally.rows
    if not tally.rows:
        raise SnapshotRefused("Nothing is left to freeze: nothing but ties was said, and they are dropped.")
    return [LeftOut(dropped, "tasks of which nothing but ties was said")] if dropped else []
