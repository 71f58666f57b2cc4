"""Argilla's ranking questions: a record a row, its fields the prompt and the answers, its responses by several users.
Pure.

Read are the server's records, the SDK's `to_json`, the flat columns of the Hub, and records of Argilla 1. Equal ranks
are a tie. The SDK of Argilla 2 writes only the order of the names, so its ties are lost before they come here. Only
submitted responses count. An option such as "response-1" is the field of that name, however it is spelled."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from annotate.formats import fields, naming
from annotate.formats.rows import InvalidRow, PromptRow, RankedRow, Row

EXAMPLE = (
    '{"id": "r1", "fields": {"instruction": "Why?", "response-1": "Because.", "response-2": "Dunno."}, "responses": ['
    '{"user_id": "u1", "status": "submitted", "values": {"ranking": {"value": [{"value": "response-1", "rank": 1},'
    ' {"value": "response-2", "rank": 1}]}}}]}'
)
_OF_THE_RECORD = {"id", "status", "inserted_at", "updated_at", "_server_id", "metadata", "external_id", "vectors"}


class Response(NamedTuple):
    question: str
    user: str
    status: str
    value: Any
    created_at: Any = None


def looks_like(row: Row) -> bool:
    if isinstance(row.get("fields"), dict) and "responses" in row:
        return True
    return any(key.endswith(".responses") for key in row) or any(map(_is_old, row.values()))


def read(row: object, *, prompt: str = "", question: str = "") -> Iterator[RankedRow | PromptRow]:
    """`prompt` names the field that was answered, `question` the one that ranks; without it, whatever ranks fields of
    the record is read. A record that nobody ranked comes as its prompt."""
    rest = fields.opened(row, EXAMPLE)
    held = rest["fields"] if isinstance(rest.get("fields"), dict) else _flat_fields(rest)
    identity = {"id": rest.get("external_id") or rest.get("id")}
    asked = fields.prompt(naming.prompt(held, prompt, "the record"), identity)
    found = False
    for response in _responses(rest):
        ordered = _ordered(response.value)
        if not ordered or response.status not in ("submitted", "") or (question and response.question != question):
            continue
        texts = [naming.answer(held, option) for option, _ in ordered]
        if None in texts:
            if not question and not _has_ranks(response.value):
                continue  # a list of labels looks like an order of names
            missing = naming.listed(option for (option, _), text in zip(ordered, texts, strict=True) if text is None)
            raise InvalidRow(f"{response.question} ranks {missing}, but the record has {naming.listed(held)}")
        found = True
        yield RankedRow(
            prompt=asked,
            answers=tuple(text for text in texts if text is not None),
            ranks=fields.ranks([rank for _, rank in ordered], response.question),
            labeler=response.user,
            created_at=fields.moment({"inserted_at": response.created_at}, "inserted_at"),
            metadata={"question": response.question, "options": [option for option, _ in ordered]},
        )
    if not found:
        yield asked


def _responses(row: Row) -> Iterator[Response]:
    responses = row.get("responses")
    if isinstance(responses, list):
        for one in filter(_is_object, responses):
            values = one.get("values")
            for question, said in values.items() if isinstance(values, dict) else ():
                value = said.get("value") if isinstance(said, dict) else said
                yield Response(question, _user(one), one.get("status") or "", value, one.get("inserted_at"))
    elif isinstance(responses, dict):
        for question, said in responses.items():
            for one in filter(_is_object, said if isinstance(said, list) else ()):
                yield Response(question, _user(one), one.get("status") or "", one.get("value"))
    else:
        yield from _flat_responses(row)


def _flat_responses(row: Row) -> Iterator[Response]:
    for key, said in row.items():
        if key.endswith(".responses") and isinstance(said, list):
            users, statuses = (_as_long(row.get(f"{key}.{what}"), said) for what in ("users", "status"))
            for user, status, value in zip(users, statuses, said, strict=True):
                yield Response(key.removesuffix(".responses"), user, status, value)
        elif _is_old(said):
            for one in said:
                yield Response(key, _user(one), one.get("status") or "", one.get("value"))


def _flat_fields(row: Row) -> Row:
    return {
        key: value
        for key, value in row.items()
        if key not in _OF_THE_RECORD and "." not in key and not _is_old(value) and value is not None
    }


def _ordered(value: Any) -> list[tuple[str, float]]:
    """(option, rank) of a ranking in any of Argilla's shapes, those without a rank left out; nothing for another
    question's value."""
    if isinstance(value, dict) and isinstance(value.get("value"), list) and isinstance(value.get("rank"), list):
        both = zip(value["value"], value["rank"], strict=False)
    elif isinstance(value, list) and _has_ranks(value):
        both = ((one["value"], one["rank"]) for one in value)  # type: ignore[assignment]
    elif isinstance(value, list) and len(value) > 1:
        both = ((one, place) for place, one in enumerate(value, 1))  # type: ignore[assignment]
    else:
        return []
    found = [(one, rank) for one, rank in both if isinstance(one, str) and type(rank) in (int, float)]
    return found if len(found) > 1 else []


def _has_ranks(value: Any) -> bool:
    if isinstance(value, dict):
        return "rank" in value
    return isinstance(value, list) and all(isinstance(one, dict) and {"value", "rank"} <= one.keys() for one in value)


def _is_old(value: Any) -> bool:
    """A question of Argilla 1: its column holds the responses."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(_is_object(one) and {"user_id", "value"} <= one.keys() for one in value)
    )


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _user(response: Row) -> str:
    return "" if response.get("user_id") is None else str(response["user_id"])


def _as_long(value: Any, said: list[Any]) -> list[str]:
    """A column beside the responses, or nothing known of each where it is left out."""
    if isinstance(value, list) and len(value) == len(said):
        return ["" if one is None else str(one) for one in value]
    return [""] * len(said)
