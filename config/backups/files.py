"""Which files of the home a backup holds: what rows speak of and nobody can make again, and the secret key."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from django.db.migrations.state import StateApps

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
    links: list[str]
    """Passed over, with all behind them: who restores could not tell what they led to."""


def of(models: StateApps, home: Path, *, with_models: bool) -> Wanted:
    """As the rows of this moment have it. What they speak of never changes: snapshots are named by their content, and
    a job's output is published whole."""
    weights, links = _weights(models), set[str]()
    paths: dict[str, str | None] = dict.fromkeys((*own_key(), MARK))
    for folder in [*_of_finished_jobs(models, home), *weights]:
        paths |= dict.fromkeys(_below(home, folder, links))
    paths |= _hashed(models)
    if not with_models:
        paths = {path: sha256 for path, sha256 in paths.items() if not _is_below(path, weights)}
    missing = [folder for folder in weights if with_models and not (home / folder).is_dir()]
    there = {}
    for path, sha256 in paths.items():
        if link := _link_on(home, path):
            links.add(link)
        elif _is_plain(home / path):
            there[path] = sha256
        elif path != MARK:
            missing.append(path)
    return Wanted(there, missing, sorted(links))


def own_key() -> tuple[str, ...]:
    """The secret key, unless it comes from the environment: then a file is not what the pages are signed with."""
    return () if os.environ.get("SECRET_KEY") else (SECRET_KEY,)


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


def _below(home: Path, name: str, links: set[str]) -> Iterator[str]:
    """The plain files of a folder, or the one file of this name."""
    if link := _link_on(home, name):
        links.add(link)
    elif (home / name).is_file():
        yield name
    elif may_be_restored(name):
        for folder, folders, files in os.walk(home / name):
            below = {each: (Path(folder) / each).relative_to(home).as_posix() for each in sorted(folders + files)}
            links.update(path for path in below.values() if (home / path).is_symlink())
            yield from (below[file] for file in sorted(files) if _is_plain(home / below[file]))


def _link_on(home: Path, name: str) -> str | None:
    """What leads elsewhere on the way to this file or folder. The home's own folders may be links: to a larger disk."""
    top, *parts = name.split("/")
    if top in ("", ".", ".."):
        return name
    ways = ("/".join([top, *parts[: end + 1]]) for end in range(len(parts)))
    return next((way for way in ways if (home / way).is_symlink()), None)


def _is_below(path: str, folders: list[str]) -> bool:
    return any(path.startswith(f"{folder}/") for folder in folders)


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()
