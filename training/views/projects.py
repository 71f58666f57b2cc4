"""The page of a project: how far it is, what comes next, what was drawn, learned and launched."""

from collections.abc import Set
from dataclasses import dataclass

from django.contrib import messages
from django.contrib.humanize.templatetags.humanize import intcomma
from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.timezone import now
from django.views.decorators.http import require_POST, require_safe

from annotate import desk_tasks
from annotate.models import Answer, AnswerBatch, Membership, Project, TaskAnswer
from annotate.requests import ProjectRequest
from annotate.roles import at_least, project_role
from training.loop import Loop, loops
from training.models import Job, Sampling
from training.views.home import open_tasks

BATCHES_SHOWN = 50


@dataclass
class Stage:
    """One station of the loop, as the picture shows it."""

    name: str
    count: int
    done: bool
    detail: str = ""
    job: Job | None = None
    """What is at it just now."""
    of: int = 0
    share: float | None = None
    at: str = ""

    def __post_init__(self) -> None:
        self.at = "done" if self.done else "later"


@project_role("labeler")
@require_safe
def project(request: ProjectRequest, slug: str) -> HttpResponse:
    current: Project = request.project
    loop = loops([current], now=now())[current.pk]
    researches = at_least(request.role, Membership.Role.RESEARCHER)
    batch = request.GET.get("batch", "")
    asked = int(batch) if batch.isdecimal() and len(batch) < 19 else None
    context = {
        "project": current,
        "loop": loop,
        "step": loop.next_step(),
        "stages": stages(loop, researches=researches),
        "researches": researches,
        "open_tasks": open_tasks(request.user).get(current.pk, 0),
    }
    if researches:
        context |= {
            "batches": shown_batches(current, chosen := ticked(current, asked)),
            "asked": asked,
            "ticked": chosen,
            "jobs": current.jobs.order_by("-id")[:8],
            "reward_models": current.reward_models.order_by("-id")[:8],
        }
    return render(request, "training/_project.html" if request.htmx else "training/project.html", context)


def shown_batches(project: Project, ticked: Set[int]) -> list[AnswerBatch]:
    """The newest, and those that a link ticks, however old they are."""
    batches = batches_of(project)
    newest = list(batches[:BATCHES_SHOWN])
    older = ticked - {batch.pk for batch in newest}
    return [*newest, *batches.filter(pk__in=older)] if older else newest


def ticked(project: Project, asked: int | None) -> Set[int]:
    """The batch that a link leads to; beside winners, which have one answer a prompt, the policy's own answers too."""
    if asked is None:
        return set()
    drawn = Sampling.objects.filter(batch__project=project)
    winners = drawn.filter(batch=asked, reward_model__isnull=False).first()
    if winners is None:
        return {asked}
    own = drawn.filter(policy=winners.policy, job__kind="sample", job__state=Job.State.SUCCEEDED)
    of_the_same = own.filter(batch__answers__prompt__in=winners.batch.answers.values("prompt")).order_by("-pk")
    return {asked, *of_the_same.values_list("batch", flat=True)[:1]}


def batches_of(project: Project) -> QuerySet[AnswerBatch]:
    """The newest first, with their counts and the job that drew them."""
    answers = Answer.objects.filter(batch=OuterRef("pk"))
    shown = TaskAnswer.objects.filter(answer__batch=OuterRef("pk"))
    return (
        project.answer_batches.select_related("sampling__job")
        .annotate(
            n_answers=_number(answers, "batch", Count("pk")),
            n_prompts=_number(answers, "batch", Count("prompt", distinct=True)),
            n_tasks=_number(shown, "answer__batch", Count("task", distinct=True)),
        )
        .order_by("-id")
    )


def _number(rows: QuerySet, batch: str, aggregate: Count) -> Coalesce:
    counted = rows.order_by().values(batch).annotate(n=aggregate).values("n")
    return Coalesce(Subquery(counted, output_field=IntegerField()), 0)


def stages(loop: Loop, *, researches: bool) -> list[Stage]:
    """The stations that the person has to do with: a labeler sees prompts, answers and rankings, and no job."""
    drawing = loop.at_work("sample") if researches else None
    found = [
        Stage("Prompts", loop.prompts, done=loop.prompts > 0, detail=_splits(loop)),
        Stage("Answers", loop.answers, done=loop.answers > 0, detail=_batches(loop), job=drawing),
        Stage(
            "Rankings",
            loop.rankings,
            done=loop.is_ranked,
            detail=_labelers(loop),
            of=loop.rankings_wanted,
            share=loop.share_ranked if loop.tasks else None,
        ),
    ]
    if researches and loop.project.purpose == Project.Purpose.TRAINING:
        reward, best = loop.at_work("reward"), loop.at_work("best_of_n")
        found += [
            Stage("Reward models", loop.reward_models, done=loop.reward_models > 0, job=reward),
            Stage("Best of N", loop.best_of_n, done=loop.best_of_n > 0, job=best),
        ]
    now_at = next((stage for stage in found if not stage.done), None)
    if now_at is not None:
        now_at.at = "now"
    return found


def _splits(loop: Loop) -> str:
    if not loop.prompts:
        return ""
    return f"{intcomma(loop.train_prompts)} to train on, {intcomma(loop.test_prompts)} to test"


def _batches(loop: Loop) -> str:
    return f"in {loop.batches} batch{'' if loop.batches == 1 else 'es'}" if loop.batches else ""


def _labelers(loop: Loop) -> str:
    if not loop.tasks:
        return ""
    people = f"{loop.labelers} labeler{'' if loop.labelers == 1 else 's'}"
    return f"{people}, {loop.labelers_active} at work" if loop.labelers_active else people


@project_role("researcher")
@require_POST
def send_to_desk(request: ProjectRequest, slug: str) -> HttpResponse:
    """Make ranking tasks of the chosen batches: of each prompt one, from its answers in all of them."""
    chosen = [int(pk) for pk in request.POST.getlist("batch") if pk.isdecimal()]
    batches = list(request.project.answer_batches.filter(pk__in=chosen).order_by("id"))
    if not batches:
        messages.error(request, "Choose at least one batch of answers.")
    else:
        report = desk_tasks.send_to_desk(batches=batches)
        words = str(report)
        if report.too_alike and not report.made + report.there_already and len(batches) == 1:
            words += " Tick another batch beside it."
        messages.add_message(request, messages.SUCCESS if report.made else messages.INFO, words)
    return redirect(reverse("project", args=[slug]) + "#batches")


@project_role(Membership.Role.RESEARCHER)
@require_safe
def batch_origin(request: ProjectRequest, slug: str, pk: int) -> HttpResponse:
    """Fills a slot on the page of an answer: the job and the policy that drew its batch."""
    batch = get_object_or_404(request.project.answer_batches, pk=pk)
    drawn = Sampling.objects.filter(batch=batch).select_related("policy").first()
    return render(request, "training/_batch_origin.html", {"sampling": drawn})
