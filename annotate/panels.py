"""Rankings of the database, as agreement.py reads them."""

import json
from array import array
from collections import defaultdict
from itertools import chain, count

import numpy as np
from django.db.models import QuerySet, TextField
from django.db.models.functions import Cast

from annotate.agreement import Panel, panels_of_columns
from annotate.models import Ranking

CHUNK = 20_000


def panels_of(rankings: QuerySet[Ranking]) -> list[Panel]:
    """Of the tasks that several people ranked, in these rankings.

    Of a million rankings most have the same ranks as others: they are read as texts, and each text is opened once."""
    kinds: defaultdict[str, int] = defaultdict(count().__next__)
    found = rankings.order_by("task_id", "pk").values_list("task_id", "labeler_id", Cast("ranks", TextField()))
    rows = ((task, labeler, kinds[ranks]) for task, labeler, ranks in found.iterator(chunk_size=CHUNK))
    columns = np.frombuffer(array("q", chain.from_iterable(rows)), dtype=np.int64).reshape(-1, 3)
    return panels_of_columns(columns, [json.loads(ranks) for ranks in kinds])
