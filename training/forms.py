"""Launch forms: the settings come from the dataclass of the kind, so that no default is written twice."""

from collections.abc import Sequence
from dataclasses import MISSING, Field
from typing import Any, get_type_hints

from django import forms

from rewards.specs import Spec, describe


class SettingsForm(forms.Form):
    """The settings of one kind of job. `essentials` stand open on the page, the others under "All settings"."""

    def __init__(self, *args: Any, spec: type[Spec], essentials: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        types = get_type_hints(spec)
        self.setting_names = [setting.name for setting in describe(spec)]
        self.essential_names = [name for name in essentials if name in self.setting_names]
        for setting in describe(spec):
            self.fields[setting.name] = form_field(setting, types[setting.name])

    @property
    def subjects(self) -> list[forms.BoundField]:
        """What the job works on: the fields that are no settings."""
        return [self[name] for name in self.fields if name not in self.setting_names]

    @property
    def essentials(self) -> list[forms.BoundField]:
        return [self[name] for name in self.essential_names]

    @property
    def others(self) -> list[forms.BoundField]:
        return [self[name] for name in self.setting_names if name not in self.essential_names]

    @property
    def others_are_wrong(self) -> bool:
        return any(field.errors for field in self.others)

    @property
    def settings(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in self.setting_names}


def form_field(setting: Field[Any], kind: type) -> forms.Field:
    """The form field of a setting, with its bounds, its default and its help."""
    meta = setting.metadata
    common = {"label": meta["label"], "help_text": meta["help"], "required": kind is not bool}
    if setting.default is not MISSING:
        common["initial"] = setting.default
    if meta.get("choices"):
        return forms.ChoiceField(choices=[(choice, choice) for choice in meta["choices"]], **common)
    if kind is bool:
        return forms.BooleanField(**common)
    if kind is int:
        return forms.IntegerField(min_value=meta.get("min"), max_value=meta.get("max"), **common)
    if kind is float:
        field = forms.FloatField(min_value=meta.get("min"), max_value=meta.get("max"), **common)
        field.widget.attrs["step"] = "any"
        return field
    if kind is str:
        return forms.CharField(max_length=1000, **common)
    raise TypeError(f"No form field for the setting {setting.name} of type {kind}.")
