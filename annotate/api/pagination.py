"""Pages by key, oldest first: as fast at the end as at the start, and what arrives meanwhile moves no row.

They are no feed. A row has its key before it is committed, so rows of an import that was open while somebody read may
stand before what was read last; docs/api.md says how to keep a copy in step."""

from collections.abc import Callable, Iterable
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from annotate.api.serializers.asked import Asked
from annotate.paging import LARGEST_KEY

PAGE_SIZE, LARGEST_PAGE = 100, 500


class PageQuery(Asked):
    """What a list may be asked for."""

    after = serializers.IntegerField(
        min_value=0,
        max_value=LARGEST_KEY,
        default=0,
        help_text="Rows after the one with this key. The address in “next” has it.",
    )
    page_size = serializers.IntegerField(min_value=1, max_value=LARGEST_PAGE, default=PAGE_SIZE)


def page(
    request: Request,
    asked: dict[str, Any],
    rows: QuerySet[Any],
    written: type[serializers.Serializer],
    *,
    read: Callable[[QuerySet[Any]], Iterable[Any]] = list,
) -> Response:
    """Of rows that have a key each. `read` takes them from the database, where that is not model by model."""
    size = asked["page_size"]
    found = list(read(rows.filter(pk__gt=asked["after"]).order_by("pk")[: size + 1]))
    results = written(found[:size], many=True, context={"request": request}).data
    following = None
    if len(found) > size:
        following = replace_query_param(request.build_absolute_uri(), "after", results[-1]["key"])
    return Response({"next": following, "results": results})


def page_of(row: type[serializers.Serializer]) -> serializers.Serializer:
    """A page, as the schema tells of it."""
    return inline_serializer(
        f"{row.__name__}Page",
        {
            "next": serializers.URLField(allow_null=True, help_text="The next page; null on the last."),
            "results": row(many=True),
        },
    )
