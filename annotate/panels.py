"""Rankings of the database, as agreement.py reads them."""

import json
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain, count, groupby, islice
from operator import itemgetter

import numpy as np
from django.db.models import QuerySet, TextField
from django.db.models.functions import Cast

from annotate.agreement import Panel, panels_of_columns
from annotate.models import Ranking

CHUNK = 20_000
TASKS_AT_ONCE = 10_000

Said = tuple[int, int, str]
"""A task, a labeler, and the ranks as a text: of a million rankings most have the same as others, and each text is
opened once."""


def panels_of(rankings: QuerySet[Ranking]) -> list[Panel]:
    """Of the tasks that several people ranked, in these rankings."""
    return _panels(_said(rankings))


def slices_of(rankings: QuerySet[Ranking]) -> Iterator[Panel]:
    """The same tasks, few at a time, for who needs to see each but once: a million take no more memory than these."""
    tasks = (list(of_task) for _, of_task in groupby(_said(rankings), itemgetter(0)))
    while some := list(islice(tasks, TASKS_AT_ONCE)):
        yield from _panels(chain.from_iterable(some))


def _said(rankings: QuerySet[Ranking]) -> Iterator[Said]:
    found = rankings.order_by("task_id", "pk").values_list("task_id", "labeler_id", Cast("ranks", TextField()))
    return found.iterator(chunk_size=CHUNK)


def _panels(said: Iterable[Said]) -> list[Panel]:
    kinds: defaultdict[str, int] = defaultdict(count().__next__)
    rows = ((task, labeler, kinds[ranks]) for task, labeler, ranks in said)
    columns = np.frombuffer(array("q", chain.from_iterable(rows)), dtype=np.int64).reshape(-1, 3)
    return panels_of_columns(columns, [json.loads(ranks) for ranks in kinds])
