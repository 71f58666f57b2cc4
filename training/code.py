"""Which code made it: for the origin of what a job leaves."""

import subprocess
import tomllib
from functools import cache

from django.conf import settings


@cache
def code_version() -> str:
    """The version, and in a checkout the commit, with a mark if it was changed: 0.1.0, c42f90e-dirty."""
    project = tomllib.loads((settings.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    if not (settings.ROOT / ".git").exists():
        return str(project["version"])
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    try:
        found = subprocess.run(command, cwd=settings.ROOT, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):  # no git here, or the checkout is another user's
        return str(project["version"])
    return f"{project['version']}, {found.stdout.strip()}"
