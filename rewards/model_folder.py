"""Pure: can a model's folder be loaded without running foreign code? And a file's hash, and its way to the disk.

The web app refuses with it what a runner would refuse. Nothing here loads a model."""

import hashlib
import json
import os
from pathlib import Path

PICKLED = {".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib"}


class UnusableFolder(ValueError):
    """A folder or file that cannot be used as it is. The text says why, and what would do."""


def check(folder: Path) -> None:
    """Raises UnusableFolder unless the folder holds a config, weights in safetensors, and no code in any form."""
    if not folder.is_dir():
        raise UnusableFolder(f"There is no model folder {folder}: check the path.")
    if not (folder / "config.json").is_file():
        raise UnusableFolder(f"{folder} has no config.json: point to the folder of a transformers model.")
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in PICKLED:
            raise UnusableFolder(
                f"{folder} holds pickled weights ({path.name}), which can run code: convert it to safetensors."
            )
        if path.suffix.lower() == ".py":
            raise UnusableFolder(
                f"{folder} brings code of its own ({path.name}), which is never run: use a standard model."
            )
    if not any(folder.glob("*.safetensors")):
        raise UnusableFolder(f"{folder} has no weights in safetensors: convert the model with save_pretrained.")
    for name in ("config.json", "tokenizer_config.json"):
        _check_config(folder / name)


def sha256(path: Path) -> str:
    """The hash of a file's bytes, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Bring a file, or the names in a folder, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _check_config(path: Path) -> None:
    if not path.is_file():
        return
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as problem:
        raise UnusableFolder(f"{path} is not JSON: {problem}.") from None
    if not isinstance(settings, dict):
        raise UnusableFolder(f"{path} is not a JSON object.")
    if "auto_map" in settings:
        raise UnusableFolder(f"{path} asks for code of its own (auto_map), which is never run.")
