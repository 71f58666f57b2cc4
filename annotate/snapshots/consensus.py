"""Several rankings of the same answers, made one. Pure: ranks in, ranks and pairs out; sources in docs/snapshots.md.

A pair is (i, j, p), i < j by place: p is the probability that answer i beats answer j, 0.5 for a tie. Votes on it are
(i, j, n, m): n people prefer answer i, m answer j, and the others tie the two."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from annotate import ranking

Floats = NDArray[np.float64]
Ranks = Sequence[int]
Pair = tuple[int, int, float]
Pairs = tuple[Pair, ...]
Votes = tuple[tuple[int, int, int, int], ...]

PENALTY = 0.01
"""Times the squared strengths: it keeps a clean sweep finite, and changes no order of note."""
EQUAL = 1e-6
"""Strengths that differ by less are equal: an exact cycle is a tie."""


class Agreed(NamedTuple):
    """What several people say together."""

    ranks: tuple[int, ...]
    """Competition style."""
    pairs: Pairs | None
    """The comparisons that count. None where the ranks say it all."""
    agreement: float
    """The mean share of the verdict that most people gave, over the pairs."""
    votes: Votes
    """Of every pair."""


def as_ranked(ranks: Ranks, ties: str) -> Pairs | None:
    """The pairs of a single ranking; None where its ranks say it all. An empty one: nothing is left."""
    if ties == "keep" or len(set(ranks)) == len(ranks):
        return None
    return _without_ties(((i, j, _verdict(ranks, i, j)) for i, j in combinations(range(len(ranks)), 2)), ties)


def agree(rankings: Iterable[Ranks], *, several: str, ties: str) -> Agreed:
    """One ranking of several of the same answers. `several`: majority, bradley_terry or soft; `ties`: keep, half, drop.

    How many say that i beats j, and how many that they tie, is all that is used."""
    return _agree(tuple(sorted(map(tuple, rankings))), several, ties)


@lru_cache(maxsize=4096)
def _agree(rankings: tuple[tuple[int, ...], ...], several: str, ties: str) -> Agreed:
    """Of few answers people say few different things."""
    wins, tied = _tally(rankings)
    agreement, votes = _agreement(wins, tied), _votes(wins)
    if several == "bradley_terry":
        ranks = _by_strength(wins, tied, ties)
        return Agreed(ranks, as_ranked(ranks, ties), agreement, votes)
    if several == "soft":
        ranks = _ranks_of(_scores(wins, tied))
        return Agreed(ranks, _soft(wins, tied, ties), agreement, votes)
    verdicts, divided = _majority(wins, tied, ties)
    ranks = _ranks_of(verdicts.sum(axis=1))
    if divided or not _fits(verdicts, ranks):
        said = ((i, j, float(verdicts[i, j])) for i, j in combinations(range(len(ranks)), 2))
        return Agreed(ranks, _without_ties(said, ties), agreement, votes)
    return Agreed(ranks, as_ranked(ranks, ties), agreement, votes)


def strengths(wins: Floats, penalty: float = PENALTY) -> Floats:
    """Bradley-Terry strengths that sum to 0, (K, K) wins of the row over the column -> (K,).

    The maximum of sum w[i, j] log sigmoid(s[i] - s[j]) - penalty sum s^2, which is strictly concave: Newton's method
    with halved steps. Bradley and Terry 1952; existence without a penalty needs Ford's condition, 1957."""
    found, games = np.zeros(len(wins)), wins + wins.T
    best = _log_likelihood(found, wins, penalty)
    for _ in range(100):
        chance = 1.0 / (1.0 + np.exp(found[None, :] - found[:, None]))
        slope = wins.sum(axis=1) - (games * chance).sum(axis=1) - 2 * penalty * found
        weight = games * chance * (1.0 - chance)
        curve = np.diag(weight.sum(axis=1) + 2 * penalty) - weight + np.diag(np.diag(weight))
        step = np.linalg.solve(curve, slope)
        while (value := _log_likelihood(found + step, wins, penalty)) < best and np.abs(step).max() > EQUAL**2:
            step /= 2
        found, best = found + step, max(value, best)
        if np.abs(step).max() < EQUAL**2:
            break
    return found - found.mean()


