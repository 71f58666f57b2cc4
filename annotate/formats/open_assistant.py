"""Open-Assistant's message trees, one a row ("oasst" exports). Pure.

Each message of a prompter with two or more ranked replies is a ranking, its prompt the whole thread down to it. The
tree is the root, so nothing of it is ever split. Left out, with all below them: messages that were deleted, or that no
review let through. The ranks are a consensus of volunteers; the export does not say whose."""

from collections.abc import Iterator
from typing import Any

from annotate import ranking
from annotate.formats import fields
from annotate.formats.rows import InvalidRow, PromptRow, RankedRow, Row

EXAMPLE = (
    '{"message_tree_id": "t1", "prompt": {"message_id": "t1", "role": "prompter", "text": "Why?",'
    ' "review_result": true, "replies": ['
    '{"message_id": "m2", "role": "assistant", "text": "Because.", "review_result": true, "rank": 0},'
    ' {"message_id": "m3", "role": "assistant", "text": "Dunno.", "review_result": true, "rank": 1}]}}'
)
PEOPLE = "open-assistant volunteers"
_ROLES = {"prompter": "user", "assistant": "assistant"}
DEEPEST = 200


def looks_like(row: Row) -> bool:
    return "message_tree_id" in row and isinstance(row.get("prompt"), dict)


def read(row: object) -> Iterator[RankedRow | PromptRow]:
    """A prompter's message without a ranking comes as a prompt; the best reply of each is its demonstration, if a
    person wrote it."""
    if not isinstance(row, dict) or not isinstance(row.get("prompt"), dict):
        raise InvalidRow(f"prompt is not a message with its replies, as in {EXAMPLE}")
    tree = fields.text_or_number(dict(row), "message_tree_id")
    if not tree:
        raise InvalidRow("message_tree_id is missing")
    yield from _below(row["prompt"], [], tree)


def _below(message: Any, thread: fields.Messages, tree: str) -> Iterator[RankedRow | PromptRow]:
    said = _opened(message)
    if said is None:
        return
    if len(thread) >= DEEPEST:
        raise InvalidRow("the tree is deeper than any conversation")
    thread = [*thread, {"role": _ROLES[said["role"]], "content": said["text"]}]
    replies = message.get("replies") or []
    if not isinstance(replies, list):
        raise InvalidRow(f"replies of message {said['message_id']} is not a list")
    if said["role"] == "prompter":
        if not said["text"].strip():
            raise InvalidRow(f"text of message {said['message_id']} is empty")
        yield _asked(said, thread, [one for one in map(_opened, replies) if one], tree)
    for reply in replies:
        yield from _below(reply, thread, tree)


def _asked(said: Row, thread: fields.Messages, replies: list[Row], tree: str) -> RankedRow | PromptRow:
    ranked = [reply for reply in replies if reply["rank"] is not None]
    best = min(ranked, key=lambda reply: reply["rank"]) if ranked else replies[0] if len(replies) == 1 else None
    prompt = PromptRow(
        external_id=said["message_id"],
        root=tree,
        messages=thread,
        metadata={"lang": said["lang"]} if said["lang"] else {},
        demonstrations=(best["text"],) if best and not best["model"] and best["text"].strip() else (),
    )
    if len(ranked) < ranking.LEAST_ANSWERS:
        return prompt
    return RankedRow(
        prompt=prompt,
        answers=tuple(reply["text"] for reply in ranked),
        ranks=fields.ranks([reply["rank"] for reply in ranked], f"message {said['message_id']}"),
        sources=tuple(reply["model"] or PEOPLE for reply in ranked),
        metadata={"message_ids": [reply["message_id"] for reply in ranked]},
    )


def _opened(message: Any) -> Row | None:
    """What is needed of a message, cleaned, without what hangs below it. None where it does not count."""
    if not isinstance(message, dict):
        raise InvalidRow("a message of the tree is not an object")
    rest = fields.opened({key: value for key, value in message.items() if key != "replies"}, EXAMPLE)
    if rest.get("deleted") or rest.get("review_result") is not True:
        return None
    found = fields.text_or_number(rest, "message_id")
    if not found:
        raise InvalidRow("message_id of a message of the tree is missing")
    if rest.get("role") not in tuple(_ROLES):
        raise InvalidRow(f"role of message {found} is {rest.get('role')!r}: it is prompter or assistant")
    model = fields.optional_text(rest, "model_name") or ("a model" if rest.get("synthetic") else "")
    return {
        "message_id": found,
        "role": rest["role"],
        "text": fields.text(rest, "text"),
        "rank": fields.number(rest, "rank"),
        "lang": fields.optional_text(rest, "lang"),
        "model": model,
    }
