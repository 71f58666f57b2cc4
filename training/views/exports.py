"""Files of export jobs: links, and the one address that opens without signing in."""

import os
from collections.abc import Iterator
from typing import BinaryIO

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.timezone import now
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotate import exports
from annotate.requests import SignedInRequest
from training import exported, ranges
from training.access import of_own_project
from training.models import Artefact, Job
from training.views.jobs import standing

PIECE = 256 * 1024
"""Bytes of the file in memory at a time."""


@of_own_project(Job)
@never_cache
@require_POST
def job_link(request: SignedInRequest, job: Job) -> HttpResponse:
    """The job's page with a new link, shown this once."""
    file = exported.file_of(job)
    if file is None:
        raise Http404("This job has no file to link to.")
    address = reverse("export_file", args=[exported.secret_for(file, request.user), exported.name_of(file)])
    link = request.build_absolute_uri(address)
    return render(request, "training/job.html", {**standing(job, at=now()), "link": link})


@login_not_required
@require_safe
def export_file(request: HttpRequest, secret: str, name: str) -> HttpResponseBase:
    """`name` is for whoever saves it under the last word of the address; the secret alone decides."""
    file = exported.opened(secret)
    try:
        content = exported.path_of(file).open("rb") if file else None
    except FileNotFoundError:
        content = None
    if file is None or content is None:
        return render(request, "training/link_gone.html", status=404)
    return _sent(request, file, content)


def _sent(request: HttpRequest, file: Artefact, content: BinaryIO) -> HttpResponseBase:
    """The whole, the part that was asked for, or why neither is needed."""
    size, etag = os.fstat(content.fileno()).st_size, f'"{file.sha256}"'
    name = exported.name_of(file)
    headers = {"ETag": etag, "Accept-Ranges": "bytes", "Cache-Control": "private"}
    if ranges.is_known(request.headers.get("If-None-Match"), etag):
        content.close()
        return HttpResponse(status=304, headers=headers)
    wanted = request.headers.get("Range") if request.method == "GET" else None
    try:
        part = ranges.part(wanted, size) if ranges.is_current(request.headers.get("If-Range"), etag) else None
    except ranges.Unsatisfiable:
        content.close()
        return HttpResponse(status=416, headers={**headers, "Content-Range": f"bytes */{size}"})
    headers |= {
        "Content-Type": exports.TYPES[name.rpartition(".")[2]],
        "Content-Disposition": f'attachment; filename="{name}"',
        "Content-Length": str((part.stop - part.start) if part else size),
    }
    if part:
        headers["Content-Range"] = part.of(size)
    if request.method == "HEAD":
        content.close()
        return HttpResponse(headers=headers)
    pieces = _pieces(content, part or ranges.Part(0, size))
    return StreamingHttpResponse(pieces, status=206 if part else 200, headers=headers)


def _pieces(content: BinaryIO, part: ranges.Part) -> Iterator[bytes]:
    with content:
        content.seek(part.start)
        left = part.stop - part.start
        while left and (piece := content.read(min(left, PIECE))):
            left -= len(piece)
            yield piece
