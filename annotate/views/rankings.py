"""What people said: all rankings for a reviewer, one's own for everybody."""

from typing import NamedTuple

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.timezone import localtime
from django.views.decorators.http import require_safe

from annotate.models import Answer, Comparison, Membership, Ranking
from annotate.paging import keyset_page
from annotate.roles import at_least, project_role

Role = Membership.Role


class Placed(NamedTuple):
    """An answer as the ranking placed it."""

    rank: int
    tied: bool
    letter: str
    answer: Answer


@project_role(Role.REVIEWER)
@require_safe
def rankings(request: HttpRequest, slug: str) -> HttpResponse:
    found = _rankings(request)
    labeler = None
    if request.GET.get("labeler"):
        labeler = get_object_or_404(request.project.labelers, pseudonym=request.GET["labeler"].replace("\x00", ""))
        found = found.filter(labeler=labeler)
    context = {"project": request.project, "page": keyset_page(found, request), "labeler": labeler}
    return render(request, "annotate/rankings.html", context)


@project_role(Role.LABELER)
@require_safe
def ranking(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """A labeler opens their own; a reviewer all. Sources stay hidden from whoever may still rank blind."""
    found = _rankings(request)
    if not at_least(request.role, Role.REVIEWER):
        found = found.filter(labeler__user=request.user)
    shown = get_object_or_404(found.select_related("assignment"), pk=pk)
    judged = shown.comparisons.filter(kind=Comparison.Kind.JUDGED).order_by("pk")
    context = {
        "project": request.project,
        "ranking": shown,
        "placed": _placed(shown),
        "judged": judged,
        "reviews": at_least(request.role, Role.REVIEWER),
        "shows_sources": at_least(request.role, Role.RESEARCHER),
    }
    return render(request, "annotate/ranking.html", context)


@project_role(Role.LABELER)
@require_safe
def my_work(request: HttpRequest, slug: str) -> HttpResponse:
    own = _rankings(request).filter(labeler__user=request.user)
    standing = own.standing()
    midnight = localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    context = {
        "project": request.project,
        "page": keyset_page(own, request),
        "n_today": standing.filter(created_at__gte=midnight).count(),
        "n_all": standing.count(),
        "last": standing.order_by("-pk").first(),
    }
    return render(request, "annotate/my_work.html", context)


def _rankings(request: HttpRequest) -> QuerySet[Ranking]:
    rows = Ranking.objects.filter(task__project=request.project)
    return rows.select_related("task__prompt", "labeler", "withdrawal")


def _placed(ranking: Ranking) -> list[Placed]:
    """Best first; letters are the task's positions, as exports and lists have them."""
    rows = ranking.task.task_answers.select_related("answer__batch").defer("answer__token_ids", "answer__logprobs")
    placed = [
        Placed(rank, ranking.ranks.count(rank) > 1, chr(ord("A") + row.position), row.answer)
        for row, rank in zip(rows, ranking.ranks, strict=True)
    ]
    return sorted(placed, key=lambda one: (one.rank, one.letter))
