"""Prompts from a file, and the demonstrations beside them. What other imports bring stands on these, too."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any

from django.utils.timezone import now
from psycopg.types.json import Jsonb

from annotate.copying import copy_in, new_ids
from annotate.formats import prompts as prompt_rows
from annotate.formats.rows import InvalidRow, PromptRow
from annotate.imports.file import FileImport, Meaning, Numbered, Upload
from annotate.imports.report import ImportReport
from annotate.models import Answer, AnswerBatch, Import, Project, Prompt


def import_prompts(
    *, project: Project, stream: IO[bytes], filename: str, split: str | None = None, **options: Any
) -> ImportReport:
    """Store the prompts of a file, and its demonstrations as answers by people. `split` is for rows that name none.

    Importing a file again changes nothing. `options` are those of Upload. Raises ImportRefused."""
    return _PromptsFile(Upload(project, stream, filename, **options), split).run()


class _PromptsFile(FileImport):
    content = Import.Content.PROMPTS

    def __init__(self, upload: Upload, split: str | None) -> None:
        super().__init__(upload)
        self._split = split

    def read(self, value: Any) -> Iterator[Meaning]:
        for row in prompt_rows.read(value):
            refuse_other_split(row, self._split)
            yield Meaning(row)

    def store(self, chunk: Sequence[Numbered]) -> None:
        stored = store_prompts(self, chunk, split=self._split, whole=True)
        self.report.created += stored.made
        self.report.unchanged += sum(len(numbered.meanings) for numbered in stored.kept) - stored.made
        store_demonstrations(self, stored)

    def _refuse_known(self, record: Import) -> None:
        """It may come again: nothing changes, unless the split is another one, and then that is said."""


def refuse_other_split(row: PromptRow, split: str | None) -> None:
    """Else what was brought for testing would be taken for training, as the file was once written."""
    if split and row.split and split != row.split:
        raise InvalidRow(f"split is {row.split!r} in the row, but the import is for {split!r}")


@dataclass(frozen=True)
class StoredPrompts:
    kept: list[Numbered]
    """The rows of the chunk that were not refused."""
    by_id: dict[str, Prompt]
    """Their prompts by external id."""
    made: int
    """Of these, how many are new."""

    @property
    def meanings(self) -> Iterator[tuple[Meaning, Prompt]]:
        """Each with the prompt that it speaks of."""
        for numbered in self.kept:
            for meaning in numbered.meanings:
                yield meaning, self.by_id[meaning.prompt.external_id]


def store_prompts(
    importing: FileImport, chunk: Sequence[Numbered], *, split: str | None, whole: bool = False
) -> StoredPrompts:
    """Find or make the chunk's prompts, and refuse the rows that contradict a prompt of the same id.

    `split` is for rows that name none. With `whole` a row repeats what is stored, or is refused; else it has only to
    mean the same messages, and the same split where it names one: else rankings that were meant for testing would
    enter training."""
    rows = [meaning.prompt for numbered in chunk for meaning in numbered.meanings]
    there = importing.project.prompts.filter(external_id__in={row.external_id for row in rows}).defer("metadata")
    known = {prompt.external_id: prompt for prompt in there}
    new: dict[str, Prompt] = {}
    kept = []
    for numbered in chunk:
        of_row: dict[str, Prompt] = {}
        try:
            for meaning in numbered.meanings:
                external_id = meaning.prompt.external_id
                former = known.get(external_id) or new.get(external_id) or of_row.get(external_id)
                if former is None:
                    of_row[external_id] = _prompt(importing, meaning.prompt, split)
                else:
                    _refuse_contradiction(former, meaning.prompt, split, whole=whole)
        except InvalidRow as problem:
            importing.refuse(numbered.line, problem, numbered.value)
            continue
        new |= of_row
        kept.append(numbered)
    Prompt.objects.bulk_create(new.values())
    return StoredPrompts(kept, known | new, len(new))


def _prompt(importing: FileImport, row: PromptRow, split: str | None) -> Prompt:
    return Prompt(
        project=importing.project,
        external_id=row.external_id,
        root=row.root,
        messages=row.messages,
        content_sha256=row.content_sha256,
        split=row.split or split or Prompt.Split.TRAIN.value,
        metadata=row.metadata,
        origin=importing.record,
        created_at=now(),
    )


def _refuse_contradiction(former: Prompt, row: PromptRow, split: str | None, *, whole: bool) -> None:
    if former.messages != row.messages:
        raise InvalidRow(f"id {row.external_id!r} belongs to a prompt with another text")
    if whole and former.content_sha256 != row.content_sha256:
        raise InvalidRow(f"the prompt of the id {row.external_id!r} has another root or other further fields")
    wanted = row.split or split or (Prompt.Split.TRAIN.value if whole else None)
    if wanted and former.split != wanted:
        raise InvalidRow(f"split: this prompt is here as {former.split!r}, so it cannot be {wanted!r}")


def store_demonstrations(importing: FileImport, stored: StoredPrompts) -> None:
    """What people wrote for the same prompt before, in any import, is not stored again."""
    wanted = dict.fromkeys(
        (prompt.pk, text) for meaning, prompt in stored.meanings for text in meaning.prompt.demonstrations
    )
    if not wanted:
        return
    people = AnswerBatch.Source.PEOPLE
    by_people = Answer.objects.filter(batch__project=importing.project, batch__source=people)
    known = set(by_people.filter(prompt__in={prompt for prompt, _ in wanted}).values_list("prompt", "text"))
    new = [pair for pair in wanted if pair not in known]
    if new:
        add_answers(importing.batch("people", people), new)
    importing.report.demonstrations += len(new)


def add_answers(batch: AnswerBatch, pairs: Sequence[tuple[int, str]]) -> list[int]:
    """The ids of answers made as (prompt id, text), each numbered after those that its prompt has in the batch."""
    there = batch.answers.filter(prompt__in={prompt for prompt, _ in pairs}).order_by()
    following = Counter(there.values_list("prompt", flat=True))
    ids = new_ids(Answer, len(pairs))
    rows = []
    for pk, (prompt, text) in zip(ids, pairs, strict=True):
        rows.append((pk, batch.pk, prompt, following[prompt], text, "", Jsonb({}), now()))
        following[prompt] += 1
    copy_in(Answer, ("id", "batch", "prompt", "index", "text", "finish_reason", "metadata", "created_at"), rows)
    return ids
