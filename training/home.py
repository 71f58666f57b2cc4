"""Do web and workers see the same PLACKETT_HOME? The web server leaves a mark there, and writes the mark down."""

import secrets
from pathlib import Path

from django.conf import settings

from training.models import Home


class AnotherHome(RuntimeError):
    """This process sees another PLACKETT_HOME than the web server: its jobs' files would be where nobody looks."""


def mark() -> None:
    """Leave the installation's mark in this home. For the web server, at its start."""
    home, _ = Home.objects.get_or_create(only=True, defaults={"mark": secrets.token_hex(16)})
    if _found() != home.mark:
        draft = _file().with_suffix(".new")
        draft.write_text(home.mark + "\n")
        draft.replace(_file())


def check() -> None:
    """Raises AnotherHome unless the web server's mark is here. Before any web server ran, every home will do."""
    home = Home.objects.first()
    if home is not None and _found() != home.mark:
        raise AnotherHome(
            f"The web server's files are not in {settings.HOME}. Set PLACKETT_HOME to the folder that the web server "
            "uses; on another host, share it."
        )


def _found() -> str | None:
    try:
        return _file().read_text().strip()
    except OSError:
        return None


def _file() -> Path:
    return Path(settings.HOME) / "mark"
