"""Files that come in: how they are asked to, and what came of them."""

from typing import Any

from rest_framework import serializers

from annotate.api.serializers.asked import Asked, name, split
from annotate.formats import READERS, naming
from annotate.imports import ImportReport
from annotate.models import Import

FITTING = {
    Import.Content.PROMPTS: {"split"},
    Import.Content.ANSWERS: {"source", "for_ranking"},
    Import.Content.RANKINGS: {"split", "source", "format", "fields"},
}
"""What can be said of a file of each content."""


class UploadQuery(Asked):
    content = serializers.ChoiceField(Import.Content.values, help_text="What the rows of the file are.")
    filename = serializers.CharField(
        max_length=255, required=False, help_text="A name that ends with .csv or .csv.gz is read as CSV."
    )
    keep_good = serializers.BooleanField(
        default=False, help_text="Store what can be stored, and keep the refused rows apart. Else all or nothing."
    )
    licence = serializers.CharField(max_length=200, default="", help_text="Of the data; snapshots made of it name it.")
    split = split()
    source = name("Where answers come from, for rows that do not say it.")  # type: ignore[assignment]
    format = serializers.ChoiceField(
        list(READERS), required=False, help_text="Of rankings. Left out, the first row tells."
    )
    fields = serializers.CharField(  # type: ignore[assignment]
        max_length=300,
        required=False,
        help_text="Of rankings whose format leaves names open: prompt=instruction,answers=left/right.",
    )
    for_ranking = serializers.BooleanField(
        required=False, help_text="Of answers: make a ranking task of each prompt. True, if left out."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        said = set().union(*FITTING.values()) & set(attrs)
        if unfit := said - FITTING[attrs["content"]]:
            raise serializers.ValidationError(dict.fromkeys(unfit, f"This says nothing of {attrs['content']}."))
        if "fields" in attrs:
            attrs["fields"] = _named(attrs["fields"], attrs.get("format", ""))
        return attrs


def _named(text: str, format: str) -> dict[str, str]:
    try:
        return naming.given(text, READERS[format].options if format else ())
    except naming.WrongName as problem:
        raise serializers.ValidationError({"fields": [str(problem)]}) from None


class UploadBody(serializers.Serializer):
    file = serializers.FileField()


class ImportRow(serializers.Serializer):
    key = serializers.IntegerField(source="pk")
    content = serializers.ChoiceField(Import.Content.values)
    format = serializers.CharField()
    filename = serializers.CharField()
    sha256 = serializers.CharField(help_text="Of the file's content, unpacked.")
    licence = serializers.CharField()
    rows_done = serializers.IntegerField()
    rows_refused = serializers.IntegerField()
    counts = serializers.DictField()
    summary = serializers.SerializerMethodField(help_text="The counts as a sentence.")
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True, help_text="Null: it was broken off. Send it again.")

    def get_summary(self, record: Import) -> str:
        return str(ImportReport.of(record.counts))


class RefusedRow(serializers.Serializer):
    key = serializers.IntegerField(source="pk")
    line = serializers.IntegerField()
    problem = serializers.CharField()
    row = serializers.CharField(help_text="As it stands in the file; very long ones are cut.")
