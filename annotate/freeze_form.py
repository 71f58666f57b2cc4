"""The form of a SnapshotSpec: its labels, helps and defaults are those of the spec."""

from dataclasses import fields
from typing import Any

from django import forms
from django.db.models import Count

from annotate.forms import Labelled
from annotate.models import Project, Prompt, Snapshot
from annotate.snapshots import InvalidSnapshotSpec, SnapshotSpec
from annotate.snapshots.spec import LARGEST_SEED

LABELERS_OFFERED = 300
"""Those with the most rankings. Others are left out on the command line."""
WORDS = {
    "several": {
        "all": "All of them, a row each",
        "majority": "One row: what most say of each pair",
        "bradley_terry": "One row: a Bradley-Terry fit",
        "soft": "One row: soft labels, the share of people",
    },
    "ties": {"keep": "Keep them", "half": "Count each as half a win for both", "drop": "Drop them"},
    "part": {"all": "All of it", "train": "The part that trains", "heldout": "The part that is held out"},
    "split": {"": "Every split", **dict(Prompt.Split.choices)},
    "kind": dict(Snapshot.Kind.choices),
    "purpose": dict(Snapshot.Purpose.choices),
}
"""What choices are called on the page."""
OPTIONS = {one.name: one for one in fields(SnapshotSpec)}


def told(settings: dict[str, Any]) -> list[tuple[str, str]]:
    """(label, value) of what was chosen beside kind and purpose, in the words of the page."""
    if not settings:
        return []
    return [
        (OPTIONS[name].metadata["label"], in_words(name, value))
        for name, value in SnapshotSpec.from_json(settings).chosen().items()
        if name not in ("kind", "purpose")
    ]


def label_of(name: str) -> str:
    return str(OPTIONS[name].metadata["label"]) if name in OPTIONS else name


def in_words(name: str, value: Any) -> str:
    """As the page says it; a dash where nothing was chosen."""
    if value in (None, "", []):
        return "–"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return WORDS.get(name, {}).get(value, str(value))


def _of(name: str, **more: Any) -> dict[str, Any]:
    """What a field takes from the spec."""
    one = OPTIONS[name]
    default = list(one.default) if isinstance(one.default, tuple) else one.default
    return {"label": one.metadata["label"], "help_text": one.metadata["help"], "initial": default, **more}


def _choice(name: str, *, radio: bool = False) -> forms.ChoiceField:
    """Left out of a request, it is the default."""
    widget = forms.RadioSelect if radio else forms.Select
    words = WORDS[name]
    return forms.ChoiceField(
        choices=[(value, words[value]) for value in OPTIONS[name].metadata["choices"]],
        widget=widget,
        **_of(name, required=radio, **({"help_text": ""} if radio else {})),
    )


def _day(name: str) -> forms.DateField:
    return forms.DateField(widget=forms.DateInput(attrs={"type": "date"}), **_of(name, required=False))


class FreezeForm(Labelled, forms.Form):
    kind = _choice("kind", radio=True)
    purpose = _choice("purpose", radio=True)
    several = _choice("several")
    ties = _choice("ties")
    sources = forms.MultipleChoiceField(widget=forms.CheckboxSelectMultiple, **_of("sources", required=False))
    split = _choice("split")
    created_from = _day("created_from")
    created_until = _day("created_until")
    guidelines_versions = forms.TypedMultipleChoiceField(
        coerce=int, widget=forms.CheckboxSelectMultiple, **_of("guidelines_versions", required=False)
    )
    labelers_left_out = forms.MultipleChoiceField(
        widget=forms.SelectMultiple(attrs={"size": 5}), **_of("labelers_left_out", required=False)
    )
    most_per_labeler = forms.IntegerField(min_value=1, **_of("most_per_labeler", required=False))
    leave_out_flagged = forms.BooleanField(**_of("leave_out_flagged", required=False))
    leave_out_leaks = forms.BooleanField(**_of("leave_out_leaks", required=False))
    part = _choice("part")
    heldout_share = forms.FloatField(
        widget=forms.NumberInput(attrs={"step": "0.01", "min": "0.01", "max": "0.99"}),
        **_of("heldout_share", required=False),
    )
    seed = forms.IntegerField(min_value=0, max_value=LARGEST_SEED, **_of("seed", required=False))

    ESSENTIALS = ("kind", "purpose", "several", "ties")
    FILTERS = ("sources", "split", "created_from", "created_until", "guidelines_versions", "labelers_left_out",
               "leave_out_flagged", "leave_out_leaks")  # fmt: skip
    DRAWS = ("most_per_labeler", "part", "heldout_share", "seed")

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        sources = project.answer_batches.order_by("source_name").values_list("source_name", flat=True).distinct()
        versions = project.guidelines.order_by("version").values_list("version", flat=True)
        busiest = project.labelers.annotate(_n=Count("rankings")).filter(_n__gt=0).order_by("-_n", "pk")
        offered = busiest.values_list("pseudonym", "_n")[:LABELERS_OFFERED]
        self._offer("sources", [(name, name) for name in sources], least=2)
        self._offer("guidelines_versions", [(version, f"Version {version}") for version in versions], least=1)
        self._offer("labelers_left_out", [(name, f"{name} ({count:,})") for name, count in offered], least=2)
        if project.purpose == Project.Purpose.EVALUATION:
            self.initial["purpose"] = Snapshot.Purpose.TESTING

    spec: SnapshotSpec
    """There once the form is valid."""

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.errors:
            return cleaned
        chosen = {name: value for name, value in cleaned.items() if value not in (None, "", [])}
        try:
            self.spec = SnapshotSpec.from_json(chosen)
        except InvalidSnapshotSpec as problem:
            self.add_error(problem.field, str(problem))
        return cleaned

    @property
    def essentials(self) -> list[forms.BoundField]:
        return [self[name] for name in self.ESSENTIALS]

    @property
    def filters(self) -> list[forms.BoundField]:
        return [self[name] for name in self.FILTERS if name in self.fields]

    @property
    def draws(self) -> list[forms.BoundField]:
        return [self[name] for name in self.DRAWS]

    @property
    def filters_are_wrong(self) -> bool:
        return any(name in self.errors for name in self.FILTERS)

    @property
    def draws_are_wrong(self) -> bool:
        return any(name in self.errors for name in self.DRAWS)

    def _offer(self, name: str, choices: list[tuple[Any, str]], *, least: int) -> None:
        """Where there is nothing to choose between, there is no field."""
        if len(choices) < least:
            del self.fields[name]
        else:
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = choices
