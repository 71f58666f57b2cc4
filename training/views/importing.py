"""Files that come in on a page: each form keeps the file and launches the job that brings it in."""

from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods
from django_htmx.http import HttpResponseClientRedirect

from annotate.formats.rows import clean_text
from annotate.forms import AnswersImportForm, ImportForm, PromptsImportForm, RankingsImportForm
from annotate.models import Import, Membership
from annotate.requests import ProjectRequest
from annotate.roles import project_role
from rewards.specs import InvalidSpec
from training import brought, lifecycle
from training.models import Job
from training.views.jobs import followed

Role = Membership.Role
Content = Import.Content
FORMS: dict[str, type[ImportForm]] = {
    Content.PROMPTS: PromptsImportForm,
    Content.ANSWERS: AnswersImportForm,
    Content.RANKINGS: RankingsImportForm,
}
CHOOSE_AGAIN = "To try again, choose the file again."
"""Said, not kept: browsers refuse to send a chosen file that was changed since, and mending it is what comes next."""


@project_role(Role.RESEARCHER)
@require_http_methods(["GET", "POST"])
def import_prompts(request: ProjectRequest, slug: str) -> HttpResponse:
    return _page(request, Content.PROMPTS)


@project_role(Role.RESEARCHER)
@require_http_methods(["GET", "POST"])
def import_answers(request: ProjectRequest, slug: str) -> HttpResponse:
    return _page(request, Content.ANSWERS)


@project_role(Role.RESEARCHER)
@require_http_methods(["GET", "POST"])
def import_rankings(request: ProjectRequest, slug: str) -> HttpResponse:
    return _page(request, Content.RANKINGS)


def _page(request: ProjectRequest, content: str) -> HttpResponse:
    """`?job=ID` asks again as that one was asked."""
    form = FORMS[content](request.POST or None, request.FILES or None, initial=_asked_before(request, content))
    if form.is_bound and form.is_valid() and (job := _launched(request, form, content)):
        address = followed(job)
        return HttpResponseClientRedirect(address) if request.htmx else redirect(address)
    if form.errors and "file" in request.FILES:
        form.add_error("file", CHOOSE_AGAIN)
    context = {"project": request.project, "what": content, "form": form}
    template = "training/_import.html" if request.htmx else f"training/import_{content}.html"
    return render(request, template, context, status=422 if form.errors else 200)


def _launched(request: ProjectRequest, form: ImportForm, content: str) -> Job | None:
    """None, with the reason in the form, if the file could not be kept or the job was refused."""
    said, file = form.cleaned_data, form.cleaned_data["file"]
    settings: dict[str, Any] = {name: said[name] for name in brought.SAYS[content]}
    settings |= {"content": str(content), "keep_good": bool(said["keep_good"]), "licence": said["licence"]}
    upload = ""
    try:
        upload = brought.keep(file)
        inputs = {"upload": upload, "filename": clean_text(file.name), "fields": said.get("fields_named") or {}}
        return lifecycle.launch(
            kind=brought.KIND,
            project=request.project,
            user=request.user,
            settings=settings,
            inputs=inputs,
            priority=lifecycle.INTERACTIVE,
        )
    except OSError as problem:
        form.add_error("file", f"The file could not be kept on the server: {problem.strerror}. Nothing was stored.")
    except (lifecycle.Refused, InvalidSpec) as problem:
        brought.discard(upload)
        form.add_error("file", str(problem))
    return None


def _asked_before(request: ProjectRequest, content: str) -> dict[str, Any]:
    number = request.GET.get("job", "")
    if not number:
        return {}
    if not (number.isascii() and number.isdecimal() and len(number) < 19):
        raise Http404("job is not the number of a job.")
    job: Job = get_object_or_404(request.project.jobs, pk=int(number), kind=brought.KIND, spec__content=content)
    fields = ", ".join(f"{name}={value}" for name, value in job.inputs["fields"].items())
    return {**job.spec, "keep_good": "yes" if job.spec["keep_good"] else "", "fields_named": fields}
