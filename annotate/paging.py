"""Pages of a long list by key, newest first: as fast on the last page as on the first, and stable while rows arrive."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest

Row = TypeVar("Row", bound=Model)
PAGE_SIZE = 50
LARGEST_KEY = 2**63 - 1


@dataclass(frozen=True)
class KeysetPage(Generic[Row]):
    rows: list[Row]
    newer: int | None
    """`?after=` of the page before this one, or None on the first."""
    older: int | None
    """`?before=` of the next page, or None on the last."""

    @property
    def is_only_page(self) -> bool:
        return self.newer is None and self.older is None


def keyset_page(rows: QuerySet[Row], request: HttpRequest, *, size: int = PAGE_SIZE) -> KeysetPage[Row]:
    """The page that `?before=` or `?after=` asks for, else the newest rows."""
    before, after = _key(request, "before"), _key(request, "after")
    if after is not None:
        found = list(rows.filter(pk__gt=after).order_by("pk")[: size + 1])
        shown = found[:size][::-1]
        return _page(shown, more_newer=len(found) > size, more_older=True)
    if before is not None:
        rows = rows.filter(pk__lt=before)
    found = list(rows.order_by("-pk")[: size + 1])
    return _page(found[:size], more_newer=before is not None, more_older=len(found) > size)


def _page(rows: list[Row], *, more_newer: bool, more_older: bool) -> KeysetPage[Row]:
    return KeysetPage(
        rows=rows,
        newer=rows[0].pk if rows and more_newer else None,
        older=rows[-1].pk if rows and more_older else None,
    )


def _key(request: HttpRequest, name: str) -> int | None:
    text = request.GET.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdecimal()) or int(text[:20]) > LARGEST_KEY:
        raise Http404(f"{name} is not a number.")
    return int(text)
