"""Which rankings the agreement page is about."""

from datetime import date
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator
from django.db.models import QuerySet

from annotate.forms import Labelled
from annotate.models import Import, Project, Prompt, Ranking
from annotate.snapshots import InvalidSnapshotSpec, SnapshotSpec
from annotate.snapshots.selection import Selection

DESK = "desk"
LAST_DAY = date(2999, 12, 31)


def _day(label: str) -> forms.DateField:
    last = MaxValueValidator(LAST_DAY, "No ranking is of so late a day.")
    return forms.DateField(
        label=label, required=False, widget=forms.DateInput(attrs={"type": "date"}), validators=[last]
    )


class AgreementForm(Labelled, forms.Form):
    """By GET. Where there is nothing to choose between, there is no field."""

    origin = forms.ChoiceField(label="Where from", required=False)
    split = forms.ChoiceField(required=False, choices=[("", "Every split"), *Prompt.Split.choices])
    guidelines = forms.ChoiceField(required=False)
    created_from = _day("From")
    created_until = _day("Until")

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._project = project
        files = project.imports.filter(content=Import.Content.RANKINGS)
        versions = project.guidelines.order_by("version").values_list("version", flat=True)
        self._offer("origin", [(DESK, "The desk"), *((str(one.pk), one.filename) for one in files)], "Everywhere")
        self._offer("guidelines", [(str(one), f"Version {one}") for one in versions], "Every version")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors:
            try:
                self._spec = SnapshotSpec.from_json(_asked(cleaned))
            except InvalidSnapshotSpec as problem:
                self.add_error(problem.field, str(problem))
        return cleaned

    @property
    def choice(self) -> dict[str, str]:
        """What was chosen, once the form is valid."""
        return {
            name: value.isoformat() if isinstance(value, date) else value
            for name, value in self.cleaned_data.items()
            if value
        }

    @property
    def rankings(self) -> QuerySet[Ranking]:
        """Those that were chosen, also of test prompts: agreement trains nothing."""
        found: QuerySet[Ranking] = Selection(self._project, self._spec).rows
        origin = self.cleaned_data.get("origin")
        if origin:
            found = found.filter(origin=None if origin == DESK else int(origin))
        return found

    def _offer(self, name: str, choices: list[tuple[str, str]], all_of_them: str) -> None:
        if len(choices) < 2:
            del self.fields[name]
        else:
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = [("", all_of_them), *choices]


def _asked(cleaned: dict[str, Any]) -> dict[str, Any]:
    asked = {"kind": "rankings", "purpose": "testing"}
    chosen = {name: cleaned.get(name) for name in ("split", "created_from", "created_until")}
    if cleaned.get("guidelines"):
        chosen["guidelines_versions"] = [int(cleaned["guidelines"])]
    return asked | {name: value for name, value in chosen.items() if value}
