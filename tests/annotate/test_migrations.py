"""Data from before a migration is there after it."""

from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from annotate.models import AnswerBatch, Import, Prompt, Ranking, Snapshot
from tests.factories import make_project

FIRST = ("annotate", "0001_initial")


@pytest.fixture
def first_state(transactional_db):
    """The models as they were released first, in a database of that shape; at the end it is today's again."""
    executor = MigrationExecutor(connection)
    executor.migrate([FIRST])
    yield executor.loader.project_state([FIRST]).apps
    call_command("migrate", verbosity=0)


def test_rows_from_before_imports_and_cards_are_kept(first_state):
    def make(model, **fields):
        return first_state.get_model("annotate", model).objects.create(**fields)

    project = make("Project", slug="p", name="P")
    prompt = make("Prompt", project=project, external_id="a", root="a", messages=[{"role": "user"}], content_sha256="0")
    make("AnswerBatch", project=project, source="import", source_name="gpt")
    labeler = make("Labeler", project=project, pseudonym="mia")
    task = make("RankingTask", project=project, prompt=prompt, rankings_wanted=1, open_slots=0)
    make("Ranking", task=task, labeler=labeler, ranks=[1, 2], payload_sha256="0", submission_id=uuid4())
    make("Snapshot", project=project, sha256="0" * 64, size_bytes=7, counts={"rankings": 1})
    call_command("migrate", verbosity=0)
    ranking, snapshot = Ranking.objects.get(), Snapshot.objects.get()
    assert (ranking.ranks, ranking.flags, ranking.origin) == ([1, 2], [], None)
    assert (snapshot.counts, snapshot.settings, snapshot.card) == ({"rankings": 1}, {}, {})
    assert (Prompt.objects.get().origin, AnswerBatch.objects.get().origin) == (None, None)
    assert Import.objects.create(project=make_project(), content="prompts", sha256="1" * 64).rows_done == 0
