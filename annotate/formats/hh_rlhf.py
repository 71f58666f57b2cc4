"""Anthropic's HH-RLHF: whole dialogues as text, "\\n\\nHuman: ...\\n\\nAssistant: ...". Pure.

Rows in {"chosen", "rejected"}. Both tell the whole dialogue; what was compared is where they part: the prompt is what
both have up to the last Assistant mark that they share, and each answer is all that follows it. Nearly always that is
the last turn. Where a model went on and spoke for the human too, the marks that it wrote belong to its answer: a
person judged the whole text, and cut anywhere else the pair would compare answers to different questions."""

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from os.path import commonprefix

from annotate.formats import fields, pairs
from annotate.formats.rows import InvalidRow, RankedRow, Row

EXAMPLE = (
    '{"chosen": "\\n\\nHuman: Why?\\n\\nAssistant: Because.", "rejected": "\\n\\nHuman: Why?\\n\\nAssistant: Dunno."}'
)
HUMAN, ASSISTANT = "\n\nHuman:", "\n\nAssistant:"
_WRITTEN = {"user": HUMAN, "assistant": ASSISTANT, "system": "\n\nSystem:"}
_MARK = re.compile(r"\n\n(Human|Assistant): ?")
_ROLES = {"Human": "user", "Assistant": "assistant"}


def looks_like(row: Row) -> bool:
    return "prompt" not in row and all(is_transcript(row.get(side)) for side in ("chosen", "rejected"))


def is_transcript(value: object) -> bool:
    return isinstance(value, str) and HUMAN in _begun(value)


def read(row: object) -> Iterator[RankedRow]:
    rest = fields.opened(row, EXAMPLE)
    chosen, rejected = (_begun(fields.text(rest, side)) for side in ("chosen", "rejected"))
    shared = commonprefix([chosen, rejected])
    cut = _question(shared)
    if cut is None:
        raise InvalidRow(
            'chosen and rejected share no "\\n\\nHuman: ...\\n\\nAssistant:": nothing says what both answer'
        )
    messages, start = turns(shared[:cut]), cut + len(ASSISTANT)
    answers = chosen[start:].removeprefix(" "), rejected[start:].removeprefix(" ")
    if any(_MARK.search(answer) for answer in answers):
        rest["answers_hold_turns"] = True
    messages = fields.ending_with_user(fields.messages(messages, "the dialogue"), "the dialogue")
    yield fields.pair(messages, *answers, rest)


def rows(rankings: Iterable[Row]) -> Iterator[Row]:
    for row, chosen, rejected, *_ in pairs.verdicts(rankings):
        prompt = transcript(row["prompt"])
        yield {"chosen": f"{prompt} {chosen}", "rejected": f"{prompt} {rejected}"}


def _question(dialogue: str) -> int | None:
    """Where its last question ends: a Human's turn that an Assistant mark follows."""
    marks = list(_MARK.finditer(dialogue))
    ends = (mark.start() for said, mark in pairwise(marks) if (said[1], mark[1]) == ("Human", "Assistant"))
    return max(ends, default=None)


def turns(dialogue: str) -> fields.Messages:
    """The messages of a dialogue. Text before the first mark is a system message, and two turns of one role in a row
    stay two."""
    parts = _MARK.split(_begun(dialogue))
    before, said = parts[0], zip(parts[1::2], parts[2::2], strict=True)
    system = [{"role": "system", "content": before}] if before.strip() else []
    return system + [{"role": _ROLES[who], "content": words} for who, words in said]


def transcript(messages: fields.Messages) -> str:
    """Up to the Assistant mark that an answer follows. A system message stands before the first mark; a later one gets
    a mark that no reader of this format knows."""
    before = messages[0]["content"] if messages[0]["role"] == "system" else ""
    said = messages[1:] if before else messages
    return before + "".join(f"{_WRITTEN[one['role']]} {one['content']}" for one in said) + ASSISTANT


def plain(messages: fields.Messages) -> str:
    """A prompt for formats that know texts only: one user message as it is, any other prompt as a transcript."""
    if len(messages) == 1:
        return messages[0]["content"]
    return transcript(messages)


def is_begun_transcript(value: object) -> bool:
    """A dialogue up to the mark that an answer follows."""
    return isinstance(value, str) and is_transcript(value) and value.rstrip().endswith(ASSISTANT)


def from_plain(text: str, field: str) -> fields.Messages:
    """What `plain` wrote, or another text, as messages."""
    if is_begun_transcript(text):
        return fields.ending_with_user(turns(text[: text.rindex(ASSISTANT)]), field)
    return fields.question(text, field)


def _begun(text: str) -> str:
    """Some copies of the data have lost the two line feeds at the start."""
    return f"\n\n{text}" if text.startswith("Human:") else text
