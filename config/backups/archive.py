"""The file that a backup is: a plain tar whose manifest, its last member but one, vouches for each of the others.

Plain, so that weights are not packed in vain, and so that any tar shows and unpacks it."""

import hashlib
import json
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO, Any, Protocol, Self, TypedDict

FORMAT = 1
MANIFEST = "manifest.json"
SEAL = "manifest.json.sha256"
"""As sha256sum writes it: the last member, and what tells a whole archive from one that was cut off."""
DATABASE = "database"
HOME = "home"
BLOCK = 1 << 20
Tell = Callable[[str], None]


class BackupRefused(ValueError):
    """It cannot be made or restored. The text says why, and what to do."""


class Member(TypedDict):
    """A file of the archive."""

    path: str
    size: int
    sha256: str


class Table(TypedDict):
    name: str
    columns: list[str]
    rows: int
    last: dict[str, int]
    """The last number that each numbered column gave out."""


class Manifest(TypedDict):
    format: int
    version: str
    code: str
    made_at: str
    postgres: str
    migrations: list[tuple[str, str]]
    with_models: bool
    missing: list[str]
    """Files of the home that rows speak of, and that were not there, or behind a link."""
    tables: list[Table]
    files: list[Member]
    """All members but the manifest and its seal."""


class Source(Protocol):
    def read(self, size: int = ..., /) -> bytes: ...


class Counted:
    """A reader that knows the hash of what was read, and says how far it is."""

    def __init__(self, source: Source, tell: Callable[[int], None] = lambda count: None) -> None:
        self.source, self.tell = source, tell
        self.digest, self.size = hashlib.sha256(), 0

    def read(self, size: int = BLOCK, /) -> bytes:
        block = self.source.read(size)
        self.digest.update(block)
        self.size += len(block)
        self.tell(len(block))
        return block

    def blocks(self) -> Iterator[bytes]:
        while block := self.read():
            yield block


class Writer:
    """Adds members to a tar, and remembers what the manifest must say of them."""

    def __init__(self, output: IO[bytes]) -> None:
        self.tar = tarfile.open(fileobj=output, mode="w:")  # noqa: SIM115  see `seal`
        self.tar.copybufsize = BLOCK  # type: ignore[attr-defined]
        self.members: list[Member] = []

    def add(self, name: str, content: Source, size: int, tell: Callable[[int], None] = lambda count: None) -> Member:
        """`size` bytes of the content; of a file that grew meanwhile, what it held before."""
        counted = Counted(content, tell)
        info = tarfile.TarInfo(name)
        info.size, info.mode = size, 0o600
        self.tar.addfile(info, counted)
        member = Member(path=name, size=size, sha256=counted.digest.hexdigest())
        self.members.append(member)
        return member

    def seal(self, manifest: Manifest) -> None:
        text = json.dumps(manifest, indent=1, ensure_ascii=False).encode()
        for name, content in ((MANIFEST, text), (SEAL, f"{hashlib.sha256(text).hexdigest()}  {MANIFEST}\n".encode())):
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o600
            self.tar.addfile(info, BytesIO(content))
        self.tar.close()


class Archive:
    """An archive that was examined: whole, of this format, each member what the manifest says."""

    def __init__(self, tar: tarfile.TarFile, manifest: Manifest) -> None:
        self.tar, self.manifest = tar, manifest
        self.expected = {member["path"]: member for member in manifest["files"]}

    @classmethod
    @contextmanager
    def opened(cls, path: Path, tell: Tell) -> Iterator[Self]:
        """Every byte is read and compared first. Raises BackupRefused."""
        try:
            tar = tarfile.open(path, "r:")  # noqa: SIM115
        except OSError as problem:
            raise BackupRefused(f"{path} cannot be read: {problem.strerror}.") from None
        except tarfile.TarError:
            raise BackupRefused(f"{path} is no backup: it is not a tar file.") from None
        with tar:
            try:
                yield cls(tar, _examined(tar, path, tell))
            except tarfile.TarError as problem:
                raise BackupRefused(f"{path} is incomplete or damaged ({problem}). Take another backup.") from None

    def blocks(self, name: str) -> Iterator[bytes]:
        """The content of a member, compared once more while it is read. Raises BackupRefused after the last block."""
        content = self.tar.extractfile(name)
        assert content is not None, "a regular file: it was examined"
        counted = Counted(content)
        yield from counted.blocks()
        if counted.digest.hexdigest() != self.expected[name]["sha256"]:
            raise BackupRefused(f"The archive was changed while it was read: {name}.")

    def home_files(self) -> list[str]:
        """Paths below the home."""
        return [name.removeprefix(f"{HOME}/") for name in self.expected if name.startswith(f"{HOME}/")]


def table_member(table: str) -> str:
    return f"{DATABASE}/{table}.copy.gz"


def _examined(tar: tarfile.TarFile, path: Path, tell: Tell) -> Manifest:
    """The manifest, if it and all that it vouches for are as they were written."""
    found: dict[str, Member] = {}
    texts: dict[str, bytes] = {}
    total, done = max(path.stat().st_size, 1), 0
    for info in tar:
        _check_member(info, found)
        content = tar.extractfile(info)
        assert content is not None, "a regular file"
        if info.name in (MANIFEST, SEAL):
            texts[info.name] = content.read()
            continue
        counted = Counted(content)
        for block in counted.blocks():
            done += len(block)
            tell(f"Checking {path.name}: {done / total:.0%}")
        found[info.name] = Member(path=info.name, size=counted.size, sha256=counted.digest.hexdigest())
    manifest = _manifest(texts, path)
    for name in sorted({member["path"] for member in manifest["files"]} ^ set(found)):
        raise BackupRefused(f"{path} is damaged: {name} is not both in it and in its manifest. Take another backup.")
    for member in manifest["files"]:
        if found[member["path"]] != member:
            raise BackupRefused(f"{path} is damaged at {member['path']}. Take another backup.")
    return manifest


def _manifest(texts: dict[str, bytes], path: Path) -> Manifest:
    if set(texts) != {MANIFEST, SEAL}:
        raise BackupRefused(f"{path} is no whole backup: it has no sealed manifest. It was cut off, or made otherwise.")
    if texts[SEAL].split()[:1] != [hashlib.sha256(texts[MANIFEST]).hexdigest().encode()]:
        raise BackupRefused(f"{path} is damaged at {MANIFEST}. Take another backup.")
    try:
        manifest: Any = json.loads(texts[MANIFEST])
        number = int(manifest["format"])
    except (ValueError, KeyError, TypeError):
        raise BackupRefused(f"{path} has a manifest that is not one of Plackett.") from None
    if number > FORMAT:
        raise BackupRefused(f"{path} was made by a newer Plackett ({manifest.get('version')}): restore it with that.")
    manifest["migrations"] = [(app, name) for app, name in manifest["migrations"]]
    return manifest


def _check_member(info: tarfile.TarInfo, found: dict[str, Member]) -> None:
    """Only plain files, below database/ or home/, none twice: whoever unpacks writes nowhere else."""
    parts = info.name.split("/")
    plain = info.type == tarfile.REGTYPE and not info.issparse()
    placed = info.name in (MANIFEST, SEAL) or (len(parts) > 1 and parts[0] in (DATABASE, HOME))
    safe = not {"", ".", ".."} & set(parts) and "\x00" not in info.name and "\\" not in info.name
    if not (plain and placed and safe) or info.name in found:
        raise BackupRefused(
            f"The archive holds {info.name!r}, which no backup of Plackett does: it is not restored. "
            "Take another, from a place that you trust."
        )
