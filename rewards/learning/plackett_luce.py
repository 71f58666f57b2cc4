"""A whole ranking as a row of choices: the best of all, the best of the rest, and so on (Plackett 1975; Luce 1959).

Pure: tensors in, a tensor out."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations

import torch
from torch import Tensor

Tiers = Sequence[Sequence[int]]
"""Answers by place, best first; those that tie are together."""


def surprise(rewards: Tensor, tiers: Tiers) -> Tensor:
    """-log P(ranking), by the number of its choices, so that it counts as much as a pair. rewards (A,) -> ().

    Without ties P = prod_k e^r_k / sum_{j >= k} e^r_j, and of K answers K - 1 are chosen. The order inside a tie is
    left open: P is the sum over all of its orders, as Kalbfleisch and Prentice 1973 do with tied times."""
    total, rest = rewards.new_zeros(()), rewards[list(tiers[-1])].logsumexp(0)
    for tier in reversed(tiers[:-1]):
        tied = rewards[list(tier)]
        total = total - in_any_order(tied, rest)
        rest = torch.logaddexp(tied.logsumexp(0), rest)
    return total / sum(map(len, tiers[:-1]))


def in_any_order(tied: Tensor, rest: Tensor) -> Tensor:
    """log of the probability that these are all chosen before any of the rest, in whatever order. tied (t,) -> ().

    `rest` () is log sum e^r over the others. By subsets, 2^t of them instead of t! orders: f(S), the probability that
    those of S come first where S and the rest are left, is sum_{k in S} e^r_k / (e^rest + sum_S e^r) f(S without k)."""
    found = tied.new_zeros(1)
    for members, without in _subsets(len(tied)):
        left = torch.logaddexp(tied[members].logsumexp(1), rest)
        found = (tied[members] + found[without]).logsumexp(1) - left
    return found[0]


@lru_cache(maxsize=32)
def _subsets(size: int) -> list[tuple[Tensor, Tensor]]:
    """For each n from 1 to `size` the C subsets of n: their members, (C, n), and where the subset without that member
    stands among those of n - 1, (C, n)."""
    levels = []
    places: dict[tuple[int, ...], int] = {(): 0}
    for n in range(1, size + 1):
        subsets = list(combinations(range(size), n))
        without = [[places[one[:k] + one[k + 1 :]] for k in range(n)] for one in subsets]
        levels.append((torch.tensor(subsets), torch.tensor(without)))
        places = {one: place for place, one in enumerate(subsets)}
    return levels
