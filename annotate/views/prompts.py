"""The prompts of a project, and one prompt with all that was said to it."""

from collections.abc import Iterable
from itertools import groupby

from django.db.models import Prefetch
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from annotate import overview
from annotate.models import Answer, AnswerBatch, Membership, Prompt, Ranking
from annotate.paging import keyset_page
from annotate.requests import ProjectRequest
from annotate.roles import at_least, project_role

Role = Membership.Role
LONGEST_SEARCH = 200


@project_role(Role.REVIEWER)
@require_safe
def prompts(request: ProjectRequest, slug: str) -> HttpResponse:
    split = request.GET.get("split", "")
    text = request.GET.get("q", "").replace("\x00", "").strip()[:LONGEST_SEARCH]
    found = overview.prompts_of(request.project, split=split if split in Prompt.Split.values else "", text=text)
    context = {
        "project": request.project,
        "page": keyset_page(found, request),
        "splits": Prompt.Split.choices,
        "split": split,
        "text": text,
        "may_import": at_least(request.role, Role.RESEARCHER),
    }
    template = "annotate/_prompts.html" if request.htmx else "annotate/prompts.html"
    return render(request, template, context)


@project_role(Role.REVIEWER)
@require_safe
def prompt(request: ProjectRequest, slug: str, pk: int) -> HttpResponse:
    found = get_object_or_404(request.project.prompts, pk=pk)
    rankings = Ranking.objects.select_related("labeler", "withdrawal").order_by("pk")
    tasks = found.ranking_tasks.select_related("batch").prefetch_related(Prefetch("rankings", rankings)).order_by("pk")
    context = {
        "project": request.project,
        "prompt": found,
        "batches": _by_batch(found.answers.defer("token_ids", "logprobs").select_related("batch")),
        "tasks": tasks,
        "shows_sources": at_least(request.role, Role.RESEARCHER),
    }
    return render(request, "annotate/prompt.html", context)


def _by_batch(answers: Iterable[Answer]) -> list[tuple[AnswerBatch, list[Answer]]]:
    ordered = sorted(answers, key=lambda answer: (answer.batch_id, answer.index))
    groups = [list(group) for _, group in groupby(ordered, key=lambda answer: answer.batch_id)]
    return [(group[0].batch, group) for group in groups]
