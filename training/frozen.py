"""Freeze jobs: what was asked for, and the snapshot that came of it."""

from annotate import freeze_form
from annotate.models import Snapshot
from annotate.snapshots import SnapshotSpec
from training.models import Job

KIND = "freeze"


def title(job: Job) -> str:
    asked = spec_of(job)
    return f"Snapshot of “{job.project}”: {asked.kind} for {asked.purpose}"


def spec_of(job: Job) -> SnapshotSpec:
    return SnapshotSpec.from_json(job.inputs["spec"])


def snapshot_of(job: Job) -> Snapshot | None:
    """What it froze; None before that, and once it was deleted."""
    return Snapshot.objects.select_related("project").filter(pk=job.progress.get("snapshot")).first()


def told(job: Job) -> list[tuple[str, str]]:
    """(label, value) of what was asked for, in the words of the form."""
    spec = job.inputs["spec"]
    whole = [(freeze_form.label_of(name), freeze_form.in_words(name, spec[name])) for name in ("kind", "purpose")]
    return [*whole, *freeze_form.told(spec)]
