"""Files of prompts and of answers, uploaded. What a file does stands in annotate/imports.py."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from annotate import imports
from annotate.forms import LARGEST_UPLOAD, AnswersImportForm, ImportForm, PromptsImportForm
from annotate.models import Membership
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


def _stored(request: ProjectRequest, form: ImportForm, store: Any, **options: Any) -> imports.ImportReport | None:
    """The limit of a page holds for what the file unpacks to: so much is stored within the request."""
    file = form.cleaned_data["file"]
    options |= {"filename": file.name, "user": request.user, "most_bytes": LARGEST_UPLOAD}
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
