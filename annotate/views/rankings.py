"""What people said: all rankings for a reviewer, one's own for everybody."""

from typing import NamedTuple

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.timezone import localtime
from django.views.decorators.http import require_safe

from annotate.models import Answer, Comparison, Membership, Ranking
from annotate.models.tasks import RankingQuerySet
from annotate.paging import keyset_page
from annotate.requests import ProjectRequest
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
def rankings(request: ProjectRequest, slug: str) -> HttpResponse:
    found = _rankings(request)
    labeler = None
    if request.GET.get("labeler"):
        labeler = get_object_or_404(request.project.labelers, pseudonym=request.GET["labeler"].replace("\x00", ""))
        found = found.filter(labeler=labeler)
    context = {"project": request.project, "page": keyset_page(found, request), "labeler": labeler}
    return render(request, "annotate/rankings.html", context)


@project_role(Role.LABELER)
@require_safe
def ranking(request: ProjectRequest, slug: str, pk: int) -> HttpResponse:
    """A labeler opens their own; a reviewer all. Sources stay hidden from whoever may still rank blind."""
    found = _rankings(request)
    if not at_least(request.role, Role.REVIEWER):
        found = found.filter(labeler__user=request.user)
    shown = get_object_or_404(found.select_related("assignment"), pk=pk)
    reviews = at_least(request.role, Role.REVIEWER)
    placed = _placed(shown, as_shown=not reviews)
    judged = shown.comparisons.filter(kind=Comparison.Kind.JUDGED).order_by("pk")
    context = {
        "project": request.project,
        "ranking": shown,
        "placed": placed,
        "ranks": [one.rank for one in sorted(placed, key=lambda one: one.letter)],
        "judged": judged,
        "reviews": reviews,
        "shows_sources": at_least(request.role, Role.RESEARCHER),
    }
    return render(request, "annotate/ranking.html", context)


@project_role(Role.LABELER)
@require_safe
def my_work(request: ProjectRequest, slug: str) -> HttpResponse:
    own = _rankings(request).filter(labeler__user=request.user)
    standing = own.standing()
    page = keyset_page(own.select_related("assignment").prefetch_related("task__task_answers"), request)
    midnight = localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    context = {
        "project": request.project,
        "page": page,
        "rows": [(ranking, _ranks_as_shown(ranking)) for ranking in page.rows],
        "n_today": standing.filter(created_at__gte=midnight).count(),
        "n_all": standing.count(),
        "last": standing.order_by("-pk").first(),
    }
    return render(request, "annotate/my_work.html", context)


def _rankings(request: ProjectRequest) -> RankingQuerySet:
    rows = Ranking.objects.filter(task__project=request.project)
    return rows.select_related("task__prompt", "labeler", "withdrawal")


def _ranks_as_shown(ranking: Ranking) -> list[int]:
    """In the order, and so under the letters, that this labeler had at the desk."""
    by_answer = {row.answer_id: rank for row, rank in zip(ranking.task.task_answers.all(), ranking.ranks, strict=True)}
    return [by_answer[answer] for answer in _shown_order(ranking, list(by_answer))]


def _placed(ranking: Ranking, *, as_shown: bool) -> list[Placed]:
    """Best first. The letters are the task's positions, as lists and exports have them, or the labeler's own."""
    rows = ranking.task.task_answers.select_related("answer__batch").defer("answer__token_ids", "answer__logprobs")
    answers = {row.answer_id: row.answer for row in rows}
    order = _shown_order(ranking, list(answers)) if as_shown else list(answers)
    placed = [
        Placed(rank, ranking.ranks.count(rank) > 1, chr(ord("A") + order.index(pk)), answer)
        for (pk, answer), rank in zip(answers.items(), ranking.ranks, strict=True)
    ]
    return sorted(placed, key=lambda one: (one.rank, one.letter))


def _shown_order(ranking: Ranking, answers: list[int]) -> list[int]:
    """Imported rankings were shown to nobody here: the task's own order."""
    return ranking.assignment.order if ranking.assignment else answers
