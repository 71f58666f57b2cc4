"""RewardBench (v1): prompt, chosen and rejected as texts, each with its model, and a subset. In and out. Pure."""

from collections.abc import Iterable, Iterator

from annotate.formats import fields, hh_rlhf, pairs
from annotate.formats.rows import RankedRow, Row

EXAMPLE = (
    '{"prompt": "Why?", "chosen": "Because.", "chosen_model": "gpt-4", "rejected": "Dunno.", "rejected_model": "llama",'
    ' "subset": "alpacaeval-easy", "id": 7}'
)


def looks_like(row: Row) -> bool:
    return {"prompt", "chosen", "rejected", "subset"} <= row.keys()


def read(row: object) -> Iterator[RankedRow]:
    """The subset is kept as metadata. A whole number as id counts within RewardBench only, so the subset is put before
    it; a text is taken as it is."""
    rest = fields.opened(row, EXAMPLE)
    messages = hh_rlhf.from_plain(fields.text(rest, "prompt"), "prompt")
    chosen, rejected = fields.text(rest, "chosen"), fields.text(rest, "rejected")
    subset = fields.optional_text(rest, "subset")
    if subset and type(rest.get("id")) is int:
        rest["id"] = f"{subset}/{rest['id']}"
    if subset:
        rest["subset"] = subset
    yield fields.pair(messages, chosen, rejected, rest)


def rows(rankings: Iterable[Row]) -> Iterator[Row]:
    """The subset is that of the ranking's metadata, else the prompt's split: accuracy is told for each subset."""
    for row, chosen, rejected, *_ in pairs.verdicts(rankings):
        answers, sources = row["answers"], row.get("sources")
        subset = (row.get("metadata") or {}).get("subset")
        yield {
            "prompt": hh_rlhf.plain(row["prompt"]),
            "chosen": chosen,
            "chosen_model": sources[answers.index(chosen)] if sources else "",
            "rejected": rejected,
            "rejected_model": sources[answers.index(rejected)] if sources else "",
            "subset": (subset if isinstance(subset, str) else "") or row.get("split") or "",
            "id": row["id"],
        }
