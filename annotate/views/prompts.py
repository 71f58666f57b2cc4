"""The prompts of a project, and one prompt with all that was said to it."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import count, groupby
from typing import Any, NamedTuple

from django.db.models import Prefetch
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from annotate import overview
from annotate.browsing import PromptFilters
from annotate.models import Answer, AnswerBatch, Membership, Prompt, Ranking, RankingTask
from annotate.ranking import to_groups
from annotate.requests import ProjectRequest
from annotate.roles import at_least, project_role
from annotate.views.browse import listing

Role = Membership.Role


class Event(NamedTuple):
    """Something that happened to a prompt."""

    at: datetime
    kind: str
    subject: Any


@project_role(Role.REVIEWER)
@require_safe
def prompts(request: ProjectRequest, slug: str) -> HttpResponse:
    return listing(request, "prompts", PromptFilters(request), overview.prompts_of(request.project), searched=Prompt)


@project_role(Role.REVIEWER)
@require_safe
def prompt(request: ProjectRequest, slug: str, pk: int) -> HttpResponse:
    found = get_object_or_404(request.project.prompts.select_related("origin"), pk=pk)
    rankings = Ranking.objects.select_related("labeler", "withdrawal").order_by("pk")
    tasks = found.ranking_tasks.prefetch_related("task_answers", Prefetch("rankings", rankings)).order_by("pk")
    batches = _by_batch(found.answers.defer("token_ids", "logprobs").select_related("batch"))
    numbers = {answer.pk: number for _, answers in batches for number, answer in answers}
    context = {
        "project": request.project,
        "prompt": found,
        "batches": batches,
        "tasks": [(task, [(each, _in_numbers(each, numbers)) for each in task.rankings.all()]) for task in tasks],
        "history": sorted(_history(found, batches, tasks), key=lambda event: event.at),
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


def _history(
    prompt: Prompt, batches: Iterable[tuple[AnswerBatch, list[tuple[int, Answer]]]], tasks: Iterable[RankingTask]
) -> Iterator[Event]:
    yield Event(prompt.created_at, "added", prompt)
    for _, answers in batches:
        yield Event(min(answer.created_at for _, answer in answers), "answered", answers)
    for task in tasks:
        for ranking in task.rankings.all():
            yield Event(ranking.created_at, "ranked", ranking)
            if hasattr(ranking, "withdrawal"):
                yield Event(ranking.withdrawal.created_at, "withdrawn", ranking)
