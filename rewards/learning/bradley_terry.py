"""The Bradley-Terry losses of reward models. Pure: tensors in, a tensor out."""

from collections.abc import Iterable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

Comparison = tuple[int, int, float]
"""(winner, loser, the probability that it wins), p >= 0.5."""


class Pairs(NamedTuple):
    """Comparisons between answers that are named by their place in a tensor of rewards. N pairs."""

    winner: Tensor  # (N,) int64
    loser: Tensor  # (N,) int64
    weight: Tensor  # (N,) how much a pair counts in the loss
    p: Tensor  # (N,) float64, the probability that the winner wins: 1 where all people say so, 0.5 for a tie

    @property
    def decided(self) -> "Pairs":
        """Those that are no ties."""
        kept = self.p != 0.5
        return Pairs(*(tensor[kept] for tensor in self))


def pairs(rankings: Iterable[Iterable[Comparison]], *, elements: int) -> Pairs:
    """The pairs of several rankings, weighted so that a ranking is one element of a batch of `elements` rankings.

    Ouyang et al. 2022, eq. 1: all C(K, 2) pairs of a ranking are one element, with the mean over them. As rows of their
    own they would teach each answer K - 1 times over, which overfits within one epoch."""
    winner, loser, weight, shares = [], [], [], []
    for ranking in map(list, rankings):
        for better, worse, p in ranking:
            winner.append(better)
            loser.append(worse)
            weight.append(1 / (len(ranking) * elements))
            shares.append(p)
    places = (torch.tensor(winner, dtype=torch.long), torch.tensor(loser, dtype=torch.long))
    return Pairs(*places, torch.tensor(weight), torch.tensor(shares, dtype=torch.double))


def differences(rewards: Tensor, pairs: Pairs) -> Tensor:
    """The winner's reward minus the loser's. rewards (A,), N pairs -> (N,)."""
    return rewards[pairs.winner] - rewards[pairs.loser]


def loss(rewards: Tensor, pairs: Pairs) -> Tensor:
    """The weighted sum of -p log sigmoid(d) - (1 - p) log sigmoid(-d), d = r_winner - r_loser. rewards (A,), N pairs
    -> (). With p = 1 it is -log sigmoid(d); with less it is least where sigmoid(d) = p: ties and divided people pull
    two rewards together.

    logsigmoid, not sigmoid().log(): the latter is -inf once the gap passes about -100 in float32."""
    gap = differences(rewards, pairs)
    p = pairs.p.to(gap.dtype)
    return -(pairs.weight * (p * F.logsigmoid(gap) + (1 - p) * F.logsigmoid(-gap))).sum()
