"""Which answers to show together, and in which order. Pure and seeded: the same in, the same out."""

import hashlib
from collections.abc import Hashable, Iterable, Sequence
from itertools import chain, zip_longest
from typing import TypeVar

from annotate.ranking import MOST_AT_THE_DESK

A = TypeVar("A", bound=Hashable)


def shown_order(answers: Iterable[int], *, task: int, labeler: int) -> list[int]:
    """The ids of a task's answers in the order that this labeler sees: blind, and the same on every visit."""
    return sorted(answers, key=lambda answer: _draw(task, labeler, answer))


def shown_together(batches: Sequence[Sequence[tuple[A, str]]], *, most: int = MOST_AT_THE_DESK) -> list[A]:
    """Up to `most` different answers, as (answer, text), of the batches in turn, so that each batch has its share.

    A text that was taken already is left out, by whichever batch it comes again."""
    taken: dict[str, A] = {}
    for answer, text in filter(None, chain.from_iterable(zip_longest(*batches))):
        if len(taken) == most:
            break
        taken.setdefault(text, answer)
    return list(taken.values())


def _draw(*seed: int) -> bytes:
    return hashlib.sha256(":".join(map(str, seed)).encode()).digest()
