"""Workers and devices, for an installation admin: who takes jobs, on what, and why a job waits."""

from django.db.models import Prefetch
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.timezone import now
from django.views.decorators.http import require_safe

from annotate.requests import SignedInRequest
from annotate.roles import installation_admin_required
from training import lifecycle
from training.models import Device, Job, Worker
from training.workers import lifetime


@installation_admin_required
@require_safe
def workers(request: SignedInRequest) -> HttpResponse:
    seen = now() - lifetime()
    running = Prefetch("jobs", Job.objects.filter(state=Job.State.RUNNING), to_attr="running")
    found = Worker.objects.prefetch_related(running).order_by("host", "queue", "id")
    context = {
        "alive": [worker for worker in found if worker.seen_at > seen],
        "gone": [worker for worker in found if worker.seen_at <= seen][-10:],
        "devices": Device.objects.select_related("job"),
        "waiting": waiting(),
    }
    return render(request, "training/_workers.html" if request.htmx else "training/workers.html", context)


def waiting(most: int = 20) -> list[tuple[Job, str]]:
    """The first waiting jobs of each queue: why its first waits, and how many stand before the others."""
    queued = Job.objects.filter(state=Job.State.QUEUED).select_related("project").order_by("priority", "id")
    found = []
    for queue in Job.Queue.values:
        for ahead, job in enumerate(queued.filter(queue=queue)[:most]):
            why = f"{ahead} {'job is' if ahead == 1 else 'jobs are'} ahead of it."
            found.append((job, why if ahead else lifecycle.why_waiting(job)))
    return found
