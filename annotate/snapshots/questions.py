"""Whether two prompts ask the same, however it is written. Pure."""

import hashlib
import unicodedata
from collections.abc import Iterable, Mapping


def key(question: str) -> bytes:
    """The same for questions that differ in white space, capitals and compatible characters alone: a no-break space is
    a space, a full-width letter is a letter (Unicode's NFKC and case folding). A digest, as they may be long."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", question).casefold())
    return hashlib.blake2b(" ".join(folded.split()).encode(), digest_size=16).digest()


def first(messages: Iterable[Mapping[str, str]]) -> str | None:
    """What the user says first."""
    return next((message["content"] for message in messages if message["role"] == "user"), None)
