"""Two snapshots side by side: what was asked for, what they count, and how many rows they share."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from annotate.models import Snapshot
from annotate.snapshots import files

Digests = NDArray[np.uint64]
AT_ONCE = 10_000


class Beside(NamedTuple):
    """One thing of two snapshots."""

    name: str
    one: Any
    other: Any


@dataclass(frozen=True)
class Difference:
    settings: list[Beside]
    """Those that differ."""
    counts: list[Beside]
    only_in_one: int
    only_in_other: int
    in_both: int


def compare(one: Snapshot, other: Snapshot) -> Difference:
    """Rows are the same where their lines are. Raises SnapshotDamaged."""
    shared, only_in_one, only_in_other = overlap(_digests(files.lines(one)), _digests(files.lines(other)))
    counts = _beside(one.counts, other.counts, 0)
    settings = [row for row in _beside(_settings(one), _settings(other), None) if row.one != row.other]
    return Difference(settings, counts, only_in_one, only_in_other, shared)


def overlap(one: Digests, other: Digests) -> tuple[int, int, int]:
    """(in both, only in one, only in the other); what stands in one several times is counted as often."""
    (first, often), (second, often_there) = (np.unique(found, return_counts=True) for found in (one, other))
    _, here, there = np.intersect1d(first, second, assume_unique=True, return_indices=True)
    shared = int(np.minimum(often[here], often_there[there]).sum())
    return shared, len(one) - shared, len(other) - shared


def _digests(lines: Iterable[bytes]) -> Digests:
    """Eight bytes of each line: a million rows take 8 MB."""
    parts, lines = [], iter(lines)
    while chunk := b"".join(hashlib.blake2b(line, digest_size=8).digest() for line in islice(lines, AT_ONCE)):
        parts.append(np.frombuffer(chunk, dtype=np.uint64))
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.uint64)


def _settings(snapshot: Snapshot) -> dict[str, Any]:
    """One that was frozen before it kept them has only these."""
    return {"kind": snapshot.kind, "purpose": snapshot.purpose, **snapshot.settings}


def _beside(one: dict[str, Any], other: dict[str, Any], missing: Any) -> list[Beside]:
    return [Beside(name, one.get(name, missing), other.get(name, missing)) for name in dict.fromkeys([*one, *other])]
