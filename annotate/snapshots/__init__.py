"""Frozen data: an immutable file of rows, named by the hash of its content, and a row that says what is in it.

What is asked for is a SnapshotSpec; selection.py makes querysets of it, freezing.py a file."""

from annotate.snapshots.comparing import Difference, compare
from annotate.snapshots.files import SnapshotDamaged, SnapshotRefused, path_of, read, sweep, verify
from annotate.snapshots.freezing import NoSuchSnapshot, SnapshotInUse, delete, find, freeze, leaks, rows_of
from annotate.snapshots.markdown import readme
from annotate.snapshots.previews import Preview, one_moment, preview, refusal
from annotate.snapshots.reserved import Reserved
from annotate.snapshots.spec import InvalidSnapshotSpec, SnapshotSpec
from annotate.snapshots.splitting import TooFewConversations, heldout_size, split

__all__ = [
    "Difference",
    "InvalidSnapshotSpec",
    "NoSuchSnapshot",
    "Preview",
    "Reserved",
    "SnapshotDamaged",
    "SnapshotInUse",
    "SnapshotRefused",
    "SnapshotSpec",
    "TooFewConversations",
    "compare",
    "delete",
    "find",
    "freeze",
    "heldout_size",
    "leaks",
    "one_moment",
    "path_of",
    "preview",
    "read",
    "readme",
    "refusal",
    "rows_of",
    "split",
    "sweep",
    "verify",
]
