"""How far people agree. Pure: numpy arrays in, numbers out.

A task is seen through the verdicts on its pairs of answers: the first is better, a tie, or the second is better. Every
coefficient here is a function of sums over tasks, and its interval is a bootstrap that draws whole tasks: what is said
of one task stands and falls together. docs/agreement.md has the equations and their sources."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FIRST, TIE, SECOND = range(3)
VERDICTS = 3
LEAST_RATERS = 2
DRAWN_AT_ONCE = 4_000_000
"""Numbers: so many of the bootstrap's weights are in memory at a time."""


class Ranked(NamedTuple):
    """One person's ranks of the answers of one task, in the task's order."""

    task: int
    labeler: int
    ranks: Sequence[int]


@dataclass(frozen=True)
class Panel:
    """The tasks of K answers that R people ranked."""

    tasks: Ints
    """(T,)"""
    labelers: Ints
    """(T, R)"""
    ranks: Ints
    """(T, R, K)"""

    @property
    def preferences(self) -> Ints:
        """(T, R, P) over the P = K (K - 1) / 2 pairs: 1 where the first is better, 0 for a tie, -1 for the second."""
        first, second = np.triu_indices(self.ranks.shape[2], k=1)
        return np.sign(self.ranks[:, :, second] - self.ranks[:, :, first])

    @property
    def verdicts(self) -> Ints:
        """(T, R, P): FIRST, TIE or SECOND."""
        return 1 - self.preferences


class Estimate(NamedTuple):
    """A number with its interval; the interval is None where fewer than two tasks speak."""

    value: float
    low: float | None
    high: float | None
    tasks: int


def panels(rankings: Iterable[Ranked]) -> list[Panel]:
    """The rankings, which come task by task, as one panel for each number of people and of answers.

    Tasks that fewer than two people ranked say nothing of agreement, and are left out. Of someone's several rankings
    of one task the last one counts."""
    by_shape: dict[tuple[int, int], list[list[Ranked]]] = defaultdict(list)
    for of_task in _task_by_task(rankings):
        if len(of_task) >= LEAST_RATERS:
            by_shape[len(of_task), len(of_task[0].ranks)].append(of_task)
    return [
        Panel(
            tasks=np.array([of_task[0].task for of_task in found]),
            labelers=np.array([[ranked.labeler for ranked in of_task] for of_task in found]),
            ranks=np.array([[ranked.ranks for ranked in of_task] for of_task in found]),
        )
        for _, found in sorted(by_shape.items())
    ]


def _task_by_task(rankings: Iterable[Ranked]) -> Iterable[list[Ranked]]:
    task, of_task = None, dict[int, Ranked]()
    for ranked in rankings:
        if ranked.task != task:
            yield list(of_task.values())
            task, of_task = ranked.task, {}
        of_task[ranked.labeler] = ranked
    yield list(of_task.values())


def verdict_counts(panel: Panel) -> Ints:
    """How many people gave each verdict on each pair, (T, P, 3)."""
    return np.stack([(panel.verdicts == verdict).sum(axis=1) for verdict in range(VERDICTS)], axis=-1)


def both_ways(counts: Ints) -> Ints:
    """Each pair also the other way round, (T, P, 3) -> (T, 2 P, 3).

    Which answer of a pair stands first means nothing; without this, a file that always puts the chosen one first would
    make agreement look like a habit of saying "first"."""
    return np.concatenate([counts, counts[..., ::-1]], axis=1)


# Each coefficient: what a task adds, (T, S), and what follows from the sums, (..., S) -> (...).


def alpha_sums(counts: Ints) -> Floats:
    """The coincidences of each task, (T, U, C) -> (T, C * C). A unit that fewer than two people judged adds none.

    o[c, k] = sum over units of n[c] (n[k] - [c = k]) / (m - 1), Krippendorff 2011, "Computing Krippendorff's
    alpha-reliability"."""
    raters = counts.sum(axis=-1)
    weight = np.where(raters >= LEAST_RATERS, 1.0 / np.maximum(raters - 1, 1), 0.0)
    pairs = counts[..., :, None] * counts[..., None, :].astype(float)
    pairs -= counts[..., :, None] * np.eye(counts.shape[-1])
    return (pairs * weight[..., None, None]).sum(axis=1).reshape(len(counts), -1)


