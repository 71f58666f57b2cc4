"""Snapshots: what is frozen, what is asked to be frozen, in which format it is read."""

from dataclasses import Field, fields
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from annotate import exports
from annotate.api.serializers.asked import Asked
from annotate.formats import WRITERS
from annotate.models import Snapshot
from annotate.snapshots.spec import LARGEST_SEED, SnapshotSpec

LARGEST_NUMBER = 2**31 - 1


class SnapshotRow(serializers.Serializer):
    key = serializers.IntegerField(source="pk")
    kind = serializers.ChoiceField(Snapshot.Kind.values)
    purpose = serializers.ChoiceField(Snapshot.Purpose.values)
    sha256 = serializers.CharField()
    size_bytes = serializers.IntegerField()
    counts = serializers.DictField()
    created_at = serializers.DateTimeField()


class SnapshotDetail(SnapshotRow):
    settings = serializers.DictField(help_text="Every option that it was frozen with.")
    card = serializers.DictField(help_text="What a reader of the file must know of it.")
    guidelines_versions = serializers.ListField(child=serializers.IntegerField(allow_null=True))
    formats = serializers.SerializerMethodField(help_text="In which it can be downloaded.")

    @extend_schema_field({"type": "array", "items": {"type": "string"}})
    def get_formats(self, snapshot: Snapshot) -> list[str]:
        return list(exports.of_kind(snapshot.kind))


class Spec(Asked):
    """The options of a snapshot. Left out, an option leaves nothing out."""

    def get_fields(self) -> dict[str, serializers.Field]:
        return {one.name: _field(one) for one in fields(SnapshotSpec)}


class DownloadQuery(Asked):
    format = serializers.ChoiceField(list(WRITERS), help_text="One of the snapshot's formats.")

    def get_fields(self) -> dict[str, serializers.Field]:
        """`as` is no name that a class can have."""
        return super().get_fields() | {"as": serializers.ChoiceField(list(exports.TYPES), default="jsonl")}


def _field(one: "Field[Any]") -> serializers.Field:
    """By what stands there when nothing is said; where that is None, by name."""
    said: dict[str, Any] = {"required": False, "help_text": one.metadata["help"]}
    if choices := one.metadata["choices"]:
        return serializers.ChoiceField([each for each in choices if each], allow_blank="" in choices, **said)
    if one.name == "guidelines_versions":
        return serializers.ListField(child=serializers.IntegerField(min_value=1, max_value=LARGEST_NUMBER), **said)
    if isinstance(one.default, tuple):
        return serializers.ListField(child=serializers.CharField(max_length=200), **said)
    if isinstance(one.default, bool):
        return serializers.BooleanField(**said)
    if isinstance(one.default, float):
        return serializers.FloatField(**said)
    if one.name in ("created_from", "created_until"):
        return serializers.DateField(allow_null=True, **said)
    if one.name == "seed":
        return serializers.IntegerField(min_value=0, max_value=LARGEST_SEED, **said)
    return serializers.IntegerField(min_value=1, max_value=LARGEST_NUMBER, allow_null=True, **said)
