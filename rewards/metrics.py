"""How well a reward model tells which answer people prefer. Pure: numpy arrays of plain numbers in, numbers out.

A difference is the reward of the preferred answer minus that of the other, (N,), one a pair."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

ENOUGH_CLUSTERS = 20
"""With fewer, `clustered_interval` is too narrow to call a model better or worse than guessing: a bootstrap that draws
from few conversations hardly meets the ones it has not seen (docs/reward-model.md has the measured error)."""


def hits(differences: ArrayLike) -> Floats:
    """1 where the preferred answer has the higher reward, 0 where the lower, 1/2 where both are equal. (N,) -> (N,)."""
    gap = np.asarray(differences, dtype=np.float64)
    return (gap > 0) + 0.5 * (gap == 0)


def accuracy(differences: ArrayLike) -> float:
    """The share of pairs that the model orders as people did; equal rewards count half."""
    return float(np.mean(hits(differences)))


def log_loss(log_odds: ArrayLike, shares: ArrayLike = 1.0) -> float:
    """The mean of -log P, in nats, P the chance that the preferred answer is preferred: log 2 = 0.693 for a model that
    knows nothing.

    `log_odds` (N,): log P - log(1 - P), which for Bradley-Terry is the difference. `shares` (N,): of people who prefer
    the preferred answer; the others count -log(1 - P)."""
    odds, share = np.asarray(log_odds, dtype=np.float64), np.asarray(shares, dtype=np.float64)
    return float(np.mean(share * np.logaddexp(0.0, -odds) + (1 - share) * np.logaddexp(0.0, odds)))


def clustered_interval(
    values: ArrayLike, clusters: Sequence[str], *, level: float = 0.95, draws: int = 2000, seed: int = 0
) -> tuple[float, float] | None:
    """The percentile bootstrap interval of the mean of `values` (N,), drawing whole clusters; None for fewer than two.

    Pairs of one conversation stand and fall together, so that a bootstrap over single pairs would be too sure of itself
    (Cameron, Gelbach and Miller 2008)."""
    numbers = np.asarray(values, dtype=np.float64)
    names, member = np.unique(np.asarray(clusters, dtype=object).astype(str), return_inverse=True)
    if len(names) < 2:
        return None
    sums = np.bincount(member, weights=numbers)
    sizes = np.bincount(member)
    chosen = np.random.default_rng(seed).integers(len(names), size=(draws, len(names)))
    means = sums[chosen].sum(axis=1) / sizes[chosen].sum(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