def _without_ties(said: Iterable[Pair], ties: str) -> Pairs:
    return tuple(pair for pair in said if ties != "drop" or pair[2] != 0.5)


def _log_likelihood(found: Floats, wins: Floats, penalty: float) -> float:
    return float(-(wins * np.logaddexp(0.0, found[None, :] - found[:, None])).sum() - penalty * (found**2).sum())


def _tally(rankings: Sequence[Ranks]) -> tuple[Floats, Floats]:
    """(wins of the row over the column, ties), both (K, K)."""
    ranks = np.asarray(rankings)
    better = ranks[:, :, None] < ranks[:, None, :]
    wins = better.sum(axis=0).astype(float)
    tied = len(ranks) - wins - wins.T
    np.fill_diagonal(tied, 0.0)
    return wins, tied


def _agreement(wins: Floats, tied: Floats) -> float:
    above = np.triu_indices(len(wins), k=1)
    said = np.stack([wins[above], wins.T[above], tied[above]])
    return float((said.max(axis=0) / said.sum(axis=0)).mean())


def _votes(wins: Floats) -> Votes:
    return tuple((i, j, int(wins[i, j]), int(wins[j, i])) for i, j in combinations(range(len(wins)), 2))


def _scores(wins: Floats, tied: Floats) -> Floats:
    """Wins and half the ties: in the opposite order of the mean (average) ranks."""
    return wins.sum(axis=1) + tied.sum(axis=1) / 2


def _by_strength(wins: Floats, tied: Floats, ties: str) -> tuple[int, ...]:
    """Where every pair was compared equally often, the strengths stand in the order of the scores, exactly (Zermelo
    1929, Buhlmann and Huber 1963), and nothing needs to be fitted. Only dropped ties make that differ."""
    if ties != "drop" or not tied.any():
        return _ranks_of(_scores(wins, tied))
    return _ranks_of(strengths(wins), equal=EQUAL)


def _soft(wins: Floats, tied: Floats, ties: str) -> Pairs:
    """The share of people that prefer i. A tie is half a person for each, or, dropped, no person."""
    said = []
    for i, j in combinations(range(len(wins)), 2):
        halves = 0.0 if ties == "drop" else tied[i, j]
        people = wins[i, j] + wins[j, i] + halves
        if people:
            said.append((i, j, float((wins[i, j] + halves / 2) / people)))
    return tuple(said)


def _majority(wins: Floats, tied: Floats, ties: str) -> tuple[Floats, bool]:
    """(what most say of each pair: 1, 0 or 0.5, whether a vote was divided).

    A tie that is kept is a verdict like the others, and the largest wins. Else the pair goes to who has more wins."""
    rounds = (wins > wins.T).astype(float) + 0.5 * (wins == wins.T)
    if ties == "keep":
        rounds = np.where(tied >= np.maximum(wins, wins.T), 0.5, rounds)
        divided = (rounds == 0.5) & (tied <= np.maximum(wins, wins.T))
    else:
        divided = (rounds == 0.5) & (wins > 0)
    np.fill_diagonal(divided, False)
    return rounds, bool(divided.any())


def _fits(verdicts: Floats, ranks: Ranks) -> bool:
    return all(_verdict(ranks, i, j) == verdicts[i, j] for i, j in combinations(range(len(ranks)), 2))


def _verdict(ranks: Ranks, i: int, j: int) -> float:
    return 0.5 if ranks[i] == ranks[j] else float(ranks[i] < ranks[j])


def _ranks_of(scores: Floats, equal: float = 0.0) -> tuple[int, ...]:
    """Competition ranks, the greatest score first; one within `equal` of the next better ties with it."""
    order = np.argsort(-scores, kind="stable")
    level, levels = 0, {}
    for place, answer in enumerate(order.tolist()):
        if place and scores[order[place - 1]] - scores[answer] > equal:
            level += 1
        levels[answer] = level
    ranks = ranking.from_any_ranks({answer: float(level) for answer, level in levels.items()})
    return tuple(ranks[answer] for answer in range(len(scores)))
