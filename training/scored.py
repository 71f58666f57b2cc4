"""What a reward model said of a job's answers, by prompt: of a batch that was scored, of a pool with its winner."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from django.db.models import QuerySet

from annotate import charts
from annotate.models import Answer, AnswerBatch, Import, Prompt
from rewards.models import Score
from training import benchmarked, drawn
from training.models import Job

DRAWN = 20_000
"""Scores in a picture at most, the newest."""


@dataclass(frozen=True)
class ScoredPrompt:
    """A prompt with the best of its answers, and with the worst where a batch was scored that has more than one."""

    prompt: Prompt
    best: Answer
    best_score: float | None
    worst: Answer | None
    worst_score: float | None
    mean: float | None
    """Of all its answers that have a score now, `count` of them."""
    count: int


def scores_of(job: Job) -> QuerySet[Score]:
    """Of the answers that the job scored, as they stand now; none before the job has ended."""
    scores = Score.objects.filter(reward_model=job.inputs.get("reward_model"))
    if job.kind == "score" and job.state == Job.State.SUCCEEDED and "import" in job.inputs:
        origin = Import.objects.filter(pk=job.inputs["import"]).first()
        return scores.filter(answer__in=benchmarked.answers_of(origin)) if origin else scores.none()
    if job.kind == "score" and job.state == Job.State.SUCCEEDED:
        return scores.filter(answer__batch=job.inputs.get("batch"))
    if job.kind == "best_of_n" and job.is_finished:
        return scores.filter(answer__in=drawn.drawn_answers(job))
    return scores.none()


def prompts_of(job: Job) -> QuerySet[Prompt]:
    """Those whose answers the job scored; of a job that picks, those that have a winner."""
    if job.kind == "best_of_n" and job.is_finished:
        return Prompt.objects.filter(pk__in=drawn.winners(job).values("prompt"))
    return Prompt.objects.filter(pk__in=scores_of(job).values("answer__prompt"))


def by_prompt(job: Job, prompts: Sequence[Prompt]) -> list[ScoredPrompt]:
    found: dict[int, list[tuple[float, int]]] = defaultdict(list)
    rows = scores_of(job).filter(answer__prompt__in=prompts).order_by("-value", "answer__index")
    for prompt, value, answer in rows.values_list("answer__prompt", "value", "answer"):
        found[prompt].append((value, answer))
    return _winners(job, prompts, found) if job.kind == "best_of_n" else _ends(prompts, found)


def _winners(job: Job, prompts: Sequence[Prompt], found: dict[int, list[tuple[float, int]]]) -> list[ScoredPrompt]:
    """As the job chose them, each with the score that it was chosen for: those of now may be others."""
    chosen = drawn.winners(job).filter(prompt__in=prompts).only("prompt", "text", "metadata")
    winners = {answer.prompt_id: answer for answer in chosen}
    return [
        ScoredPrompt(
            prompt=prompt,
            best=winners[prompt.pk],
            best_score=winners[prompt.pk].metadata.get("score"),
            worst=None,
            worst_score=None,
            mean=_mean(found[prompt.pk]),
            count=len(found[prompt.pk]),
        )
        for prompt in prompts
        if prompt.pk in winners
    ]


def _ends(prompts: Sequence[Prompt], found: dict[int, list[tuple[float, int]]]) -> list[ScoredPrompt]:
    ends = {answer for pairs in found.values() for _, answer in (pairs[0], pairs[-1])}
    answers = Answer.objects.only("text").in_bulk(ends)
    return [
        ScoredPrompt(
            prompt=prompt,
            best=answers[pairs[0][1]],
            best_score=pairs[0][0],
            worst=answers[pairs[-1][1]] if len(pairs) > 1 else None,
            worst_score=pairs[-1][0],
            mean=_mean(pairs),
            count=len(pairs),
        )
        for prompt in prompts
        if (pairs := found[prompt.pk])
    ]


def _mean(pairs: Sequence[tuple[float, int]]) -> float | None:
    return fmean(value for value, _ in pairs) if pairs else None


def spread(scores: QuerySet[Score]) -> charts.HistogramPicture | None:
    return charts.histogram(list(scores.order_by("-id").values_list("value", flat=True)[:DRAWN]))


def winners_of(job: Job) -> AnswerBatch | None:
    """The batch of the job's winners, once it has one to show."""
    batches = AnswerBatch.objects.filter(sampling__job=job, sampling__reward_model__isnull=False)
    return batches.filter(answers__isnull=False).select_related("project").first()
