"""What a snapshot is asked to hold. Pure. The form, the command, the card and the docs read this class.

Each field carries the label and the help that a form shows."""

from dataclasses import Field, asdict, dataclass, field, fields
from datetime import date
from typing import Any, Self

KINDS = ("rankings", "demonstrations", "prompts")
PURPOSES = ("training", "testing")
SPLITS = ("train", "id_test", "ood_test")
SEVERAL = ("all", "majority", "bradley_terry", "soft")
TIES = ("keep", "half", "drop")
PARTS = ("all", "train", "heldout")
LARGEST_SEED = 2**31 - 1


class InvalidSnapshotSpec(ValueError):
    """What no snapshot can be made of. The text says what is allowed; `field` is the name of the field."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


def option(default: Any, label: str, help: str, *, choices: tuple[str, ...] = (), rankings_only: bool = False) -> Any:
    """A field of the spec. `rankings_only`: it says nothing of demonstrations and prompts."""
    metadata = {"label": label, "help": help, "choices": choices, "rankings_only": rankings_only}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class SnapshotSpec:
    """A frozen set of options that checks itself. Left out, an option leaves nothing out and changes nothing."""

    kind: str = option("rankings", "What", "What a row of the file is.", choices=KINDS)
    purpose: str = option(
        "training",
        "What for",
        "For training, test prompts and all that shares a conversation with one are left out. "
        "For testing they stay, and every training refuses the file.",
        choices=PURPOSES,
    )
    sources: tuple[str, ...] = option(
        (), "Answers from", "Only where every answer is from one of these. None chosen: from anywhere."
    )
    labelers_left_out: tuple[str, ...] = option(
        (), "Leave out labelers", "By pseudonym: nothing that these people ranked.", rankings_only=True
    )
    split: str = option("", "Split", "Only prompts of this split.", choices=("", *SPLITS))
    created_from: date | None = option(None, "From", "The first day (UTC) of what enters.")
    created_until: date | None = option(None, "Until", "The last day (UTC) of what enters.")
    guidelines_versions: tuple[int, ...] = option(
        (), "Guidelines", "Only rankings made under these versions. None chosen: under any, or none.",
        rankings_only=True,
    )  # fmt: skip
    leave_out_flagged: bool = option(
        False,
        "Leave out what is flagged",
        "Rankings that a reviewer doubts, and those of tasks that are odd, such as with equal texts.",
        rankings_only=True,
    )
    leave_out_leaks: bool = option(
        False,
        "Leave out leaks",
        "Prompts whose first question is also asked in a test split or an evaluation project. Without this, such a "
        "prompt stops the freezing.",
    )
    several: str = option(
        "all",
        "Several rankings of a task",
        "Keep them all, or make one of them: what most people say of each pair, a Bradley-Terry fit, or soft labels.",
        choices=SEVERAL,
        rankings_only=True,
    )
    ties: str = option(
        "keep",
        "Ties",
        "Keep them in the ranks, count each as half a win for both, or drop them.",
        choices=TIES,
        rankings_only=True,
    )
    most_per_labeler: int | None = option(
        None, "Most rankings of one labeler", "Drawn by the seed. Empty: all of them.", rankings_only=True
    )
    part: str = option("all", "Part", "All of it, or one side of a cut between conversations.", choices=PARTS)
    heldout_share: float = option(0.2, "Share held out", "Of the conversations, where a part is taken.")
    seed: int = option(0, "Seed", "Draws the rankings of a labeler, and the conversations that are held out.")

    def __post_init__(self) -> None:
        for one in fields(self):
            _check_choice(one, getattr(self, one.name))
            self._check_belongs(one)
        _check_texts("sources", self.sources)
        _check_texts("labelers_left_out", self.labelers_left_out)
        self._check_split()
        self._check_days()
        self._check_numbers()

    @classmethod
    def from_json(cls, settings: dict[str, Any]) -> Self:
        """What `to_json` wrote, or a part of it. Raises InvalidSnapshotSpec."""
        known = {one.name for one in fields(cls)}
        for name in settings:
            if name not in known:
                raise InvalidSnapshotSpec(name, f"There is no option {name!r}; there are {', '.join(sorted(known))}.")
        return cls(**{name: _from_json(name, value) for name, value in settings.items()})

    def to_json(self) -> dict[str, Any]:
        """Every option, defaults spelled out."""
        return {name: _to_json(value) for name, value in asdict(self).items()}

    def chosen(self) -> dict[str, Any]:
        """The options that differ from their defaults, as JSON."""
        plain = {one.name: one.default for one in fields(self)}
        return {name: _to_json(value) for name, value in asdict(self).items() if value != plain[name]}

    @property
    def is_consensus(self) -> bool:
        return self.several != "all"

    def _check_belongs(self, one: "Field[Any]") -> None:
        if self.kind != "rankings" and one.metadata["rankings_only"] and getattr(self, one.name) != one.default:
            raise InvalidSnapshotSpec(
                one.name, f"“{one.metadata['label']}” is for rankings, and these are {self.kind}."
            )
        if self.kind == "prompts" and one.name == "sources" and self.sources:
            raise InvalidSnapshotSpec("sources", "Prompts have no answers in their rows: leave “Answers from” empty.")

    def _check_split(self) -> None:
        if self.purpose == "training" and self.split not in ("", "train"):
            raise InvalidSnapshotSpec(
                "split", f"Prompts of {self.split} are for tests, which never enter training. Freeze them for testing."
            )

    def _check_days(self) -> None:
        for name in ("created_from", "created_until"):
            if getattr(self, name) is not None and type(getattr(self, name)) is not date:
                raise InvalidSnapshotSpec(name, f"{name} is a day, such as 2026-01-31.")
        if self.created_until == date.max:
            raise InvalidSnapshotSpec("created_until", "That day has no next one: leave it empty.")
        if self.created_from and self.created_until and self.created_from > self.created_until:
            raise InvalidSnapshotSpec("created_until", "The last day lies before the first.")

    def _check_numbers(self) -> None:
        if not all(_is_whole(version, 1) for version in self.guidelines_versions):
            raise InvalidSnapshotSpec("guidelines_versions", "Versions of guidelines are whole numbers from 1 on.")
        if self.most_per_labeler is not None and not _is_whole(self.most_per_labeler, 1):
            raise InvalidSnapshotSpec("most_per_labeler", "It is a whole number from 1 on, or empty for all.")
        if isinstance(self.heldout_share, bool) or not isinstance(self.heldout_share, int | float):
            raise InvalidSnapshotSpec("heldout_share", "The share held out is a number between 0 and 1.")
        if not 0 < self.heldout_share < 1:
            raise InvalidSnapshotSpec("heldout_share", "The share held out lies between 0 and 1, such as 0.2.")
        if not _is_whole(self.seed, 0) or self.seed > LARGEST_SEED:
            raise InvalidSnapshotSpec("seed", f"The seed is a whole number from 0 to {LARGEST_SEED}.")


def _check_choice(one: "Field[Any]", value: Any) -> None:
    choices = one.metadata["choices"]
    if choices and value not in choices:
        known = ", ".join(choice for choice in choices if choice)
        raise InvalidSnapshotSpec(one.name, f"{one.name} is {value!r}: take one of {known}.")
    if isinstance(one.default, bool) and type(value) is not bool:
        raise InvalidSnapshotSpec(one.name, f"{one.name} is true or false.")
    if isinstance(one.default, tuple) and type(value) is not tuple:
        raise InvalidSnapshotSpec(one.name, f"{one.name} is a list.")


def _check_texts(name: str, values: tuple[Any, ...]) -> None:
    if not all(isinstance(value, str) and value for value in values):
        raise InvalidSnapshotSpec(name, f"{name} is a list of names.")


def _is_whole(value: Any, least: int) -> bool:
    return type(value) is int and value >= least


def _from_json(name: str, value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    if name in ("created_from", "created_until") and isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise InvalidSnapshotSpec(name, f"{name} is {value!r}: write a day, such as 2026-01-31.") from None
    return value


def _to_json(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value
