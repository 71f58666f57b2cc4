"""Prompts and answers from files, all or nothing. What is wrong is told with its line and field."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import IO, Any

from django.db import transaction
from django.utils.timezone import now

from annotate import desk_tasks
from annotate.desk_tasks import DeskReport
from annotate.formats import prompts as prompt_rows
from annotate.formats.rows import InvalidRow, PromptRow, clean_text
from annotate.models import Answer, AnswerBatch, AuditEvent, Project, Prompt, User
from annotate.ranking import LEAST_ANSWERS, MOST_AT_THE_DESK
from annotate.row_files import MOST_BYTES, RowFile, Unreadable

CHUNK = 1000
"""Rows that are looked up and stored together."""
CHUNK_BYTES = 8 * 1024**2
"""A chunk ends with the row that brings it to this: a thousand of the longest rows would fill the memory."""


class ImportRefused(ValueError):
    """Nothing was stored. Names the line."""


class AlreadyImported(ImportRefused):
    """This very file is in the project."""


@dataclass
class ImportReport:
    """What came of a file, in numbers and as a sentence."""

    created: int = 0
    unchanged: int = 0
    demonstrations: int = 0
    answers: int = 0
    desk: DeskReport = field(default_factory=DeskReport)

    @property
    def tasks(self) -> int:
        return self.desk.made

    def __str__(self) -> str:
        said = [f"{self.created} new prompts"] if self.created != 1 else ["1 new prompt"]
        said += [f"{self.unchanged} there already"] if self.unchanged else []
        for count, one, many in (
            (self.demonstrations, "demonstration", "demonstrations"),
            (self.answers, "answer", "answers"),
            (self.tasks, "ranking task", "ranking tasks"),
        ):
            said += [f"{count} {one if count == 1 else many}"] if count else []
        return " ".join([", ".join(said) + ".", *self.desk.remarks])


@dataclass(frozen=True)
class Numbered:
    """A prompt row and where it stands."""

    line: int
    size: int
    """In bytes, of the whole row of the file, which may hold several prompts."""
    row: PromptRow
    answers: tuple[str, ...] = ()
    source: str = ""


def import_prompts(
    *,
    project: Project,
    stream: IO[bytes],
    filename: str,
    split: str | None = None,
    user: User | None = None,
    most_bytes: int = MOST_BYTES,
) -> ImportReport:
    """Store the prompts of a file, and its demonstrations as answers by people. `split` is for rows that name none.

    Importing a file again changes nothing. Raises ImportRefused, also past `most_bytes`, unpacked."""
    report, rows = ImportReport(), RowFile(stream, filename, most_bytes=most_bytes)
    with _all_or_nothing(project, rows):
        demonstrations = _Demonstrations(project, filename)
        for chunk in _chunks(_prompt_rows(rows)):
            prompts = _store_prompts(project, chunk, split, report)
            report.demonstrations += demonstrations.store(chunk, prompts)
        if report.created + report.unchanged == 0:
            raise ImportRefused(f"{filename} holds no row. Nothing was stored.")
        _audit("prompts.import", project, user, filename, rows, report)
    return report


def import_answers(
    *,
    project: Project,
    stream: IO[bytes],
    filename: str,
    source: str,
    user: User | None = None,
    for_ranking: bool = True,
    most_bytes: int = MOST_BYTES,
) -> ImportReport:
    """Store answers that are there already, rows {"prompt", "answers": [...], "source"}, a batch for each source, and
    make a ranking task of each prompt and source. `source` is for rows that name none. Demonstrations are stored too.

    Raises ImportRefused; AlreadyImported for a file that is in the project."""
    report, rows = ImportReport(), RowFile(stream, filename, most_bytes=most_bytes)
    with _all_or_nothing(project, rows):
        batches: dict[str, AnswerBatch] = {}
        demonstrations = _Demonstrations(project, filename)
        for chunk in _chunks(_answer_rows(rows, source, for_ranking=for_ranking)):
            prompts = _store_prompts(project, chunk, None, report)
            _store_answers(project, filename, chunk, prompts, batches, for_ranking=for_ranking)
            report.answers += sum(len(numbered.answers) for numbered in chunk)
            report.demonstrations += demonstrations.store(chunk, prompts)
        if not batches:
            raise ImportRefused(f"{filename} holds no row. Nothing was stored.")
        _refuse_known(project, filename, rows.sha256)
        for batch in batches.values():
            AnswerBatch.objects.filter(pk=batch.pk).update(settings={"file": filename, "sha256": rows.sha256})
            report.desk += desk_tasks.make_ranking_tasks(batch) if for_ranking else DeskReport()
        _audit("answers.import", project, user, filename, rows, report)
    return report


@contextmanager
def _all_or_nothing(project: Project, rows: RowFile) -> Iterator[None]:
    """One import of a project at a time: the second sees what the first stored."""
    try:
        with transaction.atomic():
            Project.objects.select_for_update(no_key=True).get(pk=project.pk)
            yield
    except (Unreadable, InvalidRow) as problem:
        raise ImportRefused(f"Line {rows.line}: {problem}. Nothing was stored.") from problem


def _prompt_rows(rows: RowFile) -> Iterator[Numbered]:
    for line, value, size in rows:
        for row in prompt_rows.read(value):
            yield Numbered(line, size, row)


def _answer_rows(rows: RowFile, source: str, *, for_ranking: bool) -> Iterator[Numbered]:
    for line, value, size in rows:
        if not isinstance(value, dict):
            raise InvalidRow('the row is not an object like {"prompt": "...", "answers": ["...", "..."]}')
        answers, own_source = value.pop("answers", None), value.pop("source", None) or source
        if not isinstance(own_source, str) or len(own_source) > 200:
            raise InvalidRow("source is not a short text")
        texts = _answer_texts(answers)
        if for_ranking:
            _refuse_unrankable(texts)
        prompts = list(prompt_rows.read(value))
        if len(prompts) != 1:
            raise InvalidRow("answers need one prompt a row, and this row has several instances")
        yield Numbered(line, size, prompts[0], texts, clean_text(own_source))


def _answer_texts(answers: Any) -> tuple[str, ...]:
    if not isinstance(answers, list) or not answers or not all(isinstance(text, str) for text in answers):
        raise InvalidRow("answers is not a list of texts")
    return tuple(clean_text(text) for text in answers)


def _refuse_unrankable(texts: Sequence[str]) -> None:
    different = len({text.strip() for text in texts})
    if len(texts) < LEAST_ANSWERS:
        raise InvalidRow("answers has one answer: a ranking task needs at least two")
    if different < LEAST_ANSWERS:
        raise InvalidRow("answers are all alike: a ranking task needs at least two different ones")
    if different > MOST_AT_THE_DESK:
        raise InvalidRow(f"answers has {different} answers: the desk shows at most {MOST_AT_THE_DESK} side by side")


def _chunks(rows: Iterable[Numbered]) -> Iterator[list[Numbered]]:
    chunk: list[Numbered] = []
    size = 0
    for numbered in rows:
        chunk.append(numbered)
        size += numbered.size
        if len(chunk) >= CHUNK or size >= CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _store_prompts(
    project: Project, chunk: Sequence[Numbered], split: str | None, report: ImportReport
) -> dict[str, Prompt]:
    """The chunk's prompts by external id: found, or made. Refuses what contradicts a prompt of the same id."""
    ids = {numbered.row.external_id for numbered in chunk}
    there = project.prompts.filter(external_id__in=ids).defer("metadata")
    known = {prompt.external_id: prompt for prompt in there}
    new: dict[str, Prompt] = {}
    for numbered in chunk:
        prompt = _prompt(project, numbered, split)
        former = known.get(prompt.external_id) or new.get(prompt.external_id)
        if former is None:
            new[prompt.external_id] = prompt
        else:
            _refuse_contradiction(former, prompt, numbered)
            report.unchanged += 1
    report.created += len(new)
    stored = Prompt.objects.bulk_create(new.values())
    return known | {prompt.external_id: prompt for prompt in stored}


