"""What the readers of files yield, whatever the format, and what all of them need. Pure."""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Row = dict[str, Any]
DEEPEST = 40
LONGEST_ID = 200


class InvalidRow(ValueError):
    """The row is not what its format says. Names the field, and says what is wrong with it."""


@dataclass(frozen=True)
class PromptRow:
    external_id: str
    root: str
    messages: list[dict[str, str]]
    split: str | None = None
    metadata: Row = field(default_factory=dict)
    demonstrations: tuple[str, ...] = ()

    @property
    def content_sha256(self) -> str:
        """What must be equal under one external id. Demonstrations may be added later."""
        return digest([self.messages, self.root, self.metadata])


@dataclass(frozen=True)
class RankedRow:
    """One person's ranking of answers to one prompt."""

    prompt: PromptRow
    answers: tuple[str, ...]
    ranks: tuple[int, ...]
    """Competition style, an answer each; 1 is best, equal ranks are a tie."""
    labeler: str = ""
    """As the file names the person; empty where it does not say."""
    sources: tuple[str, ...] = ()
    """Where each answer is from, or nothing where the file does not say."""
    strength: float | None = None
    created_at: datetime | None = None
    metadata: Row = field(default_factory=dict)
    """What else the row says of this ranking."""


def clean_text(text: str) -> str:
    """Without NUL, which Postgres refuses, and with lone surrogates, which no encoding carries, replaced."""
    if text.isascii() and "\x00" not in text:
        return text
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def cleaned(value: Any, depth: int = 0) -> Any:
    """Texts that Postgres can hold, in all corners of a JSON value. Keys too."""
    if depth > DEEPEST:
        raise InvalidRow("the row is nested too deeply")
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, list):
        return [cleaned(element, depth + 1) for element in value]
    if isinstance(value, dict):
        return {clean_text(key): cleaned(element, depth + 1) for key, element in value.items()}
    return value


def digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
