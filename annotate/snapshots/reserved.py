"""What is for tests and must not train: looked at again in rows that were frozen before it was."""

from dataclasses import dataclass
from typing import Self

from annotate.formats.rows import Row
from annotate.models import Project, Prompt
from annotate.snapshots import questions
from annotate.snapshots.selection import asked_in_tests


@dataclass(frozen=True)
class Reserved:
    """The conversations of a project that hold a test prompt, and what tests ask first, here or in an evaluation
    project. A conversation's name says nothing in another project: there only what it asks tells."""

    roots: frozenset[str]
    asked: frozenset[bytes]

    @classmethod
    def near(cls, project: Project) -> Self:
        tests = project.prompts.exclude(split=Prompt.Split.TRAIN)
        return cls(frozenset(tests.values_list("root", flat=True)), frozenset(asked_in_tests(project)))

    def why_not(self, row: Row) -> str:
        """Why a row must not train, as the end of a sentence about its prompt; empty where it may."""
        if row.get("split", Prompt.Split.TRAIN) != Prompt.Split.TRAIN:
            return f"which was frozen as a test prompt ({row['split']})"
        if row["root"] in self.roots:
            return f"of the conversation {row['root']}, which is for tests by now"
        question = questions.first(row["prompt"])
        if question is not None and questions.key(question) in self.asked:
            return "whose first question is asked in a test split or an evaluation project by now"
        return ""
