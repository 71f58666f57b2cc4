"""How much of what people prefer is told by length alone. Pure.

A length difference is that of the preferred answer minus the other, in tokens, (N,), one a pair."""

import numpy as np
from numpy.typing import ArrayLike

from rewards import metrics

STEEPEST = 1000.0
"""Of the slope, for differences of size 1: where length tells everything there is no greatest likelihood."""


def auc(lengths: ArrayLike) -> float:
    """The chance that a preferred answer is longer by more than another pair's other answer is: 1/2 where length says
    nothing. Each pair is seen from both sides, so it is P(x + x' > 0) for two pairs x and x' drawn with replacement."""
    gap = np.sort(np.asarray(lengths, dtype=np.float64))
    above = len(gap) - np.searchsorted(gap, -gap, side="right")
    at_least = len(gap) - np.searchsorted(gap, -gap, side="left")
    return float((above + at_least).sum() / (2 * len(gap) ** 2))


def explained(values: ArrayLike, shares: ArrayLike = 1.0) -> float:
    """The share of the log-loss of knowing nothing, log 2, that a logistic regression on these values alone takes away:
    McFadden's pseudo-R^2 (1974). In the sample that it is fitted on, with the one number that it fits."""
    x = np.asarray(values, dtype=np.float64)
    size = np.sqrt(np.mean(x**2))
    if size == 0:
        return 0.0
    steepness = metrics.slope(x / size, shares, least=-STEEPEST, most=STEEPEST)
    return 1 - metrics.log_loss(steepness * x / size, shares) / float(np.log(2))
