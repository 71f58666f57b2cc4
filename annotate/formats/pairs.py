"""Ranking rows to verdicts on pairs of answers, from which most formats are written. Pure, and made to be fast."""

from collections.abc import Iterable, Iterator
from itertools import chain, combinations, groupby
from operator import itemgetter

from annotate.formats.rows import Row

Verdict = tuple[Row, str, str, float, int, float]
"""(a ranking row that compares the two, chosen, rejected, margin, n_rankings, agreement). A plain tuple: at a million
of them anything else is felt."""
EVEN = 1e-9
"""Of a person: shares of people do not add up to a clean nought, and what is left is nobody's verdict."""
Tallies = dict[tuple[str, str], "list[float]"]
"""Of two texts, the smaller first: wins, losses, rankings."""


def verdicts(rows: Iterable[Row]) -> Iterator[Verdict]:
    """Each pair of different texts of a prompt once, over all rankings that compared the two. Rows of a prompt follow
    each other. A pair without a winner is left out.

    n_rankings: how many compared the two, ties included. agreement: the share that prefers the chosen one. margin:
    that share less the share that prefers the rejected one, in (0, 1]."""
    for _, group in groupby(rows, key=itemgetter("id")):
        of_prompt = iter(group)
        row = next(of_prompt)
        another = next(of_prompt, None)
        if another is None and len(row["ranks"]) == 2 and "pairs" not in row and "n_rankings" not in row:
            one, other = row["answers"]
            first, second = row["ranks"]
            if first != second and one != other:
                chosen, rejected = (one, other) if first < second else (other, one)
                yield row, chosen, rejected, 1.0, 1, 1.0
        elif another is None:
            yield from _verdicts([row])
        else:
            yield from _verdicts(chain((row, another), of_prompt))


def _verdicts(rows: Iterable[Row]) -> Iterator[Verdict]:
    tallies: Tallies = {}
    said_by: dict[tuple[str, str], Row] = {}
    for row in rows:
        for pair in _count(row, tallies):
            said_by.setdefault(pair, row)
    for pair, (wins, losses, n_rankings) in tallies.items():
        if abs(wins - losses) > EVEN:
            row = said_by[pair]
            chosen, rejected = pair if wins > losses else pair[::-1]
            agreement = max(wins, losses) / n_rankings
            if agreement == 1 and "pairs" not in row:
                # A consensus is one verdict; how many were of its opinion it says itself.
                agreement = row.get("agreement") or 1.0
            yield row, chosen, rejected, abs(wins - losses) / n_rankings, int(n_rankings), agreement


def _count(row: Row, tallies: Tallies) -> Iterator[tuple[str, str]]:
    """Add a row to the tallies. One that several rankings made counts as so many. Yields the pairs it spoke of."""
    texts, people = row["answers"], row.get("n_rankings") or 1
    for first, second, share in comparisons(row):
        one, other = texts[first], texts[second]
        if one == other:
            continue
        if one > other:
            one, other = other, one
            share = None if share is None else 1 - share
        tally = tallies.setdefault((one, other), [0, 0, 0])
        tally[2] += people
        if share is not None:
            tally[0] += people * share
            tally[1] += people * (1 - share)
        yield one, other


def comparisons(row: Row) -> Iterator[tuple[int, int, float | None]]:
    """(i, j, the share for answer i): the row's `pairs` where it has them, else all that its ranks imply. A tie of
    ranks has no share: nobody was for either."""
    pairs = row.get("pairs")
    if pairs is not None:
        yield from map(tuple, pairs)
        return
    ranks = row["ranks"]
    for first, second in combinations(range(len(ranks)), 2):
        better = ranks[second] - ranks[first]
        yield first, second, None if better == 0 else 1 if better > 0 else 0
