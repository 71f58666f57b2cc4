"""A ranking that is not finished: {"ranks": {answer id: rank}, "judged": [[one, other, verdict]], "at": milliseconds}.

What was judged on the way stands in the order in which it was said. `at` is when, by the server's clock as the page
knows it, so that of two drafts the newer is known, also when a task has moved between devices."""

import json
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from annotate import ranking
from annotate.models import Comparison, Ranking

Draft = dict[str, Any]
EMPTY: Draft = {"ranks": {}, "judged": [], "at": 0}
MOST_JUDGEMENTS = 200
_PAIRS = {"better": (0, 1, False), "worse": (1, 0, False), "equal": (0, 1, True)}
VERDICTS = tuple(_PAIRS)


def milliseconds(at: datetime) -> int:
    return round(1000 * at.timestamp())


def read(text: str, answers: Collection[int], now: datetime) -> Draft | None:
    """What a page sent, if it is a draft of a ranking of these answers. None is from later than now."""
    try:
        said = json.loads(text)
        ranks = {str(pk): int(said["ranks"][str(pk)]) for pk in answers if str(pk) in said["ranks"]}
        judged = [[int(one), int(other), verdict] for one, other, verdict in said["judged"]]
        at = min(int(said.get("at", 0)), milliseconds(now))
    except (ValueError, TypeError, LookupError, ArithmeticError, RecursionError):
        return None
    ids = set(answers)
    are_known = all({one, other} <= ids and verdict in VERDICTS for one, other, verdict in judged)
    in_range = all(1 <= number <= len(ids) for number in ranks.values())
    return {"ranks": ranks, "judged": judged[-MOST_JUDGEMENTS:], "at": at} if are_known and in_range else None


def of_ranking(stored: Ranking, answers: Iterable[int], now: datetime) -> Draft:
    """A ranking that was given, to be changed. `answers`: by position, as its ranks are."""
    judged = stored.comparisons.filter(kind=Comparison.Kind.JUDGED).order_by("pk")
    return {
        "ranks": dict(zip(answers, stored.ranks, strict=True)),
        "judged": [[said.chosen_id, said.rejected_id, "equal" if said.tie else "better"] for said in judged],
        "at": milliseconds(now),
    }


def pairs(draft: Draft) -> list[ranking.Pair]:
    """What was judged on the way, as comparisons."""
    found = []
    for *answers, verdict in draft["judged"]:
        chosen, rejected, tie = _PAIRS[verdict]
        if answers[0] != answers[1]:
            found.append(ranking.Pair(answers[chosen], answers[rejected], tie))
    return found


def is_older(one: Draft, other: Draft) -> bool:
    return bool(one.get("at", 0) < other.get("at", 0))
