import subprocess
import sys

import pytest

from tests.training.jobs import environment
from training import home
from training.models import Home


@pytest.mark.django_db
def test_the_mark_is_made_once_and_found_again(settings, tmp_path) -> None:
    settings.HOME = tmp_path
    home.check()  # no web server ran yet
    home.mark()
    home.check()
    before = (tmp_path / "mark").read_text()
    home.mark()
    assert (tmp_path / "mark").read_text() == before and Home.objects.count() == 1
    (tmp_path / "mark").unlink()
    with pytest.raises(home.AnotherHome, match="Set PLACKETT_HOME to the folder"):
        home.check()


@pytest.mark.django_db(transaction=True)
def test_a_worker_on_another_home_refuses_to_start(tmp_path) -> None:
    home.mark()
    command = [sys.executable, "-m", "celery", "-A", "config", "worker", "-Q", "light", "-c", "1"]
    other = environment(PLACKETT_HOME=str(tmp_path))
    done = subprocess.run(command, env=other, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and f"The web server's files are not in {tmp_path}" in done.stderr
