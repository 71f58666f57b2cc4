"""Pure numbers about policies and their answers."""

from collections.abc import Sequence
from math import log


def best_of(scores: Sequence[float], n: int) -> float:
    """The expected best of n answers drawn without repeats from these M >= n scores: unbiased for a policy's best-of-n.

    Sum over the ascending scores r_(0) ... r_(M-1) of C(i, n - 1) r_(i) / C(M, n): r_(i) is the best of C(i, n - 1) of
    the C(M, n) subsets. The weights come from the largest down, each from the last: nothing overflows."""
    if not 1 <= n <= len(scores):
        raise ValueError(f"The best of {n} cannot be told from {len(scores)} scores.")
    weight, total = n / len(scores), 0.0
    for better_than, score in zip(reversed(range(len(scores))), sorted(scores, reverse=True), strict=True):
        total += weight * score
        weight *= (better_than - n + 1) / max(1, better_than)
    return total


def best_of_curve(pools: Sequence[Sequence[float]], n: int) -> list[float]:
    """The mean over prompts of the expected best of 1, 2, ..., n answers, from one pool of scores a prompt."""
    return [sum(best_of(scores, k) for scores in pools) / len(pools) for k in range(1, n + 1)]


def best_of_n_kl(n: int) -> float:
    """At most so many nats lie between best-of-n and the policy: log n - (n - 1) / n. Beirami et al. 2024."""
    if n < 1:
        raise ValueError("The best of no answer is none.")
    return log(n) - (n - 1) / n