def _prompt(project: Project, numbered: Numbered, split: str | None) -> Prompt:
    row = numbered.row
    if split and row.split and split != row.split:
        raise _refused(numbered, f"split is {row.split!r} in the row, but the import is for {split!r}")
    return Prompt(
        project=project,
        external_id=row.external_id,
        root=row.root,
        messages=row.messages,
        content_sha256=row.content_sha256,
        split=row.split or split or Prompt.Split.TRAIN.value,
        metadata=row.metadata,
        created_at=now(),
    )


def _refuse_contradiction(former: Prompt, prompt: Prompt, numbered: Numbered) -> None:
    """A prompt row repeats what is stored, or is refused. An answer row has only to mean the same messages, and the
    same split where it names one: else rankings that were meant for testing would enter training."""
    if former.messages != prompt.messages:
        raise _refused(numbered, f"id {prompt.external_id!r} belongs to a prompt with another text")
    if not numbered.answers and former.content_sha256 != prompt.content_sha256:
        raise _refused(
            numbered, f"the prompt of the id {prompt.external_id!r} has another root or other further fields"
        )
    split = numbered.row.split if numbered.answers else prompt.split
    if split and former.split != split:
        raise _refused(numbered, f"split: this prompt is here as {former.split!r}, so it cannot be {split!r}")


