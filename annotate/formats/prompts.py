"""The reader of public prompt rows: one row in, prompts out. What a row cannot mean is said with the field's name."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from annotate.formats.rows import LONGEST_ID, InvalidRow, PromptRow, cleaned, digest

SHAPES = ("prompt", "turns", "messages", "instruction")
"""The keys that hold the text. A row has one of them."""
SPLITS = ("train", "id_test", "ood_test")
ROLES = ("system", "user", "assistant")
MOST_REPEATED = 16 * 1024**2
"""Characters of an instruction in all its instances, each of which holds it."""


def read(row: object) -> Iterator[PromptRow]:
    """The prompts of one row: one, or as many as an instruction has instances. Raises InvalidRow."""
    if not isinstance(row, dict):
        raise InvalidRow('the row is not an object like {"prompt": "..."}')
    rest = cleaned(row)
    shapes = [key for key in SHAPES if rest.get(key) is not None]
    if not shapes:
        raise InvalidRow(f"there is no prompt: the row has none of the fields {', '.join(SHAPES)}")
    if len(shapes) > 1:
        raise InvalidRow(f"{' and '.join(shapes)} both hold a prompt: leave one of them out")
    split, given_id, given_root = _split(rest), _id(rest), _text_or_number(rest, "root")
    prompts = _SHAPES[shapes[0]](rest)
    whole = given_id or digest(prompts[0][0])[:32]
    for number, (messages, demonstrations) in enumerate(prompts, 1):
        external_id = whole if len(prompts) == 1 else f"{whole}#{number}"
        if len(external_id) > LONGEST_ID:
            raise InvalidRow(f"id is longer than {LONGEST_ID} characters")
        yield PromptRow(external_id, given_root or whole, messages, split, rest, demonstrations)


Prompts = Sequence[tuple[list[dict[str, str]], tuple[str, ...]]]


def _prompt(rest: dict[str, Any]) -> Prompts:
    value = rest.pop("prompt")
    if isinstance(value, str):
        return [(_question(value, "prompt"), ())]
    return [(_ending_with_user(_messages(value, "prompt"), "prompt"), ())]


def _turns(rest: dict[str, Any]) -> Prompts:
    value = rest.pop("turns")
    if not isinstance(value, list) or not value or not all(isinstance(turn, str) for turn in value):
        raise InvalidRow("turns is not a list of texts")
    if len(value) > 1:
        rest["following_turns"] = value[1:]
    return [(_question(value[0], "turns"), ())]


def _conversation(rest: dict[str, Any]) -> Prompts:
    """A demonstration row ends with the assistant's turn; without it the row is a plain prompt."""
    messages = _messages(rest.pop("messages"), "messages")
    if messages[-1]["role"] != "assistant":
        return [(_ending_with_user(messages, "messages"), ())]
    return [(_ending_with_user(messages[:-1], "messages"), (messages[-1]["content"],))]


def _instruction(rest: dict[str, Any]) -> Prompts:
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


def _instance(instruction: str, instance: Any, number: int) -> tuple[list[dict[str, str]], tuple[str, ...]]:
    if not isinstance(instance, dict):
        raise InvalidRow(f"instances[{number}] is not an object with input and output")
    given, output = instance.get("input") or "", instance.get("output") or ""
    if not isinstance(given, str) or not isinstance(output, str):
        raise InvalidRow(f"input or output of instance {number} is not a text")
    text = f"{instruction}\n\n{given}" if given.strip() else instruction
    return _question(text, "instruction"), (output,) if output.strip() else ()


_SHAPES = {"prompt": _prompt, "turns": _turns, "messages": _conversation, "instruction": _instruction}


def _question(text: str, field: str) -> list[dict[str, str]]:
    if not text.strip():
        raise InvalidRow(f"{field} is empty")
    return [{"role": "user", "content": text}]


def _messages(value: Any, field: str) -> list[dict[str, str]]:
    if not isinstance(value, list) or not value:
        raise InvalidRow(f"{field} is not a text or a list of messages")
    return [_message(message, f"{field}[{number}]") for number, message in enumerate(value)]


def _message(message: Any, field: str) -> dict[str, str]:
    if not isinstance(message, Mapping):
        raise InvalidRow(f'{field} is not a message like {{"role": "user", "content": "..."}}')
    role, content = message.get("role"), message.get("content")
    if role not in ROLES:
        raise InvalidRow(f"{field}.role is {role!r}: write one of {', '.join(ROLES)}")
    if not isinstance(content, str) or not content.strip():
        raise InvalidRow(f"{field}.content is {'empty' if isinstance(content, str) else 'not a text'}")
    return {"role": role, "content": content}


def _ending_with_user(messages: list[dict[str, str]], field: str) -> list[dict[str, str]]:
    if not any(message["role"] == "user" for message in messages):
        raise InvalidRow(f"{field} has no user message: there is nothing to answer")
    if messages[-1]["role"] != "user":
        raise InvalidRow(f"{field} does not end with a user message: there is nothing left to answer")
    return messages


def _split(rest: dict[str, Any]) -> str | None:
    split = rest.pop("split", None)
    if split not in (None, "", *SPLITS):
        raise InvalidRow(f"split is {split!r}: write one of {', '.join(SPLITS)}")
    return split or None


def _id(rest: dict[str, Any]) -> str:
    """`id`, else `question_id`. The one that is not used stays among the metadata."""
    return _text_or_number(rest, "id") or _text_or_number(rest, "question_id")


def _text_or_number(rest: dict[str, Any], field: str) -> str:
    value = rest.pop(field, None)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise InvalidRow(f"{field} is not a text or a whole number")
    if len(str(value)) > LONGEST_ID:
        raise InvalidRow(f"{field} is longer than {LONGEST_ID} characters")
    return str(value).strip()
