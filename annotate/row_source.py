"""Rows of the database as rows of files, in our own formats; annotate/formats makes the others from these.

They name people by pseudonym only. docs/formats.md has the tables."""

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import F, OuterRef, QuerySet

from annotate.formats.rows import Row
from annotate.models import Answer, Prompt, Ranking, TaskAnswer

CHUNK = 2000


def ranking_rows(rankings: QuerySet[Ranking]) -> Iterator[Row]:
    """The truth, and the trainer's input. Rows of a prompt follow each other, the older ranking first."""
    for _, row in _ranking_rows(rankings.order_by("task__prompt_id", "pk")):
        yield row


def ranking_rows_by_task(rankings: QuerySet[Ranking]) -> Iterator[list[Row]]:
    """The same rows, those of a task together. Tasks of a prompt follow each other."""
    for _, of_task in groupby(_ranking_rows(rankings.order_by("task__prompt_id", "task_id", "pk")), itemgetter(0)):
        yield [row for _, row in of_task]


def _ranking_rows(rankings: QuerySet[Ranking]) -> Iterator[tuple[int, Row]]:
    """Each with its task."""
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
        "guidelines_version": F("guidelines_version"),
        "metadata": F("metadata"),
    }
    # The database puts each row together: a tenth of the time that model instances take. Their names are not ours.
    found = rankings.values_list("task_id", *columns.values())
    for task, *values in found.iterator(chunk_size=CHUNK):
        row = dict(zip(columns, values, strict=True))
        metadata = row.pop("metadata")
        row["created_at"] = row["created_at"].isoformat()
        yield task, {**row, "metadata": metadata} if metadata else row


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
