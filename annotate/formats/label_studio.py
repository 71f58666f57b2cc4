"""Label Studio's JSON export, a task a row: pairwise choices, and lists in a Ranker. Pure.

Each annotation that was not cancelled is a ranking, by the person under `completed_by`. The names in `data` are each
project's own: they are given, or else the usual ones are tried, and an error says which. A Pairwise tag knows no tie:
an annotation with neither side selected is no ranking."""

from collections.abc import Iterator
from typing import Any

from annotate.formats import fields, naming
from annotate.formats.rows import InvalidRow, PromptRow, RankedRow, Row

EXAMPLE = (
    '{"id": 1, "data": {"prompt": "Why?", "answer1": "Because.", "answer2": "Dunno."}, "annotations": [{"id": 5,'
    ' "completed_by": 3, "created_at": "2026-11-24T04:00:00Z", "was_cancelled": false, "result": [{"from_name": "pw",'
    ' "to_name": "pw", "type": "pairwise", "value": {"selected": "left"}}]}]}'
)
_RANKS = {"left": (1, 2), "right": (2, 1)}
Ranked = tuple[tuple[str, ...], tuple[int, ...]]
"""Answers and their ranks."""


def looks_like(row: Row) -> bool:
    return isinstance(row.get("data"), dict) and isinstance(row.get("annotations"), list)


def read(
    row: object, *, prompt: str = "", answers: tuple[str, ...] = (), buckets: tuple[str, ...] = ()
) -> Iterator[RankedRow | PromptRow]:
    """`prompt` and `answers` (left, right; or the list of a Ranker) name keys of `data`; `buckets` those of a Ranker,
    the best first. A task that nobody ranked comes as its prompt."""
    rest = fields.opened(row, EXAMPLE)
    data, annotations = rest.get("data"), rest.get("annotations")
    if not isinstance(data, dict):
        raise InvalidRow("data is not an object")
    if not isinstance(annotations, list):
        raise InvalidRow("annotations is not a list: export the project as JSON, not as JSON-MIN")
    asked = fields.prompt(naming.prompt(data, prompt, "data"), {"split": data.get("split"), "root": data.get("root")})
    found = False
    for annotation in _standing(annotations):
        told = [(_ranked(result, data, answers, buckets), result) for result in annotation["result"]]
        others = [result for ranked, result in told if not ranked]
        for texts, ranks in (ranked for ranked, _ in told if ranked):
            found = True
            yield RankedRow(
                prompt=asked,
                answers=texts,
                ranks=ranks,
                labeler=_person(annotation.get("completed_by")),
                created_at=fields.moment({**annotation}, "created_at"),
                metadata=_metadata(rest, annotation, others),
            )
    if not found:
        yield asked


def _standing(annotations: list[Any]) -> Iterator[Row]:
    for place, annotation in enumerate(annotations):
        if not isinstance(annotation, dict) or not isinstance(annotation.get("result"), list):
            raise InvalidRow(f"annotations[{place}] has no list of results")
        if not annotation.get("was_cancelled"):
            yield annotation


def _ranked(result: Any, data: Row, answers: tuple[str, ...], buckets: tuple[str, ...]) -> Ranked | None:
    kind, value = (result.get("type"), result.get("value")) if isinstance(result, dict) else (None, None)
    if kind == "pairwise" and isinstance(value, dict) and value.get("selected") in tuple(_RANKS):
        left, right = naming.pair(data, answers, "data")
        return (data[left], data[right]), _RANKS[value["selected"]]
    if kind == "ranker" and isinstance(value, dict) and isinstance(value.get("ranker"), dict):
        return _from_ranker(value["ranker"], _items(data, answers), buckets)
    return None


def _from_ranker(said: Row, texts: dict[str, str], buckets: tuple[str, ...]) -> Ranked | None:
    """One list is an order. In buckets the items of one are tied, and those that lie in none ("_") are left out."""
    if not all(isinstance(ids, list) for ids in said.values()):
        raise InvalidRow("a ranker's value is not lists of the items' ids")
    named = [name for name in said if name != "_"]
    if buckets or len(named) > 1:
        if not set(named) <= set(buckets):
            raise InvalidRow(f"the ranker has the buckets {naming.listed(named)}: say their order, the best first")
        groups = [said.get(name, []) for name in buckets]
    else:
        groups = [[id] for name in named for id in said[name]]
    ranks = {str(id): place for place, group in enumerate(groups) for id in group}
    unknown = [id for id in ranks if id not in texts]
    if unknown:
        raise InvalidRow(f"the ranker names {naming.listed(unknown)}, which no item of data is: {naming.listed(texts)}")
    if len(ranks) < 2:
        return None
    return tuple(texts[id] for id in ranks), fields.ranks(list(ranks.values()), "the ranker")


def _items(data: Row, answers: tuple[str, ...]) -> dict[str, str]:
    """The texts of the list that was ranked, by their ids."""
    for name, value in data.items():
        if (not answers or name in answers) and isinstance(value, list) and value and all(map(_is_item, value)):
            return {str(item["id"]): _item_text(item) for item in value}
    looked_for = naming.listed(answers) if answers else "a list of objects with an id and a body"
    raise InvalidRow(f"data holds no items for the ranker: looked for {looked_for}, found {naming.listed(data)}")


def _is_item(value: Any) -> bool:
    return isinstance(value, dict) and "id" in value and bool(_item_text(value))


def _item_text(item: Row) -> str:
    """A title alone may name the model; it is the answer only where there is nothing else."""
    return next(
        (item[name] for name in ("body", "text", "content", "html", "title") if isinstance(item.get(name), str)), ""
    )


def _person(value: Any) -> str:
    """A number, or the user as an object."""
    if isinstance(value, dict):
        value = value.get("email") or value.get("username") or value.get("id")
    return "" if value is None else str(value)


def _metadata(task: Row, annotation: Row, others: list[Any]) -> Row:
    said = {"task": task.get("id"), "annotation": annotation.get("id"), "results": others}
    for key in ("lead_time", "ground_truth"):
        said[key] = annotation.get(key)
    return {key: value for key, value in said.items() if value not in (None, [], False)}
