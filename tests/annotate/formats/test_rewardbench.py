import json

import pytest
from hypothesis import given

from annotate.formats import rewardbench
from annotate.formats.rows import InvalidRow, clean_text
from tests.annotate.formats.texts import cleaned_prompt, messages, ranking_rows, row

EXAMPLE = json.loads(rewardbench.EXAMPLE)


def read(**keys):
    (ranked,) = rewardbench.read(keys)
    return ranked


def test_every_column_is_read():
    ranked = read(**EXAMPLE)
    assert ranked.prompt.messages == messages("Why?") and ranked.prompt.external_id == "alpacaeval-easy/7"
    assert (ranked.answers, ranked.ranks, ranked.sources) == (("Because.", "Dunno."), (1, 2), ("gpt-4", "llama"))
    assert ranked.metadata == {"subset": "alpacaeval-easy"}


def test_a_prompt_that_is_no_text_is_refused():
    with pytest.raises(InvalidRow, match="prompt is not a text"):
        read(**{**EXAMPLE, "prompt": messages("Why?")})


def test_models_and_subset_are_written_where_they_are_known():
    (written,) = rewardbench.rows([row(["a", "b"], [2, 1], sources=["s", "t"], metadata={"subset": "easy"})])
    assert (written["chosen_model"], written["rejected_model"], written["subset"]) == ("t", "s", "easy")
    (written,) = rewardbench.rows([row(["a", "b"], [1, 2], split="id_test")])
    assert (written["chosen_model"], written["subset"]) == ("", "id_test")


@given(ranking_rows(most=2))
def test_what_is_written_comes_back_equal(said):
    (written,) = rewardbench.rows([{**said, "sources": ["s", "t"]}])
    ranked = read(**written)
    best_first = sorted(zip(said["ranks"], map(clean_text, said["answers"]), ("s", "t"), strict=True))
    assert ranked.answers == tuple(answer for _, answer, _ in best_first)
    assert ranked.sources == tuple(source for *_, source in best_first)
    assert (ranked.prompt.external_id, ranked.prompt.messages) == ("p", cleaned_prompt(said))
