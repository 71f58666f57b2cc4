"""Freezing, and files for others."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from annotate import exports, overview
from annotate import snapshots as frozen
from annotate.forms import FreezeForm
from annotate.models import Membership, Project, Snapshot
from annotate.paging import keyset_page
from annotate.requests import ProjectRequest
from annotate.roles import project_role

Role = Membership.Role


@project_role(Role.RESEARCHER)
@require_http_methods(["GET", "POST"])
def snapshots(request: ProjectRequest, slug: str) -> HttpResponse:
    form = FreezeForm(request.POST or None, project=request.project)
    if request.method == "POST" and form.is_valid():
        try:
            snapshot = frozen.freeze(project=request.project, user=request.user, **form.cleaned_data)
        except frozen.SnapshotRefused as problem:
            form.add_error(None, str(problem))
        else:
            messages.success(request, f"{snapshot} is frozen.")
            return redirect("snapshot", slug, snapshot.pk)
    context = {
        "project": request.project,
        "form": form,
        "page": keyset_page(request.project.snapshots.select_related("created_by"), request),
        "standing": overview.what_stands(request.project),
        "formats": _formats(exports.FORMATS),
        "purpose": _purpose_of(request.project),
    }
    return render(request, "annotate/snapshots.html", context, status=422 if form.errors else 200)


@project_role(Role.RESEARCHER)
@require_safe
def snapshot(request: ProjectRequest, slug: str, pk: int) -> HttpResponse:
    found = _snapshot(request, pk)
    possible = {name: known for name, known in exports.FORMATS.items() if known.kind == found.kind}
    context = {"project": request.project, "snapshot": found, "formats": _formats(possible)}
    return render(request, "annotate/snapshot.html", context)


@project_role(Role.RESEARCHER)
@require_safe
def snapshot_download(request: ProjectRequest, slug: str, pk: int, format: str) -> HttpResponseBase:
    return _download(request, _snapshot(request, pk), format)


@project_role(Role.RESEARCHER)
@require_safe
def export(request: ProjectRequest, slug: str, format: str) -> HttpResponseBase:
    """What stands at this moment. `?for=testing` keeps test prompts in."""
    purpose = request.GET.get("for", _purpose_of(request.project))
    if purpose not in Snapshot.Purpose.values:
        raise Http404("Write for=training or for=testing.")
    return _download(request, request.project, format, purpose=purpose)


def _download(request: ProjectRequest, source: Snapshot | Project, format: str, **options: Any) -> HttpResponseBase:
    if format not in exports.FORMATS:
        raise Http404(f"There is no format {format!r}.")
    try:
        lines = exports.export(source, format, user=request.user, **options)
    except (exports.ExportRefused, frozen.SnapshotDamaged) as problem:
        context = {"project": request.project, "problem": problem}
        return render(request, "annotate/export_refused.html", context, status=409)
    return StreamingHttpResponse(
        lines,
        content_type="application/x-ndjson; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{exports.filename(source, format)}"'},
    )


def _snapshot(request: ProjectRequest, pk: int) -> Snapshot:
    return get_object_or_404(request.project.snapshots.select_related("created_by", "project"), pk=pk)


def _purpose_of(project: Project) -> str:
    """An evaluation project's rankings never enter training."""
    is_for_testing = project.purpose == Project.Purpose.EVALUATION
    return Snapshot.Purpose.TESTING.value if is_for_testing else Snapshot.Purpose.TRAINING.value


def _formats(known: dict[str, exports.Format]) -> list[tuple[str, str, str]]:
    """(name, title, what it is)."""
    parted = {name: wanted.label.partition(": ") for name, wanted in known.items()}
    return [(name, title, text) for name, (title, _, text) in parted.items()]
