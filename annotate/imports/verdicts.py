"""Rankings that came in, a chunk at a time: their answers, their tasks, and what is odd about them.

An answer is the same if prompt, source and text are; of equal texts in one ranking each is another answer. A task is
the same if its answers are: only so do several people's rankings of them meet."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations
from uuid import NAMESPACE_URL, uuid5

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import F, OuterRef
from django.utils.timezone import now

from annotate import ranking
from annotate.copying import copy_in
from annotate.formats.rows import RankedRow, digest
from annotate.imports.file import FileImport
from annotate.imports.prompts import add_answers
from annotate.models import Answer, Comparison, Labeler, Prompt, Ranking, RankingTask, TaskAnswer

EQUAL_TEXTS = "equal_texts"
CONTRADICTED = "contradicted"

Key = tuple[int, str, str]
"""A prompt, a source and a text."""


@dataclass(frozen=True)
class Verdict:
    """One ranking of the file."""

    place: str
    """In the file: its line, and its number within that."""
    prompt: Prompt
    row: RankedRow
    sources: Sequence[str]
    labeler: Labeler

    @property
    def keys(self) -> list[Key]:
        return [(self.prompt.pk, source, text) for source, text in zip(self.sources, self.row.answers, strict=True)]

    @property
    def has_equal_texts(self) -> bool:
        return len({text.strip() for text in self.row.answers}) < len(self.row.answers)


@dataclass
class Task:
    pk: int
    answers: list[int]
    """In the order of their positions."""
    rankings: list["Standing"]
    """Given so far, also within this chunk."""
    added: int = 0


@dataclass
class Standing:
    """A ranking that is in the project, as far as another one is held against it."""

    labeler: int
    ranks: list[int]
    created_at: datetime
    origin: int | None
    ranking: Ranking | None = None
    """Where it is new in this chunk."""
    pk: int | None = None
    withdrawn: bool = False


def store_verdicts(importing: FileImport, verdicts: Sequence[Verdict]) -> None:
    if not verdicts:
        return
    answers = _answers(importing, verdicts)
    tasks = _tasks(importing, verdicts, answers)
    store = _Rankings(importing)
    for verdict, ids in zip(verdicts, answers, strict=True):
        store.take(verdict, tasks[frozenset(ids)], ids)
    store.save(tasks.values())


def _answers(importing: FileImport, verdicts: Sequence[Verdict]) -> list[list[int]]:
    """The ids of each verdict's answers: found, or added to the import's batch of their source."""
    wanted: Counter[Key] = Counter()
    for verdict in verdicts:
        wanted |= Counter(verdict.keys)
    there = _known_answers(wanted)
    missing: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for (prompt, source, text), count in wanted.items():
        missing[source] += [(prompt, text)] * (count - len(there[prompt, source, text]))
    for source, pairs in missing.items():
        ids = add_answers(importing.batch(source), pairs) if pairs else []
        for (prompt, text), pk in zip(pairs, ids, strict=True):
            there[prompt, source, text].append(pk)
        importing.report.answers += len(pairs)
    return [_each(verdict.keys, there) for verdict in verdicts]


def _known_answers(wanted: Mapping[Key, int]) -> dict[Key, list[int]]:
    found: dict[Key, list[int]] = defaultdict(list)
    prompts, sources = {prompt for prompt, _, _ in wanted}, {source for _, source, _ in wanted}
    there = Answer.objects.filter(prompt__in=prompts, batch__source_name__in=sources).order_by("pk")
    for pk, *key in there.values_list("pk", "prompt", "batch__source_name", "text").iterator():
        if (of_answer := tuple(key)) in wanted:
            found[of_answer].append(pk)  # type: ignore[index]
    return found


def _each(keys: Iterable[Key], there: Mapping[Key, Sequence[int]]) -> list[int]:
    met: Counter[Key] = Counter()
    ids = []
    for key in keys:
        ids.append(there[key][met[key]])
        met[key] += 1
    return ids


def _tasks(
    importing: FileImport, verdicts: Sequence[Verdict], answers: Sequence[Sequence[int]]
) -> dict[frozenset[int], Task]:
    tasks = _known_tasks(importing, answers)
    new: dict[frozenset[int], tuple[RankingTask, Sequence[int]]] = {}
    for verdict, ids in zip(verdicts, answers, strict=True):
        if (key := frozenset(ids)) not in tasks and key not in new:
            flags = [EQUAL_TEXTS] if verdict.has_equal_texts else []
            of_row = {"project": importing.project, "prompt": verdict.prompt, "flags": flags}
            new[key] = RankingTask(rankings_wanted=0, open_slots=0, **of_row), ids
    RankingTask.objects.bulk_create(task for task, _ in new.values())
    rows = [(task.pk, answer, position) for task, ids in new.values() for position, answer in enumerate(ids)]
    copy_in(TaskAnswer, ("task", "answer", "position"), rows)
    importing.report.ranked_tasks += len(new)
    return tasks | {key: Task(task.pk, list(ids), []) for key, (task, ids) in new.items()}


def _known_tasks(importing: FileImport, answers: Sequence[Sequence[int]]) -> dict[frozenset[int], Task]:
    """With their rankings. A task of the same answers has the same first one."""
    wanted = {frozenset(ids) for ids in answers}
    of_task = TaskAnswer.objects.filter(task=OuterRef("pk")).order_by("position").values("answer")
    there = (
        RankingTask.objects.filter(
            project=importing.project, repeat_of=None, task_answers__answer__in={min(ids) for ids in wanted}
        )
        .order_by("-pk")
        .values_list("pk", ArraySubquery(of_task))
    )
    tasks = {frozenset(ids): Task(pk, ids, []) for pk, ids in there if frozenset(ids) in wanted}
    by_pk = {task.pk: task for task in tasks.values()}
    rankings = Ranking.objects.filter(task__in=by_pk).order_by("pk")
    columns = ("task", "labeler", "ranks", "created_at", "origin", "pk", "withdrawal")
    for task, labeler, ranks, created_at, origin, pk, withdrawal in rankings.values_list(*columns):
        standing = Standing(labeler, ranks, created_at, origin, pk=pk, withdrawn=withdrawal is not None)
        by_pk[task].rankings.append(standing)
    return tasks


class _Rankings:
    """The rankings of a chunk, each held against those that its task has."""

    def __init__(self, importing: FileImport) -> None:
        self._importing, self._report = importing, importing.report
        self._new: list[Ranking] = []
        self._comparisons: list[tuple[Ranking, int, ranking.Pair]] = []
        self._flagged: set[int] = set()

    def take(self, verdict: Verdict, task: Task, ids: Sequence[int]) -> None:
        by_answer = dict(zip(ids, verdict.row.ranks, strict=True))
        ranks = [by_answer[answer] for answer in task.answers]
        same = [each for each in task.rankings if each.labeler == verdict.labeler.pk and each.ranks == ranks]
        origin, said_at = self._importing.record.pk, verdict.row.created_at
        is_known = verdict.labeler.pseudonym != Labeler.UNKNOWN
        # Nobody knows whether two who are not named are one: only the moment tells that it was the same ranking.
        moments = {said_at} if said_at or not is_known else {each.created_at for each in same}
        if any(each.origin != origin and each.created_at in moments and not each.withdrawn for each in same):
            self._report.there_already += 1
            return
        new = self._ranking(verdict, task, ranks)
        self._report.rankings += 1
        self._report.repeats += any(each.origin == origin for each in same)
        self._report.equal_texts += verdict.has_equal_texts
        self._hold_against(task, new, is_known=is_known)
        task.rankings.append(Standing(new.labeler_id, ranks, new.created_at, origin, ranking=new))
        task.added += 1
        self._new.append(new)
        self._comparisons += [(new, verdict.prompt.pk, pair) for pair in ranking.comparisons(by_answer)]

    def _ranking(self, verdict: Verdict, task: Task, ranks: list[int]) -> Ranking:
        record, row = self._importing.record, verdict.row
        name = f"{self._importing.project.pk} {record.sha256} {verdict.place}"
        return Ranking(
            task_id=task.pk,
            labeler=verdict.labeler,
            ranks=ranks,
            strength=row.strength,
            submission_id=uuid5(NAMESPACE_URL, name),
            payload_sha256=digest([task.answers, ranks, row.strength]),
            metadata={key: value for key, value in row.metadata.items() if value is not None},
            origin=record,
            created_at=row.created_at or now(),
            flags=[],
        )

    def _hold_against(self, task: Task, new: Ranking, *, is_known: bool) -> None:
        """Who says two opposite things contradicts themselves; two people who do only disagree."""
        opposite: set[tuple[int, int]] = set()
        for each in task.rankings:
            if each.withdrawn or not (pairs := _opposite(each.ranks, new.ranks)):
                continue
            if is_known and each.labeler == new.labeler_id:
                self._flag(each, new)
            else:
                opposite |= pairs
        self._report.contradicted += CONTRADICTED in new.flags
        self._report.disputed += len(opposite)

    def _flag(self, earlier: Standing, new: Ranking) -> None:
        """Both: none can tell which of the two was meant."""
        new.flags = [CONTRADICTED]
        if earlier.ranking is not None:
            earlier.ranking.flags = [CONTRADICTED]
        elif earlier.pk is not None:
            self._flagged.add(earlier.pk)

    def save(self, tasks: Iterable[Task]) -> None:
        Ranking.objects.bulk_create(self._new)
        rows = ((new.pk, prompt, Comparison.Kind.IMPLIED.value, *pair) for new, prompt, pair in self._comparisons)
        copy_in(Comparison, ("ranking", "prompt", "kind", "chosen", "rejected", "tie"), rows)
        _want_more(tasks)
        earlier = list(Ranking.objects.filter(pk__in=self._flagged).exclude(flags__contains=[CONTRADICTED]))
        for each in earlier:
            each.flags = [*each.flags, CONTRADICTED]
        Ranking.objects.bulk_update(earlier, ["flags"])


def _want_more(tasks: Iterable[Task]) -> None:
    """A task wants the rankings that came for it, beside those that it wanted: its open slots stay."""
    by_number: dict[int, list[int]] = defaultdict(list)
    for task in tasks:
        by_number[task.added].append(task.pk)
    touched = sorted(pk for number, pks in by_number.items() if number for pk in pks)
    locked = RankingTask.objects.filter(pk__in=touched).order_by("pk").select_for_update(no_key=True)
    list(locked.values_list("pk"))
    for number, pks in by_number.items():
        if number:
            RankingTask.objects.filter(pk__in=pks).update(rankings_wanted=F("rankings_wanted") + number)


def _opposite(one: Sequence[int], other: Sequence[int]) -> set[tuple[int, int]]:
    """The pairs of places that the two order in opposite ways. A tie opposes nothing."""
    return {(a, b) for a, b in combinations(range(len(one)), 2) if (one[a] - one[b]) * (other[a] - other[b]) < 0}
