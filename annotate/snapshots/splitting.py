"""A cut between conversations, never through one. Pure; selection.py draws the same in SQL."""

import hashlib
import math
from collections.abc import Iterable, Set

from annotate.formats.rows import Row

RANGE = 2**64
"""Draws lie in [0, RANGE): the first eight bytes of a hash, the greater ones first."""


class TooFewConversations(ValueError):
    """A split needs at least two conversations."""


def split(rows: Iterable[Row], *, seed: int, heldout_share: float) -> tuple[list[Row], list[Row]]:
    """(train, held out), cut by conversation. The same root falls on the same side for the same seed, whatever else is
    there, unless a side would be empty. Raises TooFewConversations."""
    rows = list(rows)
    draws = {root: draw(seed, root) for root in dict.fromkeys(row["root"] for row in rows)}
    below = threshold(set(draws.values()), heldout_share)
    heldout = {root for root in draws if draws[root] < below}
    return [row for row in rows if row["root"] not in heldout], [row for row in rows if row["root"] in heldout]


def threshold(draws: Set[int], heldout_share: float) -> int:
    """Of the draws of all roots: those that lie below it are held out, the share, moved where a side would be empty.
    This alone decides how a cut falls. Raises TooFewConversations."""
    if not 0 < heldout_share < 1:
        raise ValueError(f"heldout_share={heldout_share}: it is a share between 0 and 1.")
    if len(draws) < 2:
        raise TooFewConversations(
            "All rankings are of one conversation, so nothing can be held out to test on. Rank answers of more prompts."
        )
    return min(max(math.ceil(heldout_share * RANGE), min(draws) + 1), max(draws))


def draw(seed: int, root: str) -> int:
    """The same for the same seed and root."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{root}".encode()).digest()[:8], "big")
