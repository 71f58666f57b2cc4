"""Kinds of the queue `light`: done in the worker's own process, without torch and without a runner."""

from collections.abc import Callable
from pathlib import Path

from annotate import exports, snapshots
from annotate.models import Snapshot
from training import frozen
from training.checks import Refused
from training.lifecycle import held
from training.models import Job

Watch = Callable[[int, int], None]
"""Hears how many steps of how many are done. It raises where the work has to be left."""


class Stopped(Exception):
    """The job was asked to leave."""


def export(job: Job, output: Path, watch: Watch) -> None:
    """The snapshot as a file in `output`. Raises Refused."""
    snapshot = Snapshot.objects.select_related("project").get(pk=job.inputs["snapshot"])
    format, ending = job.spec["format"], job.spec["container"]
    total = exports.rows_in(snapshot)
    try:
        pieces = exports.export(
            snapshot, format, ending=ending, user=job.created_by, watch=lambda rows: watch(rows, max(rows, total))
        )
        with (output / exports.filename(snapshot, format, ending)).open("xb") as file:
            file.writelines(pieces)
    except (exports.ExportRefused, snapshots.SnapshotDamaged) as problem:
        raise Refused(str(problem)) from problem


def freeze(job: Job, output: Path, watch: Watch) -> None:
    """The snapshot, its file and its row; the job remembers which it is from the moment that it is there. An attempt
    that is killed just then is done again, and the same content is the same snapshot. Raises Refused and Fenced."""

    def keep(snapshot: Snapshot) -> None:
        with held(job) as locked:
            frozen.remember(locked, snapshot)

    assert job.project is not None
    try:
        snapshots.freeze(project=job.project, spec=frozen.spec_of(job), user=job.created_by, watch=watch, keep=keep)
    except snapshots.SnapshotRefused as problem:
        raise Refused(str(problem)) from problem


WORK: dict[str, Callable[[Job, Path, Watch], None]] = {"export": export, "freeze": freeze}
"""For each kind what does it: its files go into the folder, and are the job's output once it returns."""
