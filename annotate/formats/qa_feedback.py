"""QA-Feedback of Fine-Grained RLHF: four answers of one policy, and a label for each of their six pairs. Pure.

Each label is a ranking of two answers: some labels of a prompt fit no ranking of the four (a = b, b = c, but a > c)."""

from collections.abc import Iterator
from itertools import combinations
from typing import Any

from annotate.formats import fields
from annotate.formats.rows import InvalidRow, RankedRow, Row

EXAMPLE = (
    '{"question": "Where is it?", "passages": [["Title", "A sentence.", "Another."]], "gold": "There.",'
    ' "prediction 1": "a", "prediction 2": "b", "prediction 3": "c", "prediction 4": "d",'
    ' "preference": [1, 0, 2, 1, 1, 2]}'
)
PREDICTIONS = tuple(f"prediction {number}" for number in range(1, 5))
PAIRS = tuple(combinations(range(4), 2))
SOURCE = "qa-feedback sft"
_RANKS = {0: (1, 1), 1: (1, 2), 2: (2, 1)}


def looks_like(row: Row) -> bool:
    return {"question", "preference", *PREDICTIONS} <= row.keys()


def read(row: object) -> Iterator[RankedRow]:
    """The prompt is the question and the passages that the answers draw on; the gold answer is a demonstration."""
    rest = fields.opened(row, EXAMPLE)
    messages = fields.question(asked(fields.text(rest, "question"), rest.pop("passages", None)), "question")
    answers = [fields.text(rest, prediction) for prediction in PREDICTIONS]
    labels = _labels(rest.pop("preference", None))
    gold = fields.optional_text(rest, "gold")
    # What is left, such as the marked errors, tells of the four answers together.
    prompt = fields.prompt(messages, rest, demonstrations=(gold,) if gold.strip() else (), metadata=rest)
    for (one, other), label in zip(PAIRS, labels, strict=True):
        yield RankedRow(
            prompt=prompt,
            answers=(answers[one], answers[other]),
            ranks=_RANKS[label],
            sources=(SOURCE, SOURCE),
            metadata={"predictions": [one + 1, other + 1]},
        )


def asked(question: str, passages: Any) -> str:
    """The question, then each passage under its title."""
    if not question.strip():
        raise InvalidRow("question is empty")
    if passages is None:
        return question
    if not isinstance(passages, list) or not all(map(_is_passage, passages)):
        raise InvalidRow("passages is not a list of passages, each a list with a title and sentences")
    told = [f"Passage {number}: {title}\n{' '.join(said)}" for number, (title, *said) in enumerate(passages, 1)]
    return "\n\n".join([question, *told])


def _is_passage(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, str) for one in value)


def _labels(value: Any) -> list[int]:
    if not isinstance(value, list) or len(value) != len(PAIRS) or not all(type(one) is int for one in value):
        raise InvalidRow(f"preference is not a list of {len(PAIRS)} labels, one for each pair of answers")
    if set(value) - set(_RANKS):
        raise InvalidRow("preference has a label that is not 1 (the first), 2 (the second) or 0 (a tie)")
    return value
