"""What clients say, in the address or in a body."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request

from annotate.models import Prompt


class Asked(serializers.Serializer):
    """A name that there is not is refused: a filter that is misspelt would leave everything in."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        unknown = sorted(set(data) - set(self.fields)) if isinstance(data, Mapping) else []
        if unknown:
            known = ", ".join(self.fields)
            raise serializers.ValidationError({str(name): [f"There is no such option: {known}."] for name in unknown})
        return super().to_internal_value(data)


def asked(query: type[Asked], request: Request) -> dict[str, Any]:
    """What stands in the address. Raises ValidationError."""
    found = query(data=request.query_params.dict())
    found.is_valid(raise_exception=True)
    return found.validated_data


def split() -> serializers.ChoiceField:
    return serializers.ChoiceField(Prompt.Split.values, required=False)


def since() -> serializers.DateTimeField:
    return serializers.DateTimeField(required=False, help_text="Made at this moment or later: 2026-01-31T00:00:00Z.")


def name(help_text: str) -> serializers.CharField:
    return serializers.CharField(max_length=200, required=False, help_text=help_text)
