"""The form of a snapshot: it says what would be frozen while one chooses, and launches the job that freezes it."""

from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from annotate import snapshots
from annotate.freeze_form import FreezeForm
from annotate.models import Membership
from annotate.requests import ProjectRequest
from annotate.roles import project_role
from training import frozen, lifecycle
from training.models import Job
from training.views.jobs import followed


@project_role(Membership.Role.RESEARCHER)
@require_http_methods(["GET", "POST"])
def freeze(request: ProjectRequest, slug: str) -> HttpResponse:
    """Sent with `preview`, it says what would be frozen, and freezes nothing. `?job=ID` asks again what that one was
    asked for."""
    form = FreezeForm(request.POST or None, project=request.project, initial=_asked_before(request))
    preview = None
    if request.method == "POST" and form.is_valid():
        if "preview" in request.POST:
            preview = snapshots.preview(request.project, form.spec)
        elif job := _launched(request, form):
            return redirect(followed(job))
    context = {"project": request.project, "form": form, "preview": preview}
    template = "training/_freeze_preview.html" if request.htmx else "training/freeze.html"
    return render(request, template, context, status=422 if form.errors else 200)


def _launched(request: ProjectRequest, form: FreezeForm) -> Job | None:
    """None, with the reason in the form, if it was refused."""
    try:
        return lifecycle.launch(
            kind=frozen.KIND,
            project=request.project,
            user=request.user,
            settings={},
            inputs={"spec": form.spec.to_json()},
            priority=lifecycle.INTERACTIVE,
        )
    except lifecycle.Refused as problem:
        form.add_error(None, str(problem))
        return None


def _asked_before(request: ProjectRequest) -> dict[str, Any]:
    number = request.GET.get("job", "")
    if not number:
        return {}
    if not (number.isascii() and number.isdecimal() and len(number) < 19):
        raise Http404("job is not the number of a job.")
    job: Job = get_object_or_404(request.project.jobs, pk=int(number), kind=frozen.KIND)
    return dict(job.inputs["spec"])
