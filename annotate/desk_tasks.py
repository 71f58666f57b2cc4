"""Ranking tasks for the desk, from answers that are there: at most nine of a prompt, and equal texts once."""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import astuple, dataclass

from django.db import transaction
from django.db.models import Count, Exists, OuterRef

from annotate import pairing
from annotate.models import Answer, AnswerBatch, Project, RankingTask, TaskAnswer
from annotate.ranking import LEAST_ANSWERS, MOST_AT_THE_DESK

CHUNK = 500
"""Prompts at a time."""


@dataclass
class DeskReport:
    """What was made of the prompts, in numbers and as a sentence."""

    made: int = 0
    there_already: int = 0
    too_alike: int = 0
    """Prompts with fewer than two different answers: nothing to rank."""
    shortened: int = 0
    """Prompts with more different answers than the desk shows."""

    def __add__(self, other: "DeskReport") -> "DeskReport":
        return DeskReport(*(one + more for one, more in zip(astuple(self), astuple(other), strict=True)))

    def __str__(self) -> str:
        if self.there_already and not self.made + self.too_alike:
            return "No ranking task was made: every prompt has its task already."
        said = [f"{_tasks(self.made)} made." if self.made else "No ranking task was made."]
        if self.there_already:
            said.append(f"{_tasks(self.there_already)} there already.")
        return " ".join([*said, *self.remarks])

    @property
    def remarks(self) -> list[str]:
        """What did not come as one may have expected."""
        said = []
        if self.too_alike:
            said.append(f"{_prompts(self.too_alike)} fewer than two different answers, so there is nothing to rank.")
        if self.shortened:
            said.append(f"{_prompts(self.shortened)} more than {MOST_AT_THE_DESK} answers; the desk shows the first.")
        return said


@transaction.atomic
def make_ranking_tasks(batch: AnswerBatch, prompts: Collection[int] | None = None) -> DeskReport:
    """One task for each prompt of the batch (of these ids, or all) whose answers are complete and that has none yet.

    Repeat it at will."""
    _lock([batch])
    has_task = RankingTask.objects.filter(batch=batch, prompt=OuterRef("prompt"), repeat_of=None)
    answers = batch.answers.all() if prompts is None else batch.answers.filter(prompt__in=prompts)
    complete = (
        answers.filter(~Exists(has_task))
        .order_by("prompt")
        .values_list("prompt", flat=True)
        .annotate(n=Count("pk"))
        .filter(n__gte=batch.answers_wanted)
    )
    report = DeskReport()
    for chunk in _chunks(list(complete)):
        _make(batch.project, _choose([batch], chunk, report), report, batch=batch)
    return report


@transaction.atomic
def send_to_desk(batches: Sequence[AnswerBatch], prompts: Sequence[int] | None = None) -> DeskReport:
    """One task for each prompt (of these ids, or all) from its answers in all the batches, which take turns.

    A prompt that has a task of just these answers gets no second one."""
    project = batches[0].project
    if any(batch.project_id != project.pk for batch in batches):
        raise ValueError("Batches of one project can be ranked together, not of several.")
    _lock(batches)
    answered = Answer.objects.filter(batch__in=batches)
    if prompts is not None:
        answered = answered.filter(prompt__in=prompts)
    report = DeskReport()
    for chunk in _chunks(list(answered.order_by("prompt").values_list("prompt", flat=True).distinct())):
        chosen = _choose(batches, chunk, report)
        there = _answer_sets(chunk)
        new = {prompt: answers for prompt, answers in chosen.items() if frozenset(answers) not in there[prompt]}
        report.there_already += len(chosen) - len(new)
        _make(project, new, report)
    return report


def _lock(batches: Sequence[AnswerBatch]) -> None:
    """Two that make tasks of the same batch at once would make them twice: the second waits, and then sees them."""
    rows = AnswerBatch.objects.filter(pk__in=[batch.pk for batch in batches])
    list(rows.select_for_update(no_key=True).order_by("pk").values_list("pk"))


def _choose(batches: Sequence[AnswerBatch], prompts: Sequence[int], report: DeskReport) -> dict[int, list[int]]:
    """The answers to show together, by prompt. Texts that differ in white space at the ends only look the same.

    Only their hashes are kept: the texts of all these prompts together may be more than the memory holds."""
    found: dict[int, dict[int, list[tuple[int, str]]]] = defaultdict(lambda: {batch.pk: [] for batch in batches})
    rows = Answer.objects.filter(batch__in=batches, prompt__in=prompts).order_by("prompt", "index")
    for prompt, batch, answer, text in rows.values_list("prompt", "batch", "pk", "text").iterator(chunk_size=50):
        found[prompt][batch].append((answer, hashlib.sha256(text.strip().encode()).hexdigest()))
    chosen = {}
    for prompt, by_batch in found.items():
        together = pairing.shown_together(list(by_batch.values()))
        if len(together) < LEAST_ANSWERS:
            report.too_alike += 1
            continue
        different = {text for answers in by_batch.values() for _, text in answers}
        report.shortened += len(different) > len(together)
        chosen[prompt] = together
    return chosen


def _answer_sets(prompts: Sequence[int]) -> dict[int, set[frozenset[int]]]:
    """The sets of answers that are in tasks already, by prompt."""
    tasks: dict[tuple[int, int], set[int]] = defaultdict(set)
    rows = TaskAnswer.objects.filter(task__prompt__in=prompts, task__repeat_of=None)
    for prompt, task, answer in rows.order_by().values_list("task__prompt", "task", "answer"):
        tasks[prompt, task].add(answer)
    there: dict[int, set[frozenset[int]]] = defaultdict(set)
    for (prompt, _), answers in tasks.items():
        there[prompt].add(frozenset(answers))
    return there


def _make(
    project: Project, chosen: dict[int, list[int]], report: DeskReport, *, batch: AnswerBatch | None = None
) -> None:
    wanted = project.rankings_wanted
    tasks = RankingTask.objects.bulk_create(
        RankingTask(project=project, prompt_id=prompt, batch=batch, rankings_wanted=wanted, open_slots=wanted)
        for prompt in chosen
    )
    TaskAnswer.objects.bulk_create(
        TaskAnswer(task=task, answer_id=answer, position=position)
        for task in tasks
        for position, answer in enumerate(chosen[task.prompt_id])
    )
    report.made += len(tasks)


def _chunks(prompts: Sequence[int]) -> Iterator[Sequence[int]]:
    return (prompts[start : start + CHUNK] for start in range(0, len(prompts), CHUNK))


def _tasks(count: int) -> str:
    return f"{count} ranking task was" if count == 1 else f"{count} ranking tasks were"


def _prompts(count: int) -> str:
    return f"{count} prompt has" if count == 1 else f"{count} prompts have"
