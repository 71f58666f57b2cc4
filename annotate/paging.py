"""Pages of a long list by key, newest first: as fast on the last page as on the first, and stable while rows arrive.

A list with filters is sought: for a moment along the keys, as finds what is frequent, then for a moment by what the
filters match, as finds what is rare. What neither finds is looked for row by row among the next rows, for a moment
too, and the page says so and goes on from there. So a page takes no longer than that, whatever the filters are."""

import functools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db import OperationalError, connection, transaction
from django.db.models import F, Model, QuerySet
from django.http import Http404, HttpRequest
from psycopg.errors import QueryCanceled

Row = TypeVar("Row", bound=Model)
Found = TypeVar("Found")
PAGE_SIZE = 50
LARGEST_KEY = 2**63 - 1
MOST_COUNTED = 1000
SEEK_MS = 12
COUNT_MS = 8
WALK_MS = 5
WINDOW = 1000
"""Rows that the first step of a walk looks through."""
ROW_BY_ROW = dict.fromkeys(("enable_hashjoin", "enable_mergejoin", "enable_seqscan", "enable_sort", "jit"), "off")
"""Along the keys, and what belongs to a row looked up by index: Postgres may not read a whole table for a page."""


@dataclass(frozen=True)
class KeysetPage(Generic[Row]):
    rows: list[Row]
    newer: int | None
    """`?after=` of the page before this one, or None on the first."""
    older: int | None
    """`?before=` of the next page, or None on the last."""
    is_partial: bool = False
    """Not all rows were looked through: there may be more beyond."""
    count: int | None = None
    """Of all rows, where that is quick to say; past MOST_COUNTED it stands for more."""

    @property
    def is_only_page(self) -> bool:
        return self.newer is None and self.older is None

    @property
    def has_many(self) -> bool:
        return self.count is not None and self.count > MOST_COUNTED


@dataclass(frozen=True)
class _Place:
    """Where in the list a page begins, and which way it goes from there."""

    key: int | None
    upward: bool

    @classmethod
    def of(cls, request: HttpRequest) -> "_Place":
        before, after = _key(request, "before"), _key(request, "after")
        return cls(before if after is None else after, upward=after is not None)

    def beyond(self, rows: QuerySet[Row]) -> QuerySet[Row]:
        if self.key is not None:
            rows = rows.filter(pk__gt=self.key) if self.upward else rows.filter(pk__lt=self.key)
        return rows.order_by("pk" if self.upward else "-pk")

    def beyond_by_any_index(self, rows: QuerySet[Row]) -> QuerySet[Row]:
        """The same, but Postgres may not walk the keys in their order: it reads what the filters match, and sorts."""
        key = F("pk") + 0
        return self.beyond(rows).order_by(key.asc() if self.upward else key.desc())

    def up_to(self, edge: int, rows: QuerySet[Row]) -> QuerySet[Row]:
        return self.beyond(rows).filter(pk__gte=edge) if not self.upward else self.beyond(rows).filter(pk__lte=edge)

    def page(self, rows: list[Row], following: int | None, **more: Any) -> KeysetPage[Row]:
        """`rows` newest first; `following` is the key to go on from in the same direction."""
        if self.upward:
            older = rows[-1].pk if rows else (self.key or 0) + 1
            return KeysetPage(rows, newer=following, older=older, **more)
        back = None if self.key is None else rows[0].pk if rows else self.key - 1
        return KeysetPage(rows, newer=back, older=following, **more)


def keyset_page(rows: QuerySet[Row], request: HttpRequest, *, size: int = PAGE_SIZE) -> KeysetPage[Row]:
    """The page that `?before=` or `?after=` asks for, else the newest rows."""
    place = _Place.of(request)
    found = list(place.beyond(rows)[: size + 1])
    shown = found[:size]
    following = shown[-1].pk if len(found) > size else None
    return place.page(shown[::-1] if place.upward else shown, following)


def sought_page(
    within: QuerySet[Row], found: QuerySet[Row], shown: QuerySet[Row], request: HttpRequest, *, size: int = PAGE_SIZE
) -> KeysetPage[Row]:
    """Of `found`, which is `within`, or that with filters. `within` walks an index in the order of its keys. `shown`
    is what the page needs of each row: it is asked for those of the page alone."""
    place = _Place.of(request)
    keys, edge = _seek(place, within, found, size)
    counted = found.order_by()[: MOST_COUNTED + 1]
    following = keys[size - 1] if len(keys) > size else edge
    keys = keys[:size]
    rows = shown.in_bulk(keys)
    newest_first = [rows[key] for key in sorted(keys, reverse=True) if key in rows]
    count = len(keys) if place.key is None and following is None else None
    if place.key is None and edge is None and following is not None:
        count = counted.count() if found is within else _in_time(counted.count, COUNT_MS)
    return place.page(newest_first, following, is_partial=following is not None and following == edge, count=count)


def _seek(place: _Place, within: QuerySet[Row], found: QuerySet[Row], size: int) -> tuple[list[int], int | None]:
    """The keys, one more than fit where there is a next page; and how far was looked, if not to the end."""

    def keys_of(rows: QuerySet[Row]) -> list[int]:
        return list(rows.values_list("pk", flat=True)[: size + 1])

    if found is within:
        return keys_of(place.beyond(found)), None
    for rows, how in ((place.beyond(found), ROW_BY_ROW), (place.beyond_by_any_index(found), {})):
        keys = _in_time(functools.partial(keys_of, rows), SEEK_MS, how)
        if keys is not None:
            return keys, None
    return _with_settings(lambda: _walk(place, within, found, size), ROW_BY_ROW)


def _walk(place: _Place, within: QuerySet[Row], found: QuerySet[Row], size: int) -> tuple[list[int], int | None]:
    """Through ever longer windows of `within`, for WALK_MS or a window."""
    until, keys, window = time.monotonic() + WALK_MS / 1000, list[int](), WINDOW
    while True:
        edge = next(iter(place.beyond(within).values_list("pk", flat=True)[window - 1 : window]), None)
        near = place.beyond(found) if edge is None else place.up_to(edge, found)
        keys += near.values_list("pk", flat=True)[: size + 1 - len(keys)]
        if edge is None or len(keys) > size or time.monotonic() > until:
            return keys, edge
        place, window = _Place(edge, place.upward), 2 * window


def _in_time(ask: Callable[[], Found], milliseconds: int, settings: Mapping[str, str] | None = None) -> Found | None:
    """What the database answers, or None where it takes longer."""
    try:
        return _with_settings(ask, {"statement_timeout": str(milliseconds), **(settings or {})})
    except OperationalError as problem:
        if isinstance(problem.__cause__, QueryCanceled):
            return None
        raise


def _with_settings(ask: Callable[[], Found], settings: Mapping[str, str]) -> Found:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(['set_config(%s, %s, true)'] * len(settings))}", sum(settings.items(), ()))
        answer = ask()
        cursor.execute("; ".join(f"SET LOCAL {name} TO DEFAULT" for name in settings))  # it may be in something larger
        return answer


def _key(request: HttpRequest, name: str) -> int | None:
    text = request.GET.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 20) or int(text) > LARGEST_KEY:
        raise Http404(f"{name} is not a number.")
    return int(text)
