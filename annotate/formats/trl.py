"""The rows that TRL's trainers take."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter

from annotate import ranking
from annotate.formats.rows import Row


def preference_rows(rows: Iterable[Row]) -> Iterator[Row]:
    """TRL's explicit conversational form, from ranking rows: each pair of texts of a prompt once, over all rankings.

    n_rankings: how many compared the two. agreement: the share that prefers the chosen one. margin: that share less
    the share that prefers the rejected one, in (0, 1]. Pairs without a winner, and equal texts, are left out."""
    for _, of_prompt in groupby(rows, key=itemgetter("id")):
        counts: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
        messages = None
        for row in of_prompt:
            messages = row["prompt"]
            _count(row, counts)
        for (one, other), (wins, losses, ties) in counts.items():
            if wins != losses:
                n_rankings = wins + losses + ties
                chosen, rejected = (one, other) if wins > losses else (other, one)
                yield {
                    "prompt": messages,
                    "chosen": [{"role": "assistant", "content": chosen}],
                    "rejected": [{"role": "assistant", "content": rejected}],
                    "margin": abs(wins - losses) / n_rankings,
                    "n_rankings": n_rankings,
                    "agreement": max(wins, losses) / n_rankings,
                }


def _count(row: Row, counts: dict[tuple[str, str], list[int]]) -> None:
    """Add one ranking to the wins, losses and ties of each pair of different texts, smaller text first."""
    texts = row["answers"]
    for chosen, rejected, tie in ranking.comparisons(dict(enumerate(row["ranks"]))):
        pair = (texts[chosen], texts[rejected])
        if pair[0] != pair[1]:
            place = 2 if tie else int(pair[0] > pair[1])
            counts[min(pair), max(pair)][place] += 1
