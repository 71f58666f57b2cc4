"""Rankings of the database, as agreement.py reads them."""

from collections.abc import Iterator

from django.db.models import QuerySet

from annotate.agreement import Panel, Ranked, panels
from annotate.models import Ranking

CHUNK = 5000


def panels_of(rankings: QuerySet[Ranking]) -> list[Panel]:
    """Of the tasks that several people ranked, in these rankings."""
    return panels(_ranked(rankings))


def _ranked(rankings: QuerySet[Ranking]) -> Iterator[Ranked]:
    found = rankings.order_by("task_id", "pk").values_list("task_id", "labeler_id", "ranks")
    for task, labeler, ranks in found.iterator(chunk_size=CHUNK):
        yield Ranked(task, labeler, ranks)
