"""The rows of TRL's trainers: preferences (explicit, implicit, plain text), unpaired, prompt and completion. Pure.

Their shapes are those of TRL's page "Dataset formats and types"."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from os.path import commonprefix
from typing import Any

from annotate.formats import fields, hh_rlhf, pairs, prompts
from annotate.formats.rows import InvalidRow, PromptRow, RankedRow, Row

EXAMPLE = (
    '{"prompt": [{"role": "user", "content": "Why?"}], "chosen": [{"role": "assistant", "content": "Because."}],'
    ' "rejected": [{"role": "assistant", "content": "Dunno."}], "margin": 0.5}'
)
UNPAIRED = (
    "this row has one answer and a label, as for KTO: without a second answer there is nothing to rank. "
    "Bring the prompts by import_prompts, or rows with chosen and rejected"
)


def looks_like(row: Row) -> bool:
    return {"chosen", "rejected"} <= row.keys() or "completion" in row


def read(row: object) -> Iterator[RankedRow | PromptRow]:
    """A preference in any of TRL's shapes, or a completion of a prompt, which is a demonstration."""
    rest = fields.opened(row, EXAMPLE)
    if "completion" in rest:
        if "label" in rest:
            raise InvalidRow(UNPAIRED)
        yield _demonstration(rest)
        return
    for side in ("chosen", "rejected"):
        if rest.get(side) is None:
            raise InvalidRow(f"{side} is missing")
    chosen, rejected = rest.pop("chosen"), rest.pop("rejected")
    if rest.get("prompt") is None:
        rest.pop("prompt", None)
        yield from _implicit(chosen, rejected, rest)
    else:
        prompt = rest.pop("prompt")
        messages = _prompt(prompt)
        one, other = _answer(chosen, prompt, messages, "chosen"), _answer(rejected, prompt, messages, "rejected")
        yield fields.pair(messages, one, other, rest)


def _implicit(chosen: Any, rejected: Any, rest: Row) -> Iterator[RankedRow]:
    if hh_rlhf.is_transcript(chosen) and hh_rlhf.is_transcript(rejected):
        yield from hh_rlhf.read({"chosen": chosen, "rejected": rejected, **rest})
    elif isinstance(chosen, str) and isinstance(rejected, str):
        start = _parting(chosen, rejected)
        prompt = fields.question(chosen[:start], "what chosen and rejected begin with")
        yield fields.pair(prompt, chosen[start:], rejected[start:], rest)
    else:
        both = [fields.messages(value, side) for side, value in (("chosen", chosen), ("rejected", rejected))]
        # Something must be left to answer with, also where both are the same.
        most = min(map(len, both)) - 1
        start = next((place for place in range(most) if both[0][place] != both[1][place]), most)
        prompt = fields.ending_with_user(both[0][:start], "what chosen and rejected begin with")
        yield fields.pair(prompt, _only(both[0][start:], "chosen"), _only(both[1][start:], "rejected"), rest)


def _parting(chosen: str, rejected: str) -> int:
    """Where two plain texts part, as TRL's extract_prompt cuts them: at the first character that differs, or before a
    space that stands there. So "The sky is blue" and "The sky is green" are answers to "The sky is"."""
    if chosen == rejected:
        raise InvalidRow("chosen and rejected are the same text: nothing tells the prompt from the answer")
    start = len(commonprefix([chosen, rejected]))
    return start - 1 if chosen[:start].endswith(" ") else start


def _prompt(value: Any) -> fields.Messages:
    return hh_rlhf.from_plain(value, "prompt") if isinstance(value, str) else fields.conversation(value, "prompt")


def _answer(value: Any, prompt: Any, asked: fields.Messages, field: str) -> str:
    """Some files repeat the prompt at the start of the answer's messages."""
    if isinstance(value, str):
        # After a transcript, which ends in "Assistant:", an answer begins with a space.
        return value.removeprefix(" ") if hh_rlhf.is_begun_transcript(prompt) else value
    messages = fields.messages(value, field)
    return _only(messages[len(asked) :] if messages[: len(asked)] == asked else messages, field)


def _only(messages: fields.Messages, field: str) -> str:
    if len(messages) != 1 or messages[0]["role"] != "assistant":
        raise InvalidRow(f"{field} does not end in one assistant message that answers the prompt of both")
    return messages[0]["content"]


def _demonstration(rest: Row) -> PromptRow:
    prompt = rest.pop("prompt", None)
    messages = _prompt(prompt)
    answer = _answer(rest.pop("completion"), prompt, messages, "completion")
    row = {**rest, "messages": [*messages, *_said(answer)]}
    return next(prompts.read(row))


def _said(content: str) -> fields.Messages:
    return [{"role": "assistant", "content": content}]


def preference_rows(rows: Iterable[Row]) -> Iterator[Row]:
    """Explicit and conversational. pairs.verdicts says what margin, n_rankings and agreement are."""
    for row, chosen, rejected, margin, n_rankings, agreement in pairs.verdicts(rows):
        yield {
            "prompt": row["prompt"],
            "chosen": [{"role": "assistant", "content": chosen}],
            "rejected": [{"role": "assistant", "content": rejected}],
            "margin": margin,
            "n_rankings": n_rankings,
            "agreement": agreement,
        }


def implicit_rows(rows: Iterable[Row]) -> Iterator[Row]:
    """Conversational; chosen and rejected are whole conversations."""
    for row, chosen, rejected, margin, n_rankings, agreement in pairs.verdicts(rows):
        prompt = row["prompt"]
        yield {
            "chosen": [*prompt, {"role": "assistant", "content": chosen}],
            "rejected": [*prompt, {"role": "assistant", "content": rejected}],
            "margin": margin,
            "n_rankings": n_rankings,
            "agreement": agreement,
        }


def text_rows(rows: Iterable[Row]) -> Iterator[Row]:
    """Explicit, as plain texts. After the transcript of several turns the answer begins with a space, as TRL joins
    prompt and answer as they are."""
    for row, chosen, rejected, margin, n_rankings, agreement in pairs.verdicts(rows):
        prompt = row["prompt"]
        space = " " if len(prompt) > 1 else ""
        yield {
            "prompt": hh_rlhf.plain(prompt),
            "chosen": space + chosen,
            "rejected": space + rejected,
            "margin": margin,
            "n_rankings": n_rankings,
            "agreement": agreement,
        }


def unpaired_rows(rows: Iterable[Row]) -> Iterator[Row]:
    """A row an answer: true where it wins more than it loses against the others of its prompt, false where less."""
    for _, of_prompt in groupby(pairs.verdicts(rows), key=lambda verdict: verdict[0]["id"]):
        standing: dict[str, float] = {}
        for row, chosen, rejected, margin, *_ in of_prompt:
            prompt = row["prompt"]
            standing[chosen] = standing.get(chosen, 0) + margin
            standing[rejected] = standing.get(rejected, 0) - margin
        for answer, balance in standing.items():
            if abs(balance) > pairs.EVEN:
                yield {"prompt": prompt, "completion": _said(answer), "label": balance > 0}


def completion_rows(demonstrations: Iterable[Row]) -> Iterator[Row]:
    for row in demonstrations:
        *prompt, answer = row["messages"]
        rest = {key: value for key, value in row.items() if key != "messages"}
        yield {"prompt": prompt, "completion": [answer], **rest}
