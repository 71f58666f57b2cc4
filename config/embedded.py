"""The services that Plackett brings along: Postgres and a broker, for one machine, without anything to set up.

Nothing is started by importing this. `ensure()` starts what is needed and not running; whoever called it is a user of
the services for as long as it lives, and the last user to leave stops them. DATABASE_URL and CELERY_BROKER_URL replace
one each. No Django here: the settings ask this module where the database is.
"""

import atexit
import fcntl
import hashlib
import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from config import postgres, valkey
from config.processes import ServiceFailed

LONGEST_SOCKET = 100
"""Bytes. The kernel takes 107; some clients fewer."""

_membership: tuple[int, int] | None = None  # this process, and its descriptor of the users' lock


def home() -> Path:
    """Where everything that must last lies: PLACKETT_HOME, else the usual place for a user's data. Made if missing."""
    folder = told_home()
    if not folder.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder.resolve()


def told_home() -> Path:
    """Where the home lies, or would."""
    return Path(os.environ.get("PLACKETT_HOME") or _usual_home()).expanduser().absolute()


def is_used() -> bool:
    """Whether a command of Plackett was ever at work in this home: the first makes its keys."""
    return (told_home() / "keys").is_dir()


def has_database() -> bool:
    """Whether there is one to start, or DATABASE_URL names another."""
    return bool(os.environ.get("DATABASE_URL")) or postgres.version(postgres.place(home())) is not None


def _usual_home() -> Path:
    if os.geteuid() == 0:
        return Path("/var/lib/plackett")
    return Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share") / "plackett"


def database_url() -> str:
    """DATABASE_URL, else the embedded Postgres. Looks up, starts nothing."""
    own = f"postgresql://plackett:{_key('postgres_password')}@/plackett?host={postgres.sockets(home(), _private())}"
    return os.environ.get("DATABASE_URL") or own


def broker_url() -> str:
    """CELERY_BROKER_URL, else the embedded Valkey. Looks up, starts nothing."""
    return os.environ.get("CELERY_BROKER_URL") or f"redis+socket://{_private() / 'valkey.sock'}"


def secret_key() -> str:
    """Django's, made once for this home."""
    return _key("secret_key")


def ensure(*, postgres_settings: Mapping[str, str] | None = None) -> list[str]:
    """Start what is needed and not running, and be a user of it until this process ends.

    Returns the names of what it started. Call it again to bring back what died. Raises ServiceFailed."""
    started = []
    with _only_one("start.lock"):
        _join()
        if not os.environ.get("DATABASE_URL") and postgres.running(postgres.place(home())) is None:
            postgres.start(
                home(),
                private=_private(make=True),
                password=_key("postgres_password"),
                log=home() / "logs/postgres.log",
                settings=postgres_settings or {},
            )
            started.append("Postgres")
        if not os.environ.get("CELERY_BROKER_URL") and valkey.running(_private() / "valkey.sock") is None:
            valkey.start(_private(make=True) / "valkey.sock", data=home() / "valkey", log=home() / "logs/valkey.log")
            started.append("Valkey")
    return started


def leave() -> bool:
    """Use the services no more; the last user stops them, the broker first. True if this was the last."""
    global _membership
    if _membership is None or _membership[0] != os.getpid():  # a forked child leaves nothing: its parent is the user
        return False
    (_, descriptor), _membership = _membership, None
    with _only_one("start.lock"):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            os.close(descriptor)
        valkey.stop(_private() / "valkey.sock")
        postgres.stop(postgres.place(home()))
    return True


@contextmanager
def membership() -> Iterator[int]:
    """A descriptor for a child to inherit: with it the child is a user of the services too, whatever becomes of us."""
    descriptor = _users_lock()
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _join() -> None:
    global _membership
    if _membership is None or _membership[0] != os.getpid():
        _membership = (os.getpid(), _users_lock())
        atexit.register(leave)


def _users_lock() -> int:
    descriptor = os.open(_run() / "users.lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


@contextmanager
def _only_one(name: str) -> Iterator[None]:
    """Wait until no other process of this home is here."""
    descriptor = os.open(_run() / name, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _run() -> Path:
    folder = home() / "run"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _private(*, make: bool = False) -> Path:
    """The folder of the sockets: in the home, or where its path would be too long, a short one for us alone."""
    folder = _run()
    if len(os.fsencode(folder / ".s.PGSQL.5432")) <= LONGEST_SOCKET:
        return folder
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    short = Path("/tmp") / f"plackett-{os.geteuid()}-{name}"  # noqa: S108  checked below to be ours alone
    if make:
        short.mkdir(mode=0o700, exist_ok=True)
        found = short.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) != 0o700:
            raise ServiceFailed(
                f"{short} must be a folder that only you can enter. Remove it, or shorten PLACKETT_HOME."
            )
    return short


def _key(name: str) -> str:
    """A secret of this installation, made once in a file that only we can read; of two makers one wins."""
    folder = home() / "keys"
    folder.mkdir(mode=0o700, exist_ok=True)
    file = folder / name
    if not file.exists():
        draft = folder / f"{name}.{os.getpid()}.{secrets.token_hex(4)}"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as output:
            output.write(secrets.token_hex(32))
            output.flush()
            os.fsync(output.fileno())
        try:
            os.link(draft, file)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return file.read_text().strip()
