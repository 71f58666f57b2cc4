"""The reader of public prompt rows: one row in, prompts out. What a row cannot mean is said with the field's name."""

from collections.abc import Iterator, Sequence
from typing import Any

from annotate.formats import fields
from annotate.formats.rows import LONGEST_ID, InvalidRow, PromptRow, Row

SHAPES = ("prompt", "turns", "messages", "instruction")
"""The keys that hold the text. A row has one of them."""
MOST_REPEATED = 16 * 1024**2
"""Characters of an instruction in all its instances, each of which holds it."""


def read(row: object) -> Iterator[PromptRow]:
    """The prompts of one row: one, or as many as an instruction has instances. Raises InvalidRow."""
    rest = fields.opened(row, '{"prompt": "..."}')
    shapes = [key for key in SHAPES if rest.get(key) is not None]
    if not shapes:
        raise InvalidRow(f"there is no prompt: the row has none of the fields {', '.join(SHAPES)}")
    if len(shapes) > 1:
        raise InvalidRow(f"{' and '.join(shapes)} both hold a prompt: leave one of them out")
    split, given_id, given_root = fields.split(rest), _id(rest), fields.text_or_number(rest, "root")
    prompts = _SHAPES[shapes[0]](rest)
    whole = given_id or fields.name_of(prompts[0][0])
    for number, (messages, demonstrations) in enumerate(prompts, 1):
        external_id = whole if len(prompts) == 1 else f"{whole}#{number}"
        if len(external_id) > LONGEST_ID:
            raise InvalidRow(f"id is longer than {LONGEST_ID} characters")
        yield PromptRow(external_id, given_root or whole, messages, split, rest, demonstrations)


Prompts = Sequence[tuple[fields.Messages, tuple[str, ...]]]


def _prompt(rest: Row) -> Prompts:
    return [(fields.conversation(rest.pop("prompt"), "prompt"), ())]


def _turns(rest: Row) -> Prompts:
    value = rest.pop("turns")
    if not isinstance(value, list) or not value or not all(isinstance(turn, str) for turn in value):
        raise InvalidRow("turns is not a list of texts")
    if len(value) > 1:
        rest["following_turns"] = value[1:]
    return [(fields.question(value[0], "turns"), ())]


def _conversation(rest: Row) -> Prompts:
    """A demonstration row ends with the assistant's turn; without it the row is a plain prompt."""
    messages = fields.messages(rest.pop("messages"), "messages")
    if messages[-1]["role"] != "assistant":
        return [(fields.ending_with_user(messages, "messages"), ())]
    if not messages[-1]["content"].strip():
        raise InvalidRow(f"messages[{len(messages) - 1}].content is empty: it demonstrates nothing")
    return [(fields.ending_with_user(messages[:-1], "messages"), (messages[-1]["content"],))]


def _instruction(rest: Row) -> Prompts:
    instruction = rest.pop("instruction")
    if not isinstance(instruction, str):
        raise InvalidRow("instruction is not a text")
    if rest.get("instances") is None:
        rest.pop("instances", None)
        instances: Any = [{key: rest.pop(key) for key in ("input", "output") if key in rest}]
    else:
        instances = rest.pop("instances")
    if not isinstance(instances, list) or not instances:
        raise InvalidRow("instances is not a list with at least one instance")
    if len(instruction) * len(instances) > MOST_REPEATED:
        raise InvalidRow("instances are too many for so long an instruction: spread them over several rows")
    return [_instance(instruction, instance, number) for number, instance in enumerate(instances)]


def _instance(instruction: str, instance: Any, number: int) -> tuple[fields.Messages, tuple[str, ...]]:
    if not isinstance(instance, dict):
        raise InvalidRow(f"instances[{number}] is not an object with input and output")
    given, output = instance.get("input") or "", instance.get("output") or ""
    if not isinstance(given, str) or not isinstance(output, str):
        raise InvalidRow(f"input or output of instance {number} is not a text")
    text = f"{instruction}\n\n{given}" if given.strip() else instruction
    return fields.question(text, "instruction"), (output,) if output.strip() else ()


_SHAPES = {"prompt": _prompt, "turns": _turns, "messages": _conversation, "instruction": _instruction}


def _id(rest: Row) -> str:
    """`id`, else `question_id`. The one that is not used stays among the metadata."""
    return fields.text_or_number(rest, "id") or fields.text_or_number(rest, "question_id")
