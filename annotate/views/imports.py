"""Files of prompts, answers and rankings: uploaded, what came of each, and the rows that were refused."""

import json
from collections.abc import Iterator
from typing import Any

from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_http_methods, require_safe

from annotate import imports
from annotate.forms import AnswersImportForm, ImportForm, PromptsImportForm, RankingsImportForm
from annotate.models import Import, Membership
from annotate.paging import keyset_page
from annotate.requests import ProjectRequest
from annotate.roles import project_role

Role = Membership.Role
CHOOSE_AGAIN = "To try again, choose the file again."
"""Said, not kept: browsers refuse to send a chosen file that was changed since, and mending it is what comes next."""


@project_role(Role.RESEARCHER)
@require_http_methods(["GET", "POST"])
def import_prompts(request: ProjectRequest, slug: str) -> HttpResponse:
    form = PromptsImportForm(request.POST or None, request.FILES or None)
    report = None
    if form.is_bound and form.is_valid():
        report = _stored(request, form, imports.import_prompts, split=form.cleaned_data["split"] or None)
    return _page(request, "prompts", form, report)


@project_role(Role.RESEARCHER)
@require_http_methods(["GET", "POST"])
def import_answers(request: ProjectRequest, slug: str) -> HttpResponse:
    form = AnswersImportForm(request.POST or None, request.FILES or None)
    report = None
    if form.is_bound and form.is_valid():
        said = {name: form.cleaned_data[name] for name in ("source", "for_ranking")}
        report = _stored(request, form, imports.import_answers, **said)
    return _page(request, "answers", form, report)


@project_role(Role.RESEARCHER)
@require_http_methods(["GET", "POST"])
def import_rankings(request: ProjectRequest, slug: str) -> HttpResponse:
    form = RankingsImportForm(request.POST or None, request.FILES or None)
    report = None
    if form.is_bound and form.is_valid():
        said = {name: form.cleaned_data[name] for name in ("format", "source")}
        said |= {"split": form.cleaned_data["split"] or None, "fields": form.cleaned_data["fields_named"]}
        report = _stored(request, form, imports.import_rankings, **said)
    return _page(request, "rankings", form, report)


@project_role(Role.RESEARCHER)
@require_safe
def imported(request: ProjectRequest, slug: str) -> HttpResponse:
    page = keyset_page(request.project.imports.all(), request)
    files = [(record, imports.ImportReport.of(record.counts)) for record in page.rows]
    return render(request, "annotate/imports.html", {"project": request.project, "page": page, "files": files})


@project_role(Role.RESEARCHER)
@require_safe
def refused_rows(request: ProjectRequest, slug: str, pk: int) -> StreamingHttpResponse:
    record = get_object_or_404(request.project.imports, pk=pk)
    return StreamingHttpResponse(
        _refused_lines(record),
        content_type="application/x-ndjson; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="refused-{record.pk}.jsonl"'},
    )


def _refused_lines(record: Import) -> Iterator[str]:
    for refused in record.refused_rows.iterator():
        said = {"line": refused.line, "problem": refused.problem, "row": refused.row}
        yield json.dumps(said, ensure_ascii=False) + "\n"


def _stored(request: ProjectRequest, form: ImportForm, store: Any, **options: Any) -> imports.ImportReport | None:
    """The limit of a page holds for what the file unpacks to: so much is stored within the request."""
    file = form.cleaned_data["file"]
    options |= {"keep_good": bool(form.cleaned_data["keep_good"]), "licence": form.cleaned_data["licence"]}
    options |= {"filename": file.name, "user": request.user, "most_bytes": form.largest}
    try:
        return store(project=request.project, stream=file, **options)
    except imports.ImportRefused as problem:
        form.add_error("file", str(problem))
        return None


def _page(request: ProjectRequest, what: str, form: ImportForm, report: imports.ImportReport | None) -> HttpResponse:
    if form.errors and "file" in request.FILES:
        form.add_error("file", CHOOSE_AGAIN)
    context = {"project": request.project, "what": what, "form": form, "report": report}
    template = "annotate/_import.html" if request.htmx else f"annotate/import_{what}.html"
    return render(request, template, context, status=422 if form.errors else 200)
