"""The first page: what is here for the person to do."""

from dataclasses import dataclass

from django.db.models import Count, Exists, OuterRef, Q
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.timezone import now
from django.views.decorators.http import require_safe

from annotate.models import Assignment, Membership, Project, RankingTask, User
from annotate.requests import SignedInRequest
from annotate.roles import at_least
from training.access import jobs_of, reward_models_of
from training.loop import Loop, loops


@dataclass(frozen=True)
class Work:
    """One project, as its card on the page needs it."""

    loop: Loop
    role: str
    open_tasks: int

    @property
    def project(self) -> Project:
        return self.loop.project

    @property
    def researches(self) -> bool:
        return at_least(self.role, Membership.Role.RESEARCHER)


@require_safe
def home(request: SignedInRequest) -> HttpResponse:
    work = work_of(request.user)
    running = jobs_of(request.user).unfinished().select_related("project").order_by("-state", "priority", "id")[:8]
    context = {
        "work": work,
        "running": list(running),
        "latest": reward_models_of(request.user).select_related("project").first(),
        "researches": any(one.researches for one in work) or request.user.is_installation_admin,
    }
    return render(request, "training/_home.html" if request.htmx else "training/home.html", context)


def work_of(user: User) -> list[Work]:
    """The person's projects, those with tasks to rank first."""
    projects = list(Project.objects.visible_to(user))
    roles = dict(Membership.objects.filter(user=user).values_list("project", "role"))
    if user.is_installation_admin:
        roles = {project.pk: Membership.Role.ADMIN.value for project in projects}
    standing, tasks = loops(projects, now=now()), open_tasks(user)
    work = [Work(standing[project.pk], roles[project.pk], tasks.get(project.pk, 0)) for project in projects]
    return sorted(work, key=lambda one: (one.open_tasks == 0, one.project.name))


def open_tasks(user: User) -> dict[int, int]:
    """How many tasks this person could rank now, by project: the one in hand, and those with a free slot."""
    mine = Assignment.objects.filter(task=OuterRef("pk"), labeler__user=user)
    had = mine.exclude(state=Assignment.State.LAPSED)
    tasks = RankingTask.objects.filter(Q(reserved_for=None) | Q(reserved_for__user=user)).filter(
        Exists(mine.open()) | (Q(open_slots__gt=0) & ~Exists(had))
    )
    return dict(tasks.order_by().values_list("project").annotate(Count("pk")))
