"""Rows of the database as rows of files, in our own formats; annotate/formats makes the others from these.

They name people by pseudonym only. docs/formats.md has the tables."""

from collections.abc import Generator, Iterator, Mapping
from itertools import groupby
from operator import itemgetter
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.contrib.postgres.fields import ArrayField
from django.db.models import F, Func, OuterRef, QuerySet, TextField

from annotate.copying import copy_out
from annotate.formats.rows import Row
from annotate.models import Answer, Prompt, Ranking, TaskAnswer


def ranking_rows(rankings: QuerySet[Ranking]) -> Generator[Row]:
    """The truth, and the trainer's input. Rows of a prompt follow each other, the older ranking first."""
    for _, row in _ranking_rows(rankings.order_by("task__prompt_id", "pk"), {}):
        yield row


def ranking_rows_by_task(rankings: QuerySet[Ranking]) -> Iterator[list[Row]]:
    """The same rows, those of a task together. Tasks of a prompt follow each other."""
    ordered = rankings.order_by("task__prompt_id", "task_id", "pk")
    for _, of_task in groupby(_ranking_rows(ordered, {"task_id": "int8"}), itemgetter(0)):
        yield [row for _, row in of_task]


class _Together(Func):
    """Of two texts: one look at the answers of a task, where two arrays would take two."""

    template = "ARRAY[%(expressions)s]"
    output_field = ArrayField(TextField())


def ranking_rows_by_key(rankings: QuerySet[Ranking]) -> Iterator[Row]:
    """The same rows in the order of these rankings, each with its own `key`, and with the flags of it and its task."""
    beside = {"pk": "int8", "flags": "jsonb", "task__flags": "jsonb"}
    for (key, flags, of_task), row in _ranking_rows(rankings, beside):
        yield {"key": key, **row, "flags": [*flags, *of_task]}


def _ranking_rows(rankings: QuerySet[Ranking], beside: Mapping[str, str]) -> Iterator[tuple[list[Any], Row]]:
    """Each with these columns of the ranking beside it."""
    shown = TaskAnswer.objects.filter(task=OuterRef("task")).order_by("position")
    columns = {
        F("task__prompt__external_id"): "text",
        F("task__prompt__root"): "text",
        F("task__prompt__messages"): "jsonb",
        ArraySubquery(shown.values(_=_Together("answer__text", "answer__batch__source_name"))): "text[]",
        F("ranks"): "jsonb",
        F("labeler__pseudonym"): "text",
        F("strength"): "float8",
        F("created_at"): "timestamptz",
        F("task__prompt__split"): "text",
        F("guidelines_version"): "int4",
        F("metadata"): "jsonb",
    }
    found = copy_out(rankings.values_list(*columns, *beside), [*columns.values(), *beside.values()])
    for id, root, prompt, said, ranks, labeler, strength, created_at, split, version, metadata, *more in found:
        row = {
            "id": id,
            "root": root,
            "prompt": prompt,
            "answers": [text for text, _ in said],
            "ranks": ranks,
            "labeler": labeler,
            "sources": [source for _, source in said],
            "strength": strength,
            "created_at": created_at.isoformat(),
            "split": split,
            "guidelines_version": version,
        }
        if metadata:
            row["metadata"] = metadata
        yield more, row


def demonstration_rows(answers: QuerySet[Answer]) -> Generator[Row]:
    """What people wrote, as whole conversations."""
    columns = {
        "prompt__messages": "jsonb",
        "text": "text",
        "prompt__external_id": "text",
        "prompt__root": "text",
        "prompt__split": "text",
    }
    ordered = answers.order_by("prompt_id", "pk")
    for messages, text, id, root, split in copy_out(ordered.values_list(*columns), list(columns.values())):
        said = {"role": "assistant", "content": text}
        yield {"messages": [*messages, said], "id": id, "root": root, "split": split}


def prompt_rows(prompts: QuerySet[Prompt]) -> Generator[Row]:
    """As an import reads them: metadata beside the fields of the format, which come last."""
    columns = {"metadata": "jsonb", "messages": "jsonb", "split": "text", "external_id": "text", "root": "text"}
    found = copy_out(prompts.order_by("pk").values_list(*columns), list(columns.values()))
    for metadata, messages, split, id, root in found:
        yield {**metadata, "prompt": messages, "split": split, "id": id, "root": root}
