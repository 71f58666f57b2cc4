"""Jobs, policies and real workers for tests."""

import functools
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from celery import current_app
from django.conf import settings
from django.db import connection
from django.utils.timezone import now

from annotate.models import Snapshot
from tests import factories
from training import lifecycle, workers
from training.models import Device, Job, Policy, Worker

SHORT = {
    "JOB_LEASE_SECONDS": "4",
    "JOB_HEARTBEAT_SECONDS": "1",
    "JOB_REAP_SECONDS": "1",
    "JOB_RING_AGAIN_SECONDS": "3",
    "JOB_STOP_GRACE_SECONDS": "10",
    "JOB_DEVICES": "1",
}
DRAW = {"answers": 2, "max_new_tokens": 4, "precision": "float32", "threads": 1, "batch_size": 4}


def wait_until(condition: Callable[[], Any], seconds: float = 40, what: str = "it") -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds} s"
        time.sleep(0.05)
    return found


@functools.cache
def tiny_model() -> Path:
    """One tiny model a test run, below the home that the run has anyway."""
    from tests import tiny

    folder = Path(settings.HOME) / "models" / "tiny"
    return tiny.causal_lm(folder)


def make_policy(name: str = "tiny") -> Policy:
    return Policy.objects.create(name=name, folder=str(tiny_model().relative_to(settings.HOME)))


def make_devices(count: int, host: str = "") -> list[Device]:
    """And a worker on their host, for the reaper forgets the devices of a host without one."""
    host = host or workers.this_host()
    seen = {"seen_at": now() + timedelta(hours=1)}  # it lives as long as the test
    Worker.objects.get_or_create(host=host, queue="jobs", pid=1, defaults=seen)
    return [Device.objects.get_or_create(host=host, index=index)[0] for index in range(count)]


def make_job(**fields: Any) -> Job:
    """A queued row, for tests of the queue alone."""
    fields.setdefault("project", None if fields.get("kind") == "convert" else factories.make_project())
    return Job.objects.create(**{"kind": "sample", "published_at": now(), **fields})


def claim(queue: str = "jobs", **options: Any) -> Job | None:
    return lifecycle.claim(worker=None, queue=queue, now=now(), **options)


def sampling_project(prompts: int = 3) -> Any:
    project = factories.make_project()
    for number in range(prompts):
        factories.make_prompt(project, text=f"Count to {number}.")
    return project


def launch_sample(project: Any = None, policy: Policy | None = None, **changes: Any) -> Job:
    inputs = {key: changes.pop(key) for key in ("for_ranking", "split", "count", "prompts", "name") if key in changes}
    project = project or sampling_project()
    policy = policy or Policy.objects.filter(name="tiny").first() or make_policy()
    return lifecycle.launch(
        kind="sample", project=project, user=None, settings={**DRAW, **changes}, inputs={"policy": policy.pk, **inputs}
    )


def make_snapshot(project: Any, prompts: int = 40, **fields: Any) -> Snapshot:
    """Frozen rankings with a rule that a tiny model can learn: the answer with more exclamation marks is better."""
    rows = [
        {
            "id": f"ranking-{number}",
            "root": f"root-{number}",
            "prompt": [factories.user_says(f"Cheer {number} times.")],
            "answers": [f"Hurray {number}!!!", f"Well, {number}."],
            "ranks": [1, 2],
            "labeler": "labeler-1",
            "sources": ["tiny", "tiny"],
            "strength": None,
            "created_at": "2026-01-01T00:00:00Z",
        }
        for number in range(prompts)
    ]
    content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    digest = hashlib.sha256(content).hexdigest()
    folder = Path(settings.HOME) / "snapshots"
    folder.mkdir(exist_ok=True)
    (folder / f"{digest}.jsonl").write_bytes(content)
    counts = {"rows": prompts, "prompts": prompts, "comparisons": prompts, "ties": 0}
    fields = {"sha256": digest, "size_bytes": len(content), "counts": counts, **fields}
    return Snapshot.objects.create(project=project, **fields)


FIT = {"epochs": 2, "prompts_per_step": 4, "threads": 1, "checkpoint_every": 2, "learning_rate": 1e-3}


def launch_reward(project: Any, snapshot: Snapshot, name: str = "", **changes: Any) -> Job:
    policy = Policy.objects.filter(name="tiny").first() or make_policy()
    inputs = {"snapshot": snapshot.pk, "policy": policy.pk, "name": name}
    return lifecycle.launch(kind="reward", project=project, user=None, settings={**FIT, **changes}, inputs=inputs)


LONG = 120
"""Answers of a long sample: some ten seconds on an idle machine, and the first are stored within one."""


def launch_long_sample() -> Job:
    return launch_sample(sampling_project(LONG // 3), answers=3, max_new_tokens=300, batch_size=2)


def refreshed(job: Job) -> Job:
    return Job.objects.get(pk=job.pk)


def database_url() -> str:
    """Of the database that this test uses."""
    at = connection.settings_dict
    host = at["HOST"] or at.get("OPTIONS", {}).get("host", "")
    user, password = quote(at["USER"]), quote(at["PASSWORD"] or "")
    if str(host).startswith("/"):
        return f"postgresql://{user}:{password}@/{at['NAME']}?host={host}"
    return f"postgresql://{user}:{password}@{host}:{at['PORT'] or 5432}/{at['NAME']}"


def flush_broker() -> None:
    """FLUSHALL: everything that the broker knew is gone."""
    with current_app.connection_for_write() as broker:
        broker.default_channel.client.flushall()


def environment(**changes: str) -> dict[str, str]:
    return {
        **os.environ,
        "DATABASE_URL": database_url(),
        "CELERY_BROKER_URL": current_app.conf.broker_url,
        "PLACKETT_HOME": str(settings.HOME),
        **SHORT,
        **changes,
    }


class RealWorker:
    """`celery -A config worker`, a process of its own with a pool of processes."""

    def __init__(self, queue: str = "jobs", *, slots: int = 1, **changes: str) -> None:
        self.log = Path(tempfile.mkstemp(prefix="worker-", suffix=".log")[1])
        command = [sys.executable, "-m", "celery", "-A", "config", "worker", "-Q", queue, "-c", str(slots)]
        command += ["-n", f"{queue}-{time.monotonic_ns()}@test", "--without-gossip", "--without-mingle", "-l", "INFO"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, cwd=settings.ROOT, env=environment(**changes), stdout=log, stderr=log, start_new_session=True
            )

    def ready(self) -> "RealWorker":
        wait_until(
            lambda: b" ready." in self.log.read_bytes() or self.process.poll() is not None, what="a ready worker"
        )
        assert self.process.poll() is None, self.log.read_text()
        return self

    def children(self) -> list[int]:
        text = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in text.split()]

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, 9)
        self.process.wait()
        self.log.unlink(missing_ok=True)


@contextmanager
def real_worker(queue: str = "jobs", **options: Any) -> Iterator[RealWorker]:
    worker = RealWorker(queue, **options)
    try:
        yield worker.ready()
    finally:
        worker.end()
