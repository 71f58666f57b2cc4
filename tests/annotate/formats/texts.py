"""Texts and ranking rows that files have broken over."""

import gzip
import json
from pathlib import Path

from hypothesis import strategies as st

from annotate import ranking
from annotate.formats.rows import clean_text

AWKWARD = [
    *("\x00", "\ud800", "\u2028", "\x85", "\r", "\r\n", "\n", "\t", "\u202e", "😀", " "),
    *("=1+1", "+1", "-1", "@x", "'", "''=", '"', "[", "{", "0"),
]
any_text = st.lists(st.sampled_from(AWKWARD) | st.text(st.characters(), max_size=8), max_size=5).map("".join)
plain = any_text.filter(lambda text: not any(mark in text for mark in ("Human:", "Assistant:")))
asked = plain.filter(lambda text: clean_text(text).strip() != "")


def messages(*texts, system=""):
    """Told by turns, the user first."""
    turns = [{"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(texts)]
    return [{"role": "system", "content": system}, *turns] if system else turns


@st.composite
def ranking_rows(draw, *, fewest=2, most=4, turns=(1, 3)):
    """One ranking row with answers that differ when they are cleaned."""
    answers = draw(st.lists(plain, min_size=fewest, max_size=most, unique_by=clean_text))
    ranks = ranking.from_any_ranks(dict(enumerate(draw(st.permutations(range(len(answers)))))))
    prompt = messages(*(draw(asked) for _ in range(draw(st.sampled_from(turns)))))
    return row(answers, list(ranks.values()), prompt=prompt)


def row(answers, ranks, id="p", **keys):
    return {"id": id, "root": id, "prompt": messages("Why?"), "answers": answers, "ranks": ranks, **keys}


def cleaned_prompt(row):
    return [{**message, "content": clean_text(message["content"])} for message in row["prompt"]]


def real_rows(folder: Path, name: str):
    with gzip.open(folder / name, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]
