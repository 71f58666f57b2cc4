"""What a list of things that jobs make holds soon: fills a slot on pages of lower apps."""

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from annotate.models import Membership
from annotate.requests import ProjectRequest
from annotate.roles import project_role
from training import frozen
from training.models import Job

KINDS = (frozen.KIND,)


@project_role(Membership.Role.RESEARCHER)
@require_safe
def under_way(request: ProjectRequest, slug: str, kind: str) -> HttpResponse:
    """The project's jobs of a kind that are not done. Once none is left, a page that waited for one is loaded anew."""
    if kind not in KINDS:
        raise Http404("No list waits for jobs of this kind.")
    jobs = list(Job.objects.unfinished().filter(project=request.project, kind=kind))
    if jobs:
        return render(request, "training/_under_way.html", {"project": request.project, "kind": kind, "jobs": jobs})
    return HttpResponse(headers={"HX-Refresh": "true"} if "waited" in request.GET else {})
