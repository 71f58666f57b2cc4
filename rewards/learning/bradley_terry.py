"""The Bradley-Terry losses of reward models. Pure: tensors in, a tensor out."""

from collections.abc import Iterable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class Pairs(NamedTuple):
    """Comparisons between answers that are named by their place in a tensor of rewards. N pairs."""

    winner: Tensor  # (N,) int64
    loser: Tensor  # (N,) int64
    weight: Tensor  # (N,) how much a pair counts in the loss


def pairs(rankings: Iterable[list[tuple[int, int]]], *, elements: int) -> Pairs:
    """The pairs of several rankings, weighted so that a ranking is one element of a batch of `elements` rankings.

    Ouyang et al. 2022, eq. 1: all C(K, 2) pairs of a ranking are one element, with the mean over them. As rows of their
    own they would teach each answer K - 1 times over, which overfits within one epoch."""
    winner, loser, weight = [], [], []
    for ranking in rankings:
        for better, worse in ranking:
            winner.append(better)
            loser.append(worse)
            weight.append(1 / (len(ranking) * elements))
    return Pairs(torch.tensor(winner, dtype=torch.long), torch.tensor(loser, dtype=torch.long), torch.tensor(weight))


def differences(rewards: Tensor, pairs: Pairs) -> Tensor:
    """The winner's reward minus the loser's. rewards (A,), N pairs -> (N,)."""
    return rewards[pairs.winner] - rewards[pairs.loser]


def loss(rewards: Tensor, pairs: Pairs) -> Tensor:
    """The weighted sum of -log sigmoid(r_winner - r_loser). rewards (A,), N pairs -> ().

    logsigmoid, not sigmoid().log(): the latter is -inf once the gap passes about -100 in float32."""
    return -(pairs.weight * F.logsigmoid(differences(rewards, pairs))).sum()
