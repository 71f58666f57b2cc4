"""What a list of things that jobs make holds soon: fills a slot on pages of lower apps."""

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.timezone import now
from django.views.decorators.http import require_safe

from annotate.models import Membership
from annotate.requests import ProjectRequest
from annotate.roles import project_role
from training import brought
from training.lineage import OWN_TITLES
from training.models import Job


@project_role(Membership.Role.RESEARCHER)
@require_safe
def under_way(request: ProjectRequest, slug: str, kind: str) -> HttpResponse:
    """The project's jobs of a kind that are not done, and uploads that did not come in, as long as they can be tried
    again. Once no job is left, a page that waited for one is loaded anew."""
    if kind not in OWN_TITLES:
        raise Http404("No list waits for jobs of this kind.")
    at_it = Job.objects.unfinished().filter(project=request.project, kind=kind).select_related("project")
    jobs = [(job, OWN_TITLES[kind](job)) for job in at_it]
    failed = brought.failed_in(request.project, now()) if kind == brought.KIND else []
    if not jobs and "waited" in request.GET:
        return HttpResponse(headers={"HX-Refresh": "true"})
    context = {"project": request.project, "kind": kind, "jobs": jobs, "failed": failed}
    return render(request, "training/_under_way.html", context) if jobs or failed else HttpResponse()
