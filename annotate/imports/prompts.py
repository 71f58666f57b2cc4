"""Prompts from a file, and the demonstrations beside them. What other imports bring stands on these, too."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from typing import IO, Any, NamedTuple

from django.db.models import TextField
from django.utils.timezone import now
from psycopg.types.json import Jsonb

from annotate.copying import copy_in, listed, new_ids
from annotate.formats import prompts as prompt_rows
from annotate.formats.fields import Messages
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


class Here(NamedTuple):
    """A prompt of the project, as far as a row is held against it."""

    pk: int
    messages: Messages
    content_sha256: str
    split: str
    row: PromptRow | None = None
    """Where it is new."""


@dataclass(frozen=True)
class StoredPrompts:
    kept: list[Numbered]
    """The rows of the chunk that were not refused."""
    by_id: dict[str, int]
    """Their prompts by external id."""
    new: set[int]
    """Of these, which were not here before."""

    @property
    def bare(self) -> set[int]:
        """Those of them on which nothing hangs yet, also when the demonstrations are stored."""
        return self.new - {prompt for meaning, prompt in self.meanings if meaning.prompt.demonstrations}

    @property
    def made(self) -> int:
        return len(self.new)

    @property
    def meanings(self) -> Iterator[tuple[Meaning, int]]:
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
    names = dict.fromkeys(meaning.prompt.external_id for numbered in chunk for meaning in numbered.meanings)
    known = _known(importing.project, names)
    missing = [name for name in names if name not in known]
    ids = dict(zip(missing, new_ids(Prompt, len(missing)), strict=True))
    kept = []
    for numbered in chunk:
        of_row: dict[str, Here] = {}
        try:
            for meaning in numbered.meanings:
                row = meaning.prompt
                former = known.get(row.external_id) or of_row.get(row.external_id)
                if former is None:
                    of_row[row.external_id] = _made(ids[row.external_id], row, split)
                else:
                    _refuse_contradiction(former, row, split, whole=whole)
        except InvalidRow as problem:
            importing.refuse(numbered.line, problem, numbered.value)
            continue
        known |= of_row
        kept.append(numbered)
    new = [here for here in known.values() if here.row]
    _add(importing, new)
    return StoredPrompts(kept, {name: here.pk for name, here in known.items()}, {here.pk for here in new})


def _known(project: Project, names: Iterable[str]) -> dict[str, Here]:
    there = project.prompts.filter(external_id__in=listed(names, TextField()))
    return {name: Here(*rest) for name, *rest in there.values_list("external_id", *Here._fields[:-1])}


def _made(pk: int, row: PromptRow, split: str | None) -> Here:
    return Here(pk, row.messages, row.content_sha256, row.split or split or Prompt.Split.TRAIN.value, row)


def _add(importing: FileImport, new: Iterable[Here]) -> None:
    project, origin, at = importing.project.pk, importing.record.pk, now()
    rows = (
        (here.pk, project, row.external_id, row.root, Jsonb(here.messages), here.content_sha256, here.split,
         Jsonb(row.metadata), origin, at)
        for here in new if (row := here.row)
    )  # fmt: skip
    fields = ("external_id", "root", "messages", "content_sha256", "split", "metadata", "origin", "created_at")
    copy_in(Prompt, ("id", "project", *fields), rows)


def _refuse_contradiction(former: Here, row: PromptRow, split: str | None, *, whole: bool) -> None:
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
        (prompt, text) for meaning, prompt in stored.meanings for text in meaning.prompt.demonstrations
    )
    if not wanted:
        return
    people = AnswerBatch.Source.PEOPLE
    by_people = Answer.objects.filter(batch__project=importing.project, batch__source=people)
    asked = {prompt for prompt, _ in wanted} - stored.new
    known = set(by_people.filter(prompt__in=listed(asked)).values_list("prompt", "text")) if asked else set()
    new = [pair for pair in wanted if pair not in known]
    if new:
        add_answers(importing.batch("people", people), new, to_new=stored.new)
    importing.report.demonstrations += len(new)


def add_answers(batch: AnswerBatch, pairs: Sequence[tuple[int, str]], *, to_new: Set[int] = frozenset()) -> list[int]:
    """The ids of answers made as (prompt id, text), each numbered after those that its prompt has in the batch.

    `to_new`: prompts of which it is known that they have none."""
    following = Counter[int]()
    if asked := {prompt for prompt, _ in pairs} - to_new:
        following.update(batch.answers.filter(prompt__in=listed(asked)).order_by().values_list("prompt", flat=True))
    ids, at = new_ids(Answer, len(pairs)), now()
    rows = []
    for pk, (prompt, text) in zip(ids, pairs, strict=True):
        rows.append((pk, batch.pk, prompt, following[prompt], text, "", "{}", at))
        following[prompt] += 1
    copy_in(Answer, ("id", "batch", "prompt", "index", "text", "finish_reason", "metadata", "created_at"), rows)
    return ids