def _refused(numbered: Numbered, problem: str) -> ImportRefused:
    return ImportRefused(f"Line {numbered.line}: {problem}. Nothing was stored.")


class _Demonstrations:
    """The people's batch of one import, made with its first new demonstration."""

    def __init__(self, project: Project, filename: str) -> None:
        self._project, self._filename = project, filename
        self._batch: AnswerBatch | None = None

    def store(self, chunk: Sequence[Numbered], prompts: dict[str, Prompt]) -> int:
        """How many were new: what people wrote for the same prompt before, in any import, is not stored again."""
        wanted = dict.fromkeys(
            (prompts[numbered.row.external_id].pk, text) for numbered in chunk for text in numbered.row.demonstrations
        )
        if not wanted:
            return 0
        by_people = Answer.objects.filter(batch__project=self._project, batch__source=AnswerBatch.Source.PEOPLE)
        known = set(by_people.filter(prompt__in={prompt for prompt, _ in wanted}).values_list("prompt", "text"))
        new = [pair for pair in wanted if pair not in known]
        if new:
            self._batch = self._batch or _make_batch(
                self._project, f"Demonstrations from {self._filename}", AnswerBatch.Source.PEOPLE, "people"
            )
            _add_answers(self._batch, new)
        return len(new)


def _store_answers(
    project: Project,
    filename: str,
    chunk: Sequence[Numbered],
    prompts: dict[str, Prompt],
    batches: dict[str, AnswerBatch],
    *,
    for_ranking: bool,
) -> None:
    by_source: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for numbered in chunk:
        prompt = prompts[numbered.row.external_id].pk
        by_source[numbered.source] += [(prompt, text) for text in numbered.answers]
    for source, pairs in by_source.items():
        if source not in batches:
            name = f"{source} from {filename}"
            batches[source] = _make_batch(project, name, AnswerBatch.Source.IMPORT, source, for_ranking=for_ranking)
        _add_answers(batches[source], pairs)


def _make_batch(project: Project, name: str, source: str, source_name: str, **fields: Any) -> AnswerBatch:
    return AnswerBatch.objects.create(
        project=project, name=clean_text(name)[:200], source=source, source_name=source_name, **fields
    )


def _add_answers(batch: AnswerBatch, pairs: Sequence[tuple[int, str]]) -> None:
    """Answers as (prompt id, text), each numbered after those that its prompt has in the batch."""
    there = batch.answers.filter(prompt__in={prompt for prompt, _ in pairs}).order_by()
    following = Counter(there.values_list("prompt", flat=True))
    answers = []
    for prompt, text in pairs:
        answers.append(Answer(batch=batch, prompt_id=prompt, index=following[prompt], text=text))
        following[prompt] += 1
    Answer.objects.bulk_create(answers)


def _refuse_known(project: Project, filename: str, sha256: str) -> None:
    if project.answer_batches.filter(source=AnswerBatch.Source.IMPORT, settings__sha256=sha256).exists():
        raise AlreadyImported(f"The answers of {filename} were imported already. Nothing was changed.")


def _audit(
    action: str, project: Project, user: User | None, filename: str, rows: RowFile, report: ImportReport
) -> None:
    AuditEvent.record(
        action, user=user, project=project, subject=clean_text(filename), sha256=rows.sha256, **asdict(report)
    )
