"""quickstart as a person runs it: a real web server, real workers, real services, and signals that kill them."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from django.db import connection, transaction
from django.utils.timezone import now

from config import embedded, postgres, valkey
from config.management.commands.quickstart import ROOT_IS_MEANT, FailedJobs
from config.processes import Process, wait_until
from rewards.model_folder import sha256
from tests.training.jobs import SHORT
from training.models import Job

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 120
CHILDREN = ("web", "worker-jobs", "worker-light")
TWO_FITS = """
from tests import factories
from tests.training.jobs import launch_reward, make_snapshot
project = factories.make_project()
snapshot = make_snapshot(project, prompts=100)
for name in ("disturbed", "undisturbed"):
    print(launch_reward(project, snapshot, name, epochs=12).path)
"""


class Quickstart:
    """One quickstart in a terminal, which is a file here."""

    def __init__(self, home: Path, port: int, bind: str = "127.0.0.1") -> None:
        self.home, self.port, self.screen = home, port, home / "screen"
        self.host = f"[{bind}]" if ":" in bind else bind
        with self.screen.open("w") as screen:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "quickstart", "--no-demo"], cwd=ROOT, stdout=screen, stderr=screen,
                env={**os.environ, "PLACKETT_HOME": str(home), "PORT": str(port), "BIND": bind},
                start_new_session=True,
            )  # fmt: skip

    def says(self) -> str:
        return self.screen.read_text()

    def is_up(self) -> bool:
        return self.get("/livez")[0] == 200 and all(self.child(name) for name in CHILDREN)

    def wait(self) -> None:
        started = wait_until(lambda: "Sign in once" in self.says() and self.is_up(), PATIENCE)
        assert started, self.says()

    def is_ready(self) -> bool:
        """Not only the page: the database, the broker and both workers too."""
        return b'"status": "ready"' in self.get("/readyz")[1]

    def get(self, path: str) -> tuple[int | None, bytes]:
        try:
            with urllib.request.urlopen(f"http://{self.host}:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as answer:
            return answer.code, b""
        except OSError:
            return None, b""

    def child(self, name: str) -> Process | None:
        return Process.load(self.home / "run" / f"{name}.process")

    def postgres(self) -> Process | None:
        return postgres.running(postgres.place(self.home))

    def valkey(self) -> Process | None:
        return valkey.running(Path(embedded.broker_url().removeprefix("redis+socket://")))

    def everything(self) -> list[Process]:
        found = [self.postgres(), self.valkey(), *map(self.child, CHILDREN)]
        return [process for process in found if process]

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


@pytest.fixture
def home(fresh_home: str) -> Path:
    return Path(fresh_home)


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def quickstart(home: Path, port: int) -> Iterator[Quickstart]:
    running = Quickstart(home, port)
    yield running
    if running.process.poll() is None:
        running.end(signal.SIGTERM)


@pytest.mark.slow
def test_it_serves_a_page_and_a_link_and_leaves_nothing_behind_when_asked_to_end(quickstart):
    quickstart.wait()
    link = re.search(r"^Sign in once: http://127\.0\.0\.1:(\d+)(/sign-in/\S+)$", quickstart.says(), flags=re.MULTILINE)
    assert link
    assert int(link[1]) == quickstart.port
    assert quickstart.get(link[2])[0] == 200
    assert wait_until(quickstart.is_ready, PATIENCE)
    report = _run(quickstart.home, "doctor", "--json")
    states = {check["name"]: check["state"] for check in json.loads(report.stdout)["checks"]}
    assert (states["workers"], states["server"], states["migrations"]) == ("ok", "ok", "ok")
    hint = re.search(r"^The link is good for 15 minutes\. Another: (.+)$", quickstart.says(), flags=re.MULTILINE)
    another = subprocess.run(hint[1], shell=True, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)
    assert another.stdout.startswith(f"Sign in once: http://127.0.0.1:{quickstart.port}/sign-in/")
    everything = quickstart.everything()
    assert len(everything) == 5
    for name in ("worker-jobs", "worker-light"):
        words = Path(f"/proc/{quickstart.child(name).pid}/cmdline").read_text().split("\0")
        assert words[1:3] == list(ROOT_IS_MEANT)
    assert quickstart.end(signal.SIGTERM) == 0
    assert not [process for process in everything if process.alive()]
    assert quickstart.get("/livez")[0] is None
    assert "superuser privileges" not in (quickstart.home / "logs/worker-jobs.log").read_text()
    closing = r"Stopped\. `PLACKETT_HOME=\S+ \S+ manage\.py quickstart --no-demo` goes on where you left\.\n$"
    assert re.search(closing, quickstart.says())


@pytest.mark.slow
@pytest.mark.parametrize("bind", ["127.0.0.2", "::1"])
def test_it_serves_on_the_address_it_is_bound_to_and_links_to_it(home, port, bind):
    with socket.socket(socket.AF_INET6 if ":" in bind else socket.AF_INET) as probe:
        try:
            probe.bind((bind, 0))
        except OSError:
            pytest.skip(f"this machine has no {bind}")
    bound = Quickstart(home, port, bind)
    try:
        bound.wait()
        link = re.search(r"^Sign in once: (http://\S+?)(/sign-in/\S+)$", bound.says(), flags=re.MULTILINE)
        assert link and link[1] == f"http://{bound.host}:{port}"
        assert bound.get(link[2])[0] == 200
        assert "does not answer" not in bound.says()
    finally:
        bound.end(signal.SIGTERM)


@pytest.mark.slow
def test_what_is_killed_comes_back(quickstart):
    quickstart.wait()
    for name in ("postgres", "valkey", *CHILDREN):
        find = getattr(quickstart, name, None) or partial(quickstart.child, name)
        killed = find()
        killed.send(signal.SIGKILL)
        back = wait_until(lambda find=find, killed=killed: find() not in (None, killed), PATIENCE)
        assert back, f"{name} did not come back\n{quickstart.says()}"
    assert wait_until(lambda: quickstart.is_up() and quickstart.is_ready(), PATIENCE), quickstart.says()
    everything = quickstart.everything()
    assert quickstart.end(signal.SIGINT) == 0
    assert not [process for process in everything if process.alive()]


@pytest.mark.django_db(transaction=True)  # it looks by a connection of its own
def test_a_job_that_fails_is_told_of_once_an_attempt(monkeypatch):
    monkeypatch.setattr("config.management.commands.quickstart.NEWS_SECONDS", 0)
    Job.objects.create(kind="convert", state="failed", reason="Before.", finished_at=now())
    news = FailedJobs()
    assert news.lines("http://here") == []
    job = Job.objects.create(kind="convert", state="failed", reason="The disk is full.", finished_at=now())
    assert news.lines("http://here") == [f"Job {job.pk} failed: The disk is full. See http://here/jobs/{job.pk}"]
    assert news.lines("http://here") == []
    Job.objects.update(attempt=2)
    assert len(news.lines("http://here")) == 1


@contextmanager
def silent_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server, monkeypatch.context() as patch:
        host, port = server.getsockname()
        patch.setitem(connection.settings_dict, "HOST", host)
        patch.setitem(connection.settings_dict, "PORT", port)
        yield


@contextmanager
def locked_table(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("LOCK TABLE training_job")
        yield


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("trouble", [silent_server, locked_table])
def test_a_database_that_does_not_answer_holds_nobody_up_and_no_failure_is_lost(monkeypatch, trouble):
    monkeypatch.setattr("config.management.commands.quickstart.NEWS_SECONDS", 0)
    monkeypatch.setattr("config.management.commands.quickstart.LOOK_SECONDS", 2)
    news = FailedJobs()
    Job.objects.create(kind="convert", state="failed", reason="The disk is full.", finished_at=now())
    with trouble(monkeypatch):
        begun = time.monotonic()
        assert news.lines("http://here") == []
        assert 1 < time.monotonic() - begun < 30
    assert len(news.lines("http://here")) == 1


@pytest.mark.django_db(transaction=True)
def test_what_a_job_says_of_its_failure_is_one_short_line_that_no_terminal_obeys():
    news = FailedJobs()
    reason = "bad \x1b]0;title\x07\x9b2J\u202ename\nsecond  line " + 1000 * "x"
    job = Job.objects.create(kind="convert", state="failed", reason=reason, finished_at=now())
    (line,) = news.lines("http://here")
    assert line.startswith(f"Job {job.pk} failed: bad ?]0;title??2J?name second line xxx")
    assert line.endswith(f"x... See http://here/jobs/{job.pk}") and len(line) < 400


def test_celery_warns_of_root_without_the_filter_and_not_with_it():
    code = (
        "import os; os.getuid = os.geteuid = lambda: 0\n"
        "from celery.platforms import check_privileges; check_privileges(['json'])"
    )
    said = [
        subprocess.run([sys.executable, *words, "-c", code], capture_output=True, text=True).stderr
        for words in ((), ROOT_IS_MEANT)
    ]
    assert "superuser privileges" in said[0] and said[1] == ""


@pytest.fixture
def quick_leases(monkeypatch):
    for name, value in SHORT.items():
        monkeypatch.setenv(name, value)


@pytest.mark.slow
def test_a_fit_that_is_killed_resumes_by_itself_and_ends_with_the_bits_of_an_undisturbed_one(quick_leases, quickstart):
    """Runner, pool and worker, kill -9, once the diary tells of a step after the first checkpoint."""
    quickstart.wait()
    launched = _run(quickstart.home, "shell", "--verbosity", "0", "--command", TWO_FITS)
    disturbed, undisturbed = map(Path, launched.stdout.split())
    first = disturbed / "attempt-1"
    assert wait_until(lambda: (_steps(first) or [0])[-1] > 20, PATIENCE), quickstart.says()
    worker = quickstart.child("worker-jobs")
    pool = Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text().split()
    runner = (first / "runner.pid").read_text()
    for pid in (runner, *pool, worker.pid):
        os.kill(int(pid), signal.SIGKILL)
    assert not (disturbed / "output").exists()
    before = _steps(first)[-1]
    for job in (disturbed, undisturbed):
        assert wait_until((job / "output").exists, PATIENCE), quickstart.says()
    later = [steps[0] for attempt in set(disturbed.glob("attempt-*")) - {first} if (steps := _steps(attempt))]
    assert later and 1 < min(later) <= before + 1  # it went on from a checkpoint
    weights = [sha256(job / "output" / "model" / "model.safetensors") for job in (disturbed, undisturbed)]
    assert weights[0] == weights[1]


def _steps(attempt: Path) -> list[int]:
    """The steps that the diary of an attempt tells of by now."""
    diary = attempt / "events.jsonl"
    lines = diary.read_text().splitlines(keepends=True) if diary.exists() else []
    events = [json.loads(line) for line in lines if line.endswith("\n")]
    return [event["step"] for event in events if "step" in event]


@pytest.mark.slow
def test_after_it_was_killed_itself_the_next_one_takes_over(quickstart, home, port):
    quickstart.wait()
    left = [process for process in map(quickstart.child, CHILDREN) if process]
    services = quickstart.postgres(), quickstart.valkey()
    quickstart.end(signal.SIGKILL)
    following = Quickstart(home, port)
    following.wait()
    assert not [process for process in left if process.alive()]
    assert (following.postgres(), following.valkey()) == services
    everything = following.everything()
    assert following.end(signal.SIGTERM) == 0
    assert not [process for process in everything if process.alive()]


@pytest.mark.slow
def test_a_second_one_from_the_same_home_is_told_where_the_first_one_runs(quickstart, home, port):
    quickstart.wait()
    done = _run(home, "quickstart", PORT="1")
    assert done.returncode == 1
    assert f"http://127.0.0.1:{port}" in done.stderr
    assert quickstart.is_up()


def test_a_taken_port_is_said_before_anything_is_started(home):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        done = _run(home, "quickstart", PORT=str(taken))
    assert done.returncode == 1
    assert re.search(rf"cannot listen on 127\.0\.0\.1:{taken}: .*PORT={taken + 1} make demo", done.stderr)
    assert not (home / "postgres").exists()


@pytest.mark.parametrize("port", ["http", "0", "65536", "-1"])
def test_a_port_that_is_none_is_refused(home, port):
    done = _run(home, "quickstart", PORT=port)
    assert done.returncode == 1
    assert "write a number between 1 and 65535" in done.stderr


def _run(home: Path, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "manage.py", *words], cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, "PLACKETT_HOME": str(home), "BIND": "127.0.0.1", **environment}, timeout=PATIENCE,
    )  # fmt: skip
