"""The Bradley-Terry losses of reward models. Pure: tensors in, a tensor out."""

from collections.abc import Sequence
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
    margin: Tensor  # (N,) what is asked of a difference beyond winning

    @property
    def decided(self) -> "Pairs":
        """Those that are no ties."""
        kept = self.p != 0.5
        return Pairs(*(tensor[kept] for tensor in self))


class Chances(NamedTuple):
    """How likely people are to say each thing of N pairs, as logarithms."""

    win: Tensor  # (N,) that the winner wins
    loss: Tensor  # (N,)
    tie: Tensor | None = None  # (N,) None where ties have no chance of their own


def pairs(
    rankings: Sequence[Sequence[Comparison]],
    *,
    elements: int,
    weights: Sequence[float] | None = None,
    margins: Sequence[float] | None = None,
) -> Pairs:
    """The pairs of several rankings, weighted so that a ranking is one element of a batch of `elements` rankings.

    Ouyang et al. 2022, eq. 1: all C(K, 2) pairs of a ranking are one element, with the mean over them. As rows of their
    own they would teach each answer K - 1 times over, which overfits within one epoch. One a ranking: `weights`, how
    much it counts, and `margins`, of its pairs that all people agree on."""
    number = len(rankings)
    every = [
        (better, worse, weight / (len(ranking) * elements), p, margin if p == 1 else 0.0)
        for ranking, weight, margin in zip(rankings, weights or [1] * number, margins or [0] * number, strict=True)
        for better, worse, p in ranking
    ]
    winner, loser, shares, p, asked = zip(*every, strict=True) if every else [()] * 5
    places = (torch.tensor(winner, dtype=torch.long), torch.tensor(loser, dtype=torch.long))
    counted, likely = torch.tensor(shares, dtype=torch.float), torch.tensor(p, dtype=torch.double)
    return Pairs(*places, counted, likely, torch.tensor(asked, dtype=torch.float))


def differences(rewards: Tensor, pairs: Pairs) -> Tensor:
    """The winner's reward minus the loser's. rewards (A,), N pairs -> (N,)."""
    return rewards[pairs.winner] - rewards[pairs.loser]


def chances(gap: Tensor) -> Chances:
    """P(win) = sigmoid(d), P(loss) = sigmoid(-d) (Bradley and Terry 1952). gap d (N,) -> (N,).

    logsigmoid, not sigmoid().log(): the latter is -inf once the gap passes about -100 in float32."""
    return Chances(F.logsigmoid(gap), F.logsigmoid(-gap))


def surprise(chances: Chances, p: Tensor) -> Tensor:
    """-p log P(win) - (1 - p) log P(loss), (N,). With p = 1 it is -log P(win); with less it is least where P(win) = p:
    divided people pull two rewards together. So does a tie, p = 0.5, unless it has a chance of its own: -log P(tie)."""
    share = p.to(chances.win.dtype)
    decided = -(share * chances.win + (1 - share) * chances.loss)
    return decided if chances.tie is None else torch.where(p == 0.5, -chances.tie, decided)


def loss(rewards: Tensor, pairs: Pairs) -> Tensor:
    """The weighted sum over the pairs, d = r_winner - r_loser less its margin (Touvron et al. 2023, eq. 2). rewards
    (A,), N pairs -> ()."""
    return (pairs.weight * surprise(chances(differences(rewards, pairs) - pairs.margin), pairs.p)).sum()


def off_centre(rewards: Tensor, pairs: Pairs) -> Tensor:
    """The weighted sum of (r_winner + r_loser)^2 (Eisenstein et al. 2023; TRL). rewards (A,), N pairs -> ().

    Comparisons fix differences alone; this also fixes the level that each prompt's rewards lie around."""
    return (pairs.weight * (rewards[pairs.winner] + rewards[pairs.loser]) ** 2).sum()
