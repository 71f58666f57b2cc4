"""What a fit would learn from, and whether that is enough: to learn, and to be measured."""

from typing import NamedTuple, Self

from django.db.models import Count, Q

from annotate.models import Project, Snapshot
from annotate.overview import ENOUGH_COMPARISONS, comparisons_to_train_on
from annotate.snapshots import heldout_size
from rewards.metrics import ENOUGH_CLUSTERS

LEAST = 2
"""Comparisons with a winner, and prompts: some train the model, and others test it."""
HELDOUT_SHARE = 0.2
"""Of the conversations in a snapshot: their rankings test the reward model and never train it."""
FEW_PROMPTS = round(ENOUGH_CLUSTERS / HELDOUT_SHARE)
"""Of so many, each a conversation of its own, ENOUGH_CLUSTERS are held out."""
ONE_CONVERSATION = (
    "All rankings are of one conversation, and nothing of it can be held out to test the model: "
    "rank prompts of another."
)


class Ranked(NamedTuple):
    """A snapshot for training, or what one would hold now."""

    comparisons: int
    """With a winner."""
    ties: int
    prompts: int
    """With a comparison that has a winner."""
    all_prompts: int
    """With those that are only tied: they teach nothing, and are held out like the others."""
    conversations: int
    """0 where a snapshot was frozen before they were counted."""

    @classmethod
    def now(cls, project: Project) -> Self:
        counted = comparisons_to_train_on([project.pk]).aggregate(
            comparisons=Count("id", filter=Q(tie=False)),
            ties=Count("id", filter=Q(tie=True)),
            prompts=Count("prompt", distinct=True, filter=Q(tie=False)),
            all_prompts=Count("prompt", distinct=True),
            conversations=Count("prompt__root", distinct=True),
        )
        return cls(**counted)

    @classmethod
    def frozen(cls, snapshot: Snapshot) -> Self:
        counts = snapshot.counts
        ties, prompts = counts.get("ties", 0), counts.get("prompts", 0)
        told = counts.get("comparisons", 0) - ties
        return cls(told, ties, counts.get("decided", prompts), prompts, counts.get("conversations", 0))

    @property
    def heldout(self) -> int:
        """Prompts that a fit is tested on; of two or more."""
        return heldout_size(self.prompts, HELDOUT_SHARE)

    @property
    def is_exact(self) -> bool:
        """Whether `heldout` holds to the prompt: where each is a conversation of its own, whatever the draw."""
        return self.prompts == self.all_prompts == self.conversations

    @property
    def is_one_conversation(self) -> bool:
        """With several prompts, and yet nothing can be held out."""
        return self.conversations == 1 < self.prompts

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
        if self.is_one_conversation:
            said.append(ONE_CONVERSATION)
        elif heldout_size(self._apart, HELDOUT_SHARE) < ENOUGH_CLUSTERS:
            said.append(self._few)
        return " ".join(said)

    @property
    def _apart(self) -> int:
        """What is held out as one: a conversation, of which there are no more with a winner than prompts."""
        return min(self.prompts, self.conversations or self.prompts)

    @property
    def _few(self) -> str:
        if self._apart < self.prompts:
            found, wanted = f"{self._apart} conversations are", f"prompts of {FEW_PROMPTS} conversations"
        else:
            found = f"{self.prompts} ranked prompt{' is' if self.prompts == 1 else 's are'}"
            wanted = f"{FEW_PROMPTS} prompts"
        return (
            f"{found} few to measure with. A fifth of the conversations is held out to test the model, and it takes "
            f"{ENOUGH_CLUSTERS} to tell how good it is: rank {wanted} or more."
        )
