"""The prompts of a project, and one prompt with all that was said to it."""

from collections.abc import Iterable, Mapping
from itertools import count, groupby

from django.db.models import Prefetch
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from annotate import overview
from annotate.models import Answer, AnswerBatch, Membership, Prompt, Ranking
from annotate.paging import keyset_page
from annotate.ranking import to_groups
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
    tasks = found.ranking_tasks.prefetch_related("task_answers", Prefetch("rankings", rankings)).order_by("pk")
    batches = _by_batch(found.answers.defer("token_ids", "logprobs").select_related("batch"))
    numbers = {answer.pk: number for _, answers in batches for number, answer in answers}
    context = {
        "project": request.project,
        "prompt": found,
        "batches": batches,
        "tasks": [(task, [(each, _in_numbers(each, numbers)) for each in task.rankings.all()]) for task in tasks],
        "shows_sources": at_least(request.role, Role.RESEARCHER),
    }
    return render(request, "annotate/prompt.html", context)


def _by_batch(answers: Iterable[Answer]) -> list[tuple[AnswerBatch, list[tuple[int, Answer]]]]:
    """With a number for each answer, counted over the whole page."""
    ordered = sorted(answers, key=lambda answer: (answer.batch_id, answer.index))
    numbers = count(1)
    groups = [list(group) for _, group in groupby(ordered, key=lambda answer: answer.batch_id)]
    return [(group[0].batch, [(next(numbers), answer) for answer in group]) for group in groups]


def _in_numbers(ranking: Ranking, numbers: Mapping[int, int]) -> list[list[int]]:
    """Not in letters: those of two labelers mean different answers, and here their rankings stand together."""
    return to_groups(dict(sorted((numbers[answer], rank) for answer, rank in ranking.by_answer().items())))
