"""What a reward model said of a job's answers, by prompt: of a batch that was scored, of a pool with its winner."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from django.db.models import QuerySet

from annotate import charts
from annotate.models import Answer, AnswerBatch, Prompt
from rewards.models import Score
from training.models import Job

DRAWN = 20_000
"""Scores in a picture at most, the newest."""


@dataclass(frozen=True)
class ScoredPrompt:
    """A prompt with the best and the worst of its answers; without the worst where there is one answer only."""

    prompt: Prompt
    best: Answer
    best_score: float
    worst: Answer | None
    worst_score: float
    mean: float
    count: int


def scores_of(job: Job) -> QuerySet[Score]:
    """Of the answers that the job scored, as they stand now; none before the job has ended."""
    scores = Score.objects.filter(reward_model=job.inputs.get("reward_model"))
    if job.kind == "score" and job.state == Job.State.SUCCEEDED:
        return scores.filter(answer__batch=job.inputs.get("batch"))
    if job.kind == "best_of_n" and job.is_finished:
        return scores.filter(answer__batch__sampling__job=job, answer__batch__sampling__reward_model=None)
    return scores.none()


def prompts_of(job: Job) -> QuerySet[Prompt]:
    return Prompt.objects.filter(pk__in=scores_of(job).values("answer__prompt"))


def by_prompt(job: Job, prompts: Sequence[Prompt]) -> list[ScoredPrompt]:
    """Of equal scores the answer that was drawn first counts as the better one, as for the job itself."""
    found: dict[int, list[tuple[float, int]]] = defaultdict(list)
    rows = scores_of(job).filter(answer__prompt__in=prompts).order_by("-value", "answer__index")
    for prompt, value, answer in rows.values_list("answer__prompt", "value", "answer"):
        found[prompt].append((value, answer))
    ends = {answer for pairs in found.values() for _, answer in (pairs[0], pairs[-1])}
    answers = Answer.objects.only("text").in_bulk(ends)
    return [
        ScoredPrompt(
            prompt=prompt,
            best=answers[pairs[0][1]],
            best_score=pairs[0][0],
            worst=answers[pairs[-1][1]] if len(pairs) > 1 else None,
            worst_score=pairs[-1][0],
            mean=fmean(value for value, _ in pairs),
            count=len(pairs),
        )
        for prompt in prompts
        if (pairs := found[prompt.pk])
    ]


def spread(scores: QuerySet[Score]) -> charts.HistogramPicture | None:
    return charts.histogram(list(scores.order_by("-id").values_list("value", flat=True)[:DRAWN]))


def winners_of(job: Job) -> AnswerBatch | None:
    """The batch of the job's winners, once it has one to show."""
    batches = AnswerBatch.objects.filter(sampling__job=job, sampling__reward_model__isnull=False)
    return batches.filter(answers__isnull=False).select_related("project").first()
