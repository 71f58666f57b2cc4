"""What a fit would learn from, and whether that is enough: to learn, and to be measured."""

from typing import NamedTuple, Self

from django.db.models import Count, Q

from annotate.models import Project, Snapshot
from annotate.overview import ENOUGH_COMPARISONS, comparisons_to_train_on
from rewards.metrics import ENOUGH_CLUSTERS

LEAST = 2
"""Comparisons with a winner, and prompts: some train the model, and others test it."""
FEW_PROMPTS = 140
"""A fifth of so many conversations is 28. Each is held out by a draw of its own, and fewer than ENOUGH_CLUSTERS come in
3 draws of 100; of 100 conversations in 46."""


class Ranked(NamedTuple):
    """A snapshot for training, or what one would hold now."""

    comparisons: int
    """With a winner."""
    ties: int
    prompts: int

    @classmethod
    def now(cls, project: Project) -> Self:
        counted = comparisons_to_train_on([project.pk]).aggregate(
            comparisons=Count("id", filter=Q(tie=False)),
            ties=Count("id", filter=Q(tie=True)),
            prompts=Count("prompt", distinct=True, filter=Q(tie=False)),
        )
        return cls(**counted)

    @classmethod
    def frozen(cls, snapshot: Snapshot) -> Self:
        counts = snapshot.counts
        ties = counts.get("ties", 0)
        return cls(counts.get("comparisons", 0) - ties, ties, counts.get("prompts", 0))

    @property
    def warning(self) -> str:
        """What a person must know before they train on it; empty if it is enough."""
        if self.comparisons == 0:
            return "Nothing is ranked yet. Rank at least two prompts first."
        said = []
        if self.comparisons < ENOUGH_COMPARISONS:
            said.append(
                f"{self.comparisons} comparison{' is' if self.comparisons == 1 else 's are'} little to learn from: "
                f"rank until there are {ENOUGH_COMPARISONS} or more."
            )
        if self.prompts < FEW_PROMPTS:
            said.append(
                f"{self.prompts} ranked prompt{' is' if self.prompts == 1 else 's are'} few to measure with. About a "
                f"fifth of the conversations is held out to test the model, and it takes {ENOUGH_CLUSTERS} to tell how "
                f"good it is: rank {FEW_PROMPTS} prompts or more."
            )
        return " ".join(said)
