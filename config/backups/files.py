"""Which files of the home a backup holds: what rows speak of and nobody can make again, and the secret key."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from django.db.migrations.state import StateApps

from rewards.model_folder import UnusableFolder
from training.folders import inside

SECRET_KEY = "keys/secret_key"  # noqa: S105  where it lies
MARK = "mark"
NEVER = {"postgres", "valkey", "run", "logs", "static", "downloads", "keys"}
"""Below the home: the services' own, and what is made again. Of the keys the secret key alone is kept: the password of
an embedded Postgres belongs to its cluster."""
DIARY = ("events.jsonl", "log.txt")


class Wanted(NamedTuple):
    """Paths below the home."""

    paths: dict[str, str | None]
    """With the hash that a row knows, if one does."""
    missing: list[str]


def of(models: StateApps, home: Path, *, with_models: bool) -> Wanted:
    """As the rows of this moment have it. What they speak of never changes: snapshots are named by their content, and
    a job's output is published whole."""
    weights = _weights(models)
    paths: dict[str, str | None] = dict.fromkeys((SECRET_KEY, MARK))
    for folder in [*_of_finished_jobs(models, home), *weights]:
        paths |= dict.fromkeys(_below(home, folder))
    paths |= _hashed(models)
    if not with_models:
        paths = {path: sha256 for path, sha256 in paths.items() if not _is_below(path, weights)}
    missing = [folder for folder in weights if with_models and not (home / folder).is_dir()]
    missing += [path for path in paths if path != MARK and not _is_plain(home / path)]
    return Wanted({path: sha256 for path, sha256 in paths.items() if _is_plain(home / path)}, missing)


def may_be_restored(path: str) -> bool:
    """Whether a backup may bring this file."""
    return path == SECRET_KEY or path.split("/")[0] not in NEVER


def _weights(models: StateApps) -> list[str]:
    """The folders of policies and reward models."""
    rows: list[Any] = [models.get_model("training", "Policy"), models.get_model("rewards", "RewardModel")]
    found = {folder for model in rows for folder in model.objects.values_list("folder", flat=True)}
    return sorted(os.path.normpath(folder) for folder in found if folder)


def _hashed(models: StateApps) -> dict[str, str]:
    """The files that have a hash in the database."""
    snapshots: Any = models.get_model("annotate", "Snapshot")
    artefacts: Any = models.get_model("training", "Artefact")
    hashes = snapshots.objects.order_by("pk").values_list("sha256", flat=True)
    outputs = artefacts.objects.order_by("pk").values_list("job_id", "path", "sha256")
    frozen = {f"snapshots/{sha256}.jsonl": sha256 for sha256 in hashes.iterator()}
    return frozen | {f"jobs/{job}/{path}": sha256 for job, path, sha256 in outputs.iterator()}


def _of_finished_jobs(models: StateApps, home: Path) -> Iterator[str]:
    """What their pages show. An unfinished job begins anew where it is restored: its spec names folders by their whole
    path, and is written again from the rows."""
    jobs: Any = models.get_model("training", "Job")
    finished = jobs.objects.filter(state__in=["succeeded", "failed", "cancelled"]).order_by("pk")
    for pk, state in finished.values_list("pk", "state").iterator():
        if state == "succeeded":
            yield from (f"jobs/{pk}/{name}" for name in ("spec.json", "inputs", "output"))
        for attempt in sorted((home / f"jobs/{pk}").glob("attempt-*")):
            yield from (f"jobs/{pk}/{attempt.name}/{file}" for file in DIARY)


def _below(home: Path, name: str) -> Iterator[str]:
    """The plain files of a folder, or the one file of this name. Links are passed over; so is what lies elsewhere."""
    try:
        place = inside(home, name)
    except UnusableFolder:
        return
    if place == home or not may_be_restored(place.relative_to(home).as_posix()):
        return
    if _is_plain(home / name):
        yield name
    for folder, _, files in os.walk(place):
        for file in sorted(Path(folder) / file for file in files):
            if _is_plain(file):
                yield file.relative_to(home).as_posix()


def _is_below(path: str, folders: list[str]) -> bool:
    return any(path.startswith(f"{folder}/") for folder in folders)


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()
