"""A cut between conversations, never through one. Pure; selection.py draws the same in SQL."""

import hashlib
from collections.abc import Iterable, Set

from annotate.formats.rows import Row


class TooFewConversations(ValueError):
    """A split needs at least two conversations."""


def split(rows: Iterable[Row], *, seed: int, heldout_share: float) -> tuple[list[Row], list[Row]]:
    """(train, held out), cut by conversation. Raises TooFewConversations."""
    rows = list(rows)
    draws = {root: draw(seed, root) for root in dict.fromkeys(row["root"] for row in rows)}
    below = threshold(set(draws.values()), heldout_share)
    heldout = {root for root in draws if draws[root] < below}
    return [row for row in rows if row["root"] not in heldout], [row for row in rows if row["root"] in heldout]


def threshold(draws: Set[int], heldout_share: float) -> int:
    """Of the draws of all roots: those that lie below it are held out, `heldout_size` of them. This alone decides how a
    cut falls, and a root's draw depends on nothing else that is there. Raises TooFewConversations."""
    if not 0 < heldout_share < 1:
        raise ValueError(f"heldout_share={heldout_share}: it is a share between 0 and 1.")
    if len(draws) < 2:
        raise TooFewConversations(
            "All rankings are of one conversation, so nothing can be held out to test on. Rank answers of more prompts."
        )
    return sorted(draws)[heldout_size(len(draws), heldout_share)]


def heldout_size(conversations: int, share: float) -> int:
    """How many of two conversations or more a split holds out: the share of them, at least one and never all."""
    return min(max(1, round(share * conversations)), conversations - 1)


def draw(seed: int, root: str) -> int:
    """The first eight bytes of a hash, the greater ones first: the same for the same seed and root."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{root}".encode()).digest()[:8], "big")
