"""What a worker does beside its jobs."""

import pytest

from annotate import searching
from annotate.models import Prompt
from tests.factories import make_prompt
from training.upkeep import Upkeep

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("queue", "missing"), [("light", 0), ("jobs", 1)])
def test_the_light_worker_makes_texts_searchable(queue, missing):
    prompt = make_prompt()
    Upkeep([queue])._round()
    assert searching.behind(prompt.project, Prompt) == missing
