"""Which of a row's own names hold the prompt and the answers, where a tool leaves the names to its users. Pure."""

import re
from collections.abc import Iterable, Sequence

from annotate.formats import fields
from annotate.formats.rows import InvalidRow, Row

PROMPTS = ("prompt", "instruction", "question", "query", "input", "conversation", "messages", "text", "context")
ANSWERS = ("answer", "response", "completion", "output", "generation", "reply", "option", "text")
PAIRS = [
    (f"{name}{mark}{one}", f"{name}{mark}{two}")
    for name in ANSWERS
    for mark in ("", "_", "-")
    for one, two in ("12", "ab", "AB")
] + [("left", "right")]


class WrongName(ValueError):
    """What a person wrote names no field. The text says what to write."""


def given(text: str, options: Sequence[str]) -> dict[str, str]:
    """What the format's `options` are called, written prompt=instruction, answers=left/right. Raises WrongName."""
    named = {}
    for part in filter(None, text.split(",")):
        name, equals, value = (each.strip() for each in part.partition("="))
        if not (name and equals and value):
            raise WrongName("Write pairs like prompt=instruction, with commas between them.")
        named[name] = value
    if unknown := set(named) - set(options):
        takes = f"This format names {', '.join(options)}." if options else "Choose the format that has such names."
        raise WrongName(f"There is no field {min(unknown)!r} to name. {takes}")
    return named


def prompt(held: Row, given: str, where: str) -> fields.Messages:
    """The prompt under the name that the person gave, else under the first usual one."""
    looked_for = (given,) if given else PROMPTS
    name = next((name for name in looked_for if held.get(name) is not None), "")
    if not name:
        raise InvalidRow(f"{where} holds no prompt: looked for {listed(looked_for)}, found {listed(held)}")
    return fields.conversation(held[name], f"{where}.{name}")


def pair(held: Row, given: tuple[str, ...], where: str) -> tuple[str, str]:
    """The names of the left and the right answer."""
    if given and len(given) != 2:
        raise InvalidRow(f"a pair has two answers, a left and a right one, but the names given are {listed(given)}")
    for one, two in [(given[0], given[1])] if given else PAIRS:
        if isinstance(held.get(one), str) and isinstance(held.get(two), str):
            return one, two
    looked_for = listed(given) if given else f"pairs such as {listed(' and '.join(two) for two in PAIRS[::9])}"
    raise InvalidRow(f"{where} holds no two answers: looked for {looked_for}, found {listed(held)}")


def answer(held: Row, option: str) -> str | None:
    """The text that an option such as "response-1" stands for: the field of that name, however it is spelled, else the
    only text with this number at the end of its name."""
    texts = {name: value for name, value in held.items() if isinstance(value, str)}
    for same in (str, _spelled):
        for name, value in texts.items():
            if same(name) == same(option):
                return value
    numbered = [value for name, value in texts.items() if _number(name) and _number(name) == _number(option)]
    return numbered[0] if len(numbered) == 1 else None


def listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "nothing"


def _spelled(name: str) -> str:
    return re.sub(r"[\W_]", "", name).lower()


def _number(name: str) -> str:
    found = re.search(r"\d+$", name)
    return found[0].lstrip("0") if found else ""
