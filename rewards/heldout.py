"""The held-out comparisons of a fit, as `output/heldout.jsonl` tells them: a line each. Pure.

docs/reward-model.md says what a line holds. The texts lie in `inputs/heldout.jsonl`, where `row` and `places` point."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np

from rewards import metrics
from rewards.metrics import Floats

FILE = "heldout.jsonl"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What somebody said of two answers. Of each two values the first is of the answer that they prefer."""

    row: int
    """Its number in the inputs, from 1 on."""
    places: tuple[int, int]
    """Of the two answers in that row."""
    answers: tuple[str, str]
    """Hashes of prompt and answer: the same in every file that holds both."""
    id: str
    root: str
    split: str
    labelers: tuple[str, ...]
    votes: float
    """People whose verdict it is, as far as the row tells; `share` of them prefer the first answer."""
    share: float
    sources: tuple[str, str]
    """Empty where the row does not say."""
    strength: float | None
    tokens: tuple[int, int]
    rewards: tuple[float, float]
    log_odds: float
    """log P - log(1 - P), P the chance of a verdict for the first, ties apart. Bradley-Terry's is the difference."""

    @property
    def difference(self) -> float:
        return self.rewards[0] - self.rewards[1]

    @property
    def chance(self) -> float:
        """That the preferred answer wins, as the model has it."""
        return float(metrics.sigmoid(self.log_odds))

    @property
    def is_against(self) -> bool:
        """Whether the model puts the other answer first."""
        return self.difference < 0


class Columns(NamedTuple):
    """What the figures are made of, (N,) each."""

    log_odds: Floats
    shares: Floats
    votes: Floats
    lengths: Floats
    """Tokens of the preferred answer less those of the other."""
    roots: list[str]


def read(rows: Iterable[dict[str, Any]]) -> list[Comparison]:
    """Keys that are not known here are passed over: a later version may write more. A reward that is no number says
    nothing, and is left out."""
    names = [one.name for one in fields(Comparison)]
    found = (Comparison(**{name: _frozen(row[name]) for name in names}) for row in rows)
    return [one for one in found if math.isfinite(one.difference) and math.isfinite(one.log_odds)]


def columns(found: Sequence[Comparison]) -> Columns:
    return Columns(
        np.array([one.log_odds for one in found], dtype=np.float64),
        np.array([one.share for one in found], dtype=np.float64),
        np.array([one.votes for one in found], dtype=np.float64),
        np.array([one.tokens[0] - one.tokens[1] for one in found], dtype=np.float64),
        [one.root for one in found],
    )


def against(found: Iterable[Comparison], *, source: str = "", labeler: str = "") -> list[Comparison]:
    """Those that the model orders against people, the ones that it is surest of first."""
    chosen = (
        one
        for one in found
        if one.is_against and (not source or source in one.sources) and (not labeler or labeler in one.labelers)
    )
    return sorted(chosen, key=lambda one: (one.difference, one.row, one.places))


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
