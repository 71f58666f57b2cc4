import pytest
from hypothesis import given

from annotate.formats import hh_rlhf, trl
from annotate.formats.rows import InvalidRow, clean_text
from tests.annotate.formats.texts import cleaned_prompt, messages, ranking_rows, row


def said(content):
    return [{"role": "assistant", "content": content}]


def read(**keys):
    (ranked,) = trl.read(keys)
    return ranked


SHAPES = {
    "explicit": {"prompt": messages("Why?"), "chosen": said("a"), "rejected": said("b")},
    "implicit": {"chosen": messages("Why?", "a"), "rejected": messages("Why?", "b")},
    "explicit text": {"prompt": "Why?", "chosen": "a", "rejected": "b"},
    "implicit text": {"chosen": "Why?a", "rejected": "Why?b"},
    "prompt as text, answers as conversations": {
        "prompt": "Why?", "chosen": messages("Why?", "a"), "rejected": messages("Why?", "b")
    },
    "prompt as messages, answers as text": {"prompt": messages("Why?"), "chosen": "a", "rejected": "b"},
    "dialogues": {"chosen": "\n\nHuman: Why?\n\nAssistant: a", "rejected": "\n\nHuman: Why?\n\nAssistant: b"},
    "dialogue and answers": {"prompt": "\n\nHuman: Why?\n\nAssistant:", "chosen": " a", "rejected": " b"},
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_all_shapes_say_the_same(shape):
    ranked = read(**SHAPES[shape])
    assert ranked.prompt.messages == messages("Why?")
    assert (ranked.answers, ranked.ranks) == (("a", "b"), (1, 2))


def test_other_keys_are_kept_and_the_margin_is_the_strength():
    ranked = read(**SHAPES["explicit"], margin=0.5, n_rankings=3, id=7, labeler="x", split="id_test")
    assert (ranked.strength, ranked.metadata, ranked.labeler) == (0.5, {"n_rankings": 3}, "x")
    assert (ranked.prompt.external_id, ranked.prompt.split) == ("7", "id_test")


def test_plain_texts_part_as_trl_parts_them():
    ranked = read(chosen="The sky is blue.", rejected="The sky is green.")
    assert ranked.prompt.messages == messages("The sky is") and ranked.answers == (" blue.", " green.")


def test_conversations_that_are_the_same_keep_their_last_turn_as_the_answer():
    assert read(chosen=messages("Why?", "a"), rejected=messages("Why?", "a")).answers == ("a", "a")


@pytest.mark.parametrize(
    "keys, problem",
    [
        ({"chosen": "same", "rejected": "same"}, "the same text"),
        ({"chosen": "a", "rejected": "b"}, "what chosen and rejected begin with is empty"),
        ({"chosen": "a"}, "rejected is missing"),
        ({"prompt": "Why?", "chosen": "a", "rejected": 3}, "rejected is not a text or a list of messages"),
        ({"prompt": "Why?", "chosen": messages("x", "y"), "rejected": "b"}, "chosen does not end in one assistant"),
        ({"chosen": messages("Why?", "a", "And?", "b"), "rejected": messages("Why?", "c")}, "chosen does not end"),
        ({"chosen": messages("Hi", "a"), "rejected": messages("Ho", "a")}, "begin with has no user message"),
        ({"prompt": "Why?", "completion": "a", "label": True}, "nothing to rank"),
        ({**SHAPES["explicit"], "margin": "much"}, "margin is not a number"),
    ],
)  # fmt: skip
def test_what_cannot_be_ranked_is_refused_in_a_sentence(keys, problem):
    with pytest.raises(InvalidRow, match=problem):
        read(**keys)


@pytest.mark.parametrize("prompt, completion", [("Why?", "So."), (messages("Why?"), said("So."))])
def test_a_completion_is_a_demonstration(prompt, completion):
    found = read(prompt=prompt, completion=completion, id="p")
    assert (found.external_id, found.messages, found.demonstrations) == ("p", messages("Why?"), ("So.",))


@pytest.mark.parametrize("write", [trl.preference_rows, trl.implicit_rows, trl.text_rows])
@given(given_row=ranking_rows())
def test_preferences_come_back_equal(write, given_row):
    found = [read(**written) for written in write([given_row])]
    best_first = [clean_text(text) for _, text in sorted(zip(given_row["ranks"], given_row["answers"], strict=True))]
    pairs = {(one, other) for place, one in enumerate(best_first) for other in best_first[place + 1 :]}
    assert {ranked.answers for ranked in found} == pairs
    assert all(ranked.prompt.messages == cleaned_prompt(given_row) and ranked.strength == 1 for ranked in found)


def test_a_demonstration_comes_back():
    (written,) = trl.completion_rows([{"messages": messages("Why?", "So."), "id": "p", "root": "r", "split": "train"}])
    found = read(**written)
    assert (found.external_id, found.root, found.split, found.demonstrations) == ("p", "r", "train", ("So.",))


def test_the_plain_text_of_several_turns_joins_to_the_dialogue():
    asked = row(["a", "b"], [1, 2], prompt=messages("Hi", "Yes?", "Why?"))
    (text,), (dialogue,) = trl.text_rows([asked]), hh_rlhf.rows([asked])
    assert text["prompt"] + text["chosen"] == dialogue["chosen"]


def labels(*rows):
    return {one["completion"][0]["content"]: one["label"] for one in trl.unpaired_rows(rows)}


def test_an_answer_is_good_if_it_wins_more_than_it_loses():
    assert labels(row(["a", "b"], [2, 1])) == {"b": True, "a": False}
    assert labels(row(["a", "b", "c"], [1, 2, 3])) == {"a": True, "c": False}
    assert labels(row(["a", "b", "c"], [1, 2, 2])) == {"a": True, "b": False, "c": False}
    assert labels(row(["a", "b"], [1, 1])) == {}


def test_an_answer_is_labelled_once_a_prompt():
    rows = [row(["a", "b"], [1, 2]), row(["a", "b"], [1, 2]), row(["a", "c"], [2, 1], id="q")]
    assert [one["completion"][0]["content"] for one in trl.unpaired_rows(rows)] == ["a", "b", "c", "a"]