def nominal_alpha(sums: Floats) -> Floats:
    """Krippendorff's alpha, where any two different verdicts differ alike: 1 - (n - 1) sum(o d) / sum(n n' d)."""
    coincidences, totals = _coincidences(sums)
    return _alpha(coincidences, totals, 1.0 - np.eye(totals.shape[-1]))


def ordinal_alpha(sums: Floats) -> Floats:
    """Krippendorff's alpha with d = (n[c] / 2 + n between + n[k] / 2)^2: a tie lies between the two other verdicts."""
    coincidences, totals = _coincidences(sums)
    middle = np.cumsum(totals, axis=-1) - totals / 2
    return _alpha(coincidences, totals, (middle[..., :, None] - middle[..., None, :]) ** 2)


def _coincidences(sums: Floats) -> tuple[Floats, Floats]:
    categories = int(round(sums.shape[-1] ** 0.5))
    coincidences = sums.reshape(*sums.shape[:-1], categories, categories)
    return coincidences, coincidences.sum(axis=-1)


def _alpha(coincidences: Floats, totals: Floats, distance: Floats) -> Floats:
    observed = (coincidences * distance).sum(axis=(-1, -2))
    expected = (totals[..., :, None] * totals[..., None, :] * distance).sum(axis=(-1, -2))
    return 1.0 - (totals.sum(axis=-1) - 1.0) * _share(observed, expected)


def fleiss_sums(counts: Ints) -> Floats:
    """[sum of P_i, units, ratings of each category], (T, U, C) -> (T, 2 + C), over the units of two people or more."""
    raters = counts.sum(axis=-1)
    counted = raters >= LEAST_RATERS
    agreeing = (counts * (counts - 1)).sum(axis=-1) / np.maximum(raters * (raters - 1), 1)
    sums = [(agreeing * counted).sum(axis=1), counted.sum(axis=1)]
    return np.concatenate([np.stack(sums, axis=-1), (counts * counted[..., None]).sum(axis=1)], axis=-1).astype(float)


def fleiss_kappa(sums: Floats) -> Floats:
    """(P - P_e) / (1 - P_e), P the mean share of agreeing pairs of people, P_e = sum of p_c^2. Fleiss 1971."""
    observed = _share(sums[..., 0], sums[..., 1])
    ratings = sums[..., 2:]
    expected = (_share(ratings, ratings.sum(axis=-1, keepdims=True)) ** 2).sum(axis=-1)
    return _share(observed - expected, 1.0 - expected)


def cohen_sums(one: Ints, other: Ints) -> Floats:
    """What two people said, verdict against verdict: (T, U) and (T, U) -> (T, 3 * 3)."""
    cells = one * VERDICTS + other
    return np.stack([(cells == cell).sum(axis=1) for cell in range(VERDICTS**2)], axis=-1).astype(float)


def cohen_kappa(sums: Floats) -> Floats:
    """(p_o - p_e) / (1 - p_e), p_e from each one's own habits. Cohen 1960."""
    table, _ = _coincidences(sums)
    table = _share(table, table.sum(axis=(-1, -2), keepdims=True))
    observed = np.trace(table, axis1=-2, axis2=-1)
    expected = (table.sum(axis=-1) * table.sum(axis=-2)).sum(axis=-1)
    return _share(observed - expected, 1.0 - expected)


def tau_sums(panel: Panel) -> Floats:
    """[sum, number] of Kendall's tau-b over the pairs of people of each task, (T, 2).

    tau-b = sum(s s') / sqrt(sum(s^2) sum(s'^2)) over the signs s of the pairs of answers (Kendall 1945). Where one of
    the two tied everything it is undefined, and the pair of people is left out."""
    signs = panel.preferences.astype(float)
    products = signs @ signs.transpose(0, 2, 1)
    one, other = np.triu_indices(signs.shape[1], k=1)
    own = np.einsum("trr->tr", products)
    scale = np.sqrt(own[:, one] * own[:, other])
    taus = np.divide(products[:, one, other], scale, out=np.zeros_like(scale), where=scale > 0)
    return np.stack([taus.sum(axis=1), (scale > 0).sum(axis=1)], axis=-1).astype(float)


def mean(sums: Floats) -> Floats:
    """The first sum over the second."""
    return _share(sums[..., 0], sums[..., 1])


