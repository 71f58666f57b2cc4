"""Rows as the cells of a table, and back. Pure.

A spreadsheet runs a cell that begins with = + - @ tab or CR as a formula; such a text gets an apostrophe before it,
and so does one that begins like a list of messages, and one whose apostrophes stand before any of these, so that
taking one away always gives the text back. An empty text is a lone apostrophe, since an empty cell says that there is
nothing. Lists and objects are JSON."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from annotate.formats import hh_rlhf
from annotate.formats.rows import Row

MESSAGES = {"prompt", "chosen", "rejected", "completion", "messages"}
"""Columns that hold a text, or messages as JSON."""
JSON = {"answers", "ranks", "sources", "labelers", "votes", "pairs", "metadata"}
NUMBERS = {"strength", "margin", "n_rankings", "agreement", "guidelines_version"}
BOOLEANS = {"true": True, "false": False}
_ESCAPED = re.compile(r"'*(?:[=+\-@\t\r]|\[\s*[{\]]|\Z)")


def cells(row: Row, columns: Iterable[str]) -> list[str]:
    row = gathered(row, columns)
    return [_cell(row[column]) for column in columns]


def gathered(row: Row, columns: Iterable[str]) -> Row:
    """The row with exactly these keys: what has no column is gathered under `metadata`, if that is one. What a file
    called `metadata` and was no object stands there under that name."""
    within = {column: row.get(column) for column in columns}
    if "metadata" in within:
        said, rest = within["metadata"], {key: value for key, value in row.items() if key not in within}
        if not isinstance(said, dict):
            said = {} if said is None else {"metadata": said}
        within["metadata"] = {**said, **rest} or within["metadata"]
    return within


def row(named: Mapping[str, str]) -> Row:
    """A row from the cells of a table, by the names of their columns. Empty cells are not in it."""
    found: Row = {column: _value(column, cell) for column, cell in named.items() if cell}
    metadata = found.pop("metadata", None)
    return {**metadata, **found} if isinstance(metadata, dict) else found


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if _ESCAPED.match(value) else value
    return json.dumps(value, ensure_ascii=False)


def _value(column: str, cell: str) -> Any:
    if column in MESSAGES | JSON and cell[0] in "[{":
        value = _parsed(cell)
        if column in JSON or (isinstance(value, list) and all(isinstance(one, dict) for one in value)):
            return value
    if column in NUMBERS and isinstance(number := _parsed(cell), int | float):
        return number
    if column == "label" and cell in BOOLEANS:
        return BOOLEANS[cell]
    return cell[1:] if cell[0] == "'" and _ESCAPED.match(cell) else cell


def _parsed(cell: str) -> Any:
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        return cell


def answer_rows(rankings: Iterable[Row]) -> Iterator[Row]:
    """For spreadsheets, from ranking rows: a line an answer, numbered by ranking."""
    for number, row in enumerate(rankings, 1):
        of_ranking = {
            "ranking": number,
            "id": row["id"],
            "root": row.get("root"),
            "split": row.get("split"),
            "prompt": hh_rlhf.plain(row["prompt"]),
            "labeler": row.get("labeler"),
            "strength": row.get("strength"),
            "created_at": row.get("created_at"),
        }
        sources = row.get("sources") or [None] * len(row["answers"])
        for answer, rank, source in zip(row["answers"], row["ranks"], sources, strict=True):
            yield {**of_ranking, "answer": answer, "rank": rank, "source": source}
