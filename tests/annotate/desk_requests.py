"""What a page of the desk sends, for tests of what the server makes of it."""

from uuid import uuid4

from django.urls import reverse
from django.utils.timezone import now

from annotate import assignment, desk

HTMX = {"HX-Request": "true"}


def turn(labeler):
    return assignment.claim(labeler=labeler, now=now())


def form(held, ranks=(1, 2, 3), **fields):
    said = {f"rank-{pk}": rank for pk, rank in zip(held.order, ranks, strict=True)}
    return {"submission_id": str(uuid4()), "page_version": desk.PAGE_VERSION, "active_seconds": "12", **said, **fields}


def address(name, held):
    return reverse(name, args=[held.project.slug, held.pk])


def text(response):
    return response.content.decode()
