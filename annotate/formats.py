"""The public formats, one generator each; every door streams these. Keys are promises: add, never rename.

They name people by pseudonym only. docs/formats.md has the tables."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import F, OuterRef, QuerySet

from annotate import ranking
from annotate.models import Answer, Prompt, Ranking, TaskAnswer

Row = dict[str, Any]
CHUNK = 2000


def ranking_rows(rankings: QuerySet[Ranking]) -> Iterator[Row]:
    """The truth, and the trainer's input. Rows of a prompt follow each other, the older ranking first."""
    shown = TaskAnswer.objects.filter(task=OuterRef("task")).order_by("position")
    columns = {
        "id": F("task__prompt__external_id"),
        "root": F("task__prompt__root"),
        "prompt": F("task__prompt__messages"),
        "answers": ArraySubquery(shown.values("answer__text")),
        "ranks": F("ranks"),
        "labeler": F("labeler__pseudonym"),
        "sources": ArraySubquery(shown.values("answer__batch__source_name")),
        "strength": F("strength"),
        "created_at": F("created_at"),
        "split": F("task__prompt__split"),
    }
    # The database puts each row together: a tenth of the time that model instances take. Their names are not ours.
    found = rankings.order_by("task__prompt_id", "pk").values_list(*(columns.values()))
    for values in found.iterator(chunk_size=CHUNK):
        row = dict(zip(columns, values, strict=True))
        yield {**row, "created_at": row["created_at"].isoformat()}


def preference_rows(rows: Iterable[Row]) -> Iterator[Row]:
    """TRL's explicit conversational form, from ranking rows: each pair of texts of a prompt once, over all rankings.

    n_rankings: how many compared the two. agreement: the share that prefers the chosen one. margin: that share less
    the share that prefers the rejected one, in (0, 1]. Pairs without a winner, and equal texts, are left out."""
    for _, of_prompt in groupby(rows, key=itemgetter("id")):
        counts: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
        messages = None
        for row in of_prompt:
            messages = row["prompt"]
            _count(row, counts)
        for (one, other), (wins, losses, ties) in counts.items():
            if wins != losses:
                n_rankings = wins + losses + ties
                chosen, rejected = (one, other) if wins > losses else (other, one)
                yield {
                    "prompt": messages,
                    "chosen": [{"role": "assistant", "content": chosen}],
                    "rejected": [{"role": "assistant", "content": rejected}],
                    "margin": abs(wins - losses) / n_rankings,
                    "n_rankings": n_rankings,
                    "agreement": max(wins, losses) / n_rankings,
                }


def _count(row: Row, counts: dict[tuple[str, str], list[int]]) -> None:
    """Add one ranking to the wins, losses and ties of each pair of different texts, smaller text first."""
    texts = row["answers"]
    for chosen, rejected, tie in ranking.comparisons(dict(enumerate(row["ranks"]))):
        pair = (texts[chosen], texts[rejected])
        if pair[0] != pair[1]:
            place = 2 if tie else int(pair[0] > pair[1])
            counts[min(pair), max(pair)][place] += 1


def demonstration_rows(answers: QuerySet[Answer]) -> Iterator[Row]:
    """What people wrote, as whole conversations."""
    ordered = answers.order_by("prompt_id", "pk").select_related("prompt").defer("token_ids", "logprobs")
    for answer in ordered.iterator(chunk_size=CHUNK):
        prompt = answer.prompt
        yield {
            "messages": [*prompt.messages, {"role": "assistant", "content": answer.text}],
            "id": prompt.external_id,
            "root": prompt.root,
            "split": prompt.split,
        }


def prompt_rows(prompts: QuerySet[Prompt]) -> Iterator[Row]:
    """As an import reads them: metadata beside the fields of the format, which come last."""
    for prompt in prompts.order_by("pk").iterator(chunk_size=CHUNK):
        named = {"prompt": prompt.messages, "split": prompt.split, "id": prompt.external_id, "root": prompt.root}
        yield {**prompt.metadata, **named}