def majority_sums(counts: Ints) -> Floats:
    """[sum of the largest share, units, units with a majority, unanimous units], (T, U, C) -> (T, 4)."""
    raters = counts.sum(axis=-1)
    counted = raters >= LEAST_RATERS
    largest = counts.max(axis=-1)
    columns = (
        np.where(counted, largest / np.maximum(raters, 1), 0.0),
        counted,
        counted & (2 * largest > raters),
        counted & (largest == raters),
    )
    return np.stack([column.sum(axis=1) for column in columns], axis=-1).astype(float)


def others_sums(panel: Panel) -> Floats:
    """[how many of the others said the same, how many others], over the pairs, (T, R, 2): each person of each task."""
    counts, raters = verdict_counts(panel), panel.ranks.shape[1]
    same = np.take_along_axis(counts.transpose(0, 2, 1), panel.verdicts, axis=1) - 1
    others = np.full(same.shape[:2], (raters - 1) * same.shape[2])
    return np.stack([same.sum(axis=2), others], axis=-1).astype(float)


def by_labeler(found: Sequence[Panel]) -> dict[int, Floats]:
    """For each labeler the rows of `others_sums`, one for each task that they share with others."""
    if not found:
        return {}
    labelers = np.concatenate([panel.labelers.reshape(-1) for panel in found])
    sums = np.concatenate([others_sums(panel).reshape(-1, 2) for panel in found])
    order = np.argsort(labelers, kind="stable")
    names, starts = np.unique(labelers[order], return_index=True)
    return dict(zip(names.tolist(), np.split(sums[order], starts[1:]), strict=True))


def by_pair_of_labelers(found: Sequence[Panel]) -> dict[tuple[int, int], Floats]:
    """For each two labelers, the smaller id first, their `cohen_sums`, both ways, a row for each task they share."""
    rows: dict[tuple[int, int], list[Floats]] = defaultdict(list)
    for panel in found:
        verdicts = np.concatenate([panel.verdicts, 2 - panel.verdicts], axis=2)
        for one, other in combinations(range(panel.labelers.shape[1]), 2):
            sums = cohen_sums(verdicts[:, one], verdicts[:, other])
            swapped = sums.reshape(-1, VERDICTS, VERDICTS).transpose(0, 2, 1).reshape(len(sums), -1)
            in_order = panel.labelers[:, one] < panel.labelers[:, other]
            sums = np.where(in_order[:, None], sums, swapped)
            for pair, row in zip(np.sort(panel.labelers[:, [one, other]], axis=1).tolist(), sums, strict=True):
                rows[pair[0], pair[1]].append(row)
    return {pair: np.stack(found) for pair, found in rows.items()}


def estimate(
    sums: Floats, statistic: Callable[[Floats], Floats], *, level: float = 0.95, draws: int = 1000, seed: int = 0
) -> Estimate | None:
    """The statistic of the summed rows (T, S), with its percentile bootstrap interval by task. None if it is undefined.

    Tasks that add the same are drawn together: to draw T tasks with replacement is to draw how often each of the
    different rows comes from a multinomial, which for pairs costs the same for a million tasks as for a hundred."""
    value = float(statistic(sums.sum(axis=0))) if len(sums) else float("nan")
    if not np.isfinite(value):
        return None
    if len(sums) < 2:
        return Estimate(value, None, None, len(sums))
    rows, often = np.unique(sums, axis=0, return_counts=True)
    drawn = _drawn(rows, often, statistic, draws, np.random.default_rng(seed))
    drawn = drawn[np.isfinite(drawn)]
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2]) if len(drawn) else (value, value)
    return Estimate(value, float(low), float(high), len(sums))


def _drawn(
    rows: Floats, often: Ints, statistic: Callable[[Floats], Floats], draws: int, random: np.random.Generator
) -> Floats:
    tasks, at_once = int(often.sum()), max(1, DRAWN_AT_ONCE // len(rows))
    parts = []
    for start in range(0, draws, at_once):
        weights = random.multinomial(tasks, often / tasks, size=min(at_once, draws - start))
        parts.append(statistic(weights @ rows))
    return np.concatenate(parts)


def _share(part: Floats, whole: Floats) -> Floats:
    """NaN where the whole is 0."""
    part, whole = np.broadcast_arrays(part, whole)
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole != 0)
