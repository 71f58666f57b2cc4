"""What a fit makes least: the loss that its settings choose, with the numbers that it learns beside the weights."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rewards.learning import bradley_terry, noise, plackett_luce, rao_kupper
from rewards.learning.bradley_terry import Chances, Pairs
from rewards.learning.rankings import Ranking
from rewards.specs import LossSpec

RAREST_TIES = 0.01
"""The start of a threshold where training holds hardly a tie: from none at all, nothing could be learned."""


class Objective(nn.Module):
    """A loss over rankings. It lives on the CPU in float32, whatever the model does."""

    def __init__(self, spec: LossSpec, *, tie_share: float) -> None:
        """`tie_share`: of the pairs to learn from; the tie threshold starts where equal rewards tie as often."""
        super().__init__()
        self.spec = spec
        start = rao_kupper.threshold_of(min(max(tie_share, RAREST_TIES), 1 - RAREST_TIES))
        self._threshold = _number(math.log(math.expm1(start))) if spec.ties == "rao_kupper" else None
        self._lapse = _number(math.log(spec.lapse_rate / (0.5 - spec.lapse_rate))) if spec.lapse == "learned" else None

    @property
    def tie_threshold(self) -> Tensor | None:
        """eta > 0, () float32: log(1 + e^t) of what is learned; None where ties have no chance of their own."""
        return None if self._threshold is None else F.softplus(self._threshold)

    @property
    def lapse_rate(self) -> Tensor | float | None:
        """eps in (0, 1/2), as given, or () float32: sigmoid(t) / 2 of what is learned; None where nobody slips."""
        if self._lapse is not None:
            return torch.sigmoid(self._lapse) / 2
        return self.spec.lapse_rate if self.spec.lapse == "given" else None

    @property
    def numbers(self) -> dict[str, float]:
        """What is to be known beside the rewards to say how likely an answer is to win."""
        given = {"lapse_rate": self.spec.lapse_rate} if self.spec.lapse == "given" else {}
        return {**given, **self.learned}

    @property
    def learned(self) -> dict[str, float]:
        """Those of the numbers that move."""
        moving = {"tie_threshold": self._threshold, "lapse_rate": self._lapse}
        return {name: getattr(self, name).item() for name, number in moving.items() if number is not None}

    def loss(self, rewards: Tensor, rankings: Sequence[Ranking], *, elements: int) -> Tensor:
        """Their part of a batch of `elements` rankings. rewards (A,), rankings by place in them -> ()."""
        pairs = self.pairs(rankings, elements)
        if self.spec.loss == "plackett_luce":
            parts = [one.weight / elements * plackett_luce.surprise(rewards, one.tiers) for one in rankings]
            loss = torch.stack(parts).sum()
        else:
            loss = self.of_pairs(rewards, pairs)
        return loss + self.spec.centring * bradley_terry.off_centre(rewards, pairs) if self.spec.centring else loss

    def pairs(self, rankings: Sequence[Ranking], elements: int) -> Pairs:
        """Theirs, with their weights and the margins that are asked of them."""
        return bradley_terry.pairs(
            [one.pairs for one in rankings],
            elements=elements,
            weights=[one.weight for one in rankings],
            margins=[self.spec.margin * (one.strength or 0.0) for one in rankings],
        )

    def of_pairs(self, rewards: Tensor, pairs: Pairs) -> Tensor:
        """The weighted sum of -log P(what was said). rewards (A,), N pairs -> ()."""
        chances = self.chances(bradley_terry.differences(rewards, pairs) - pairs.margin)
        labels = noise.smoothed(pairs.p, self.spec.smoothing)
        return (pairs.weight * bradley_terry.surprise(chances, labels)).sum()

    def chances(self, gap: Tensor) -> Chances:
        """What people will say of two answers whose rewards differ by d; of two, Plackett-Luce says what Bradley-Terry
        does. gap (N,)."""
        eta, eps = self.tie_threshold, self.lapse_rate
        meant = bradley_terry.chances(gap) if eta is None else rao_kupper.chances(gap, eta)
        return meant if eps is None else noise.flipped(meant, eps)


def _number(start: float) -> nn.Parameter:
    return nn.Parameter(torch.tensor(start, dtype=torch.float32))
