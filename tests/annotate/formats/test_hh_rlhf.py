import time

import pytest
from hypothesis import given

from annotate.formats import hh_rlhf
from annotate.formats.rows import InvalidRow, clean_text
from tests.annotate.formats.texts import cleaned_prompt, messages, ranking_rows, real_rows, row


def read(chosen, rejected, **keys):
    (ranked,) = hh_rlhf.read({"chosen": chosen, "rejected": rejected, **keys})
    return ranked


def test_the_last_turn_is_what_was_compared():
    before = "\n\nHuman: Hi\n\nAssistant: Yes?\n\nHuman: Why?\n\nAssistant:"
    ranked = read(f"{before} So.", f"{before} Dunno.")
    assert ranked.prompt.messages == messages("Hi", "Yes?", "Why?")
    assert (ranked.answers, ranked.ranks) == (("So.", "Dunno."), (1, 2))


def test_an_empty_answer_is_an_answer():
    assert read("\n\nHuman: Hi\n\nAssistant: ", "\n\nHuman: Hi\n\nAssistant: Yes?").answers == ("", "Yes?")


def test_turns_that_a_model_made_up_belong_to_its_answer():
    ranked = read(
        "\n\nHuman: Hi\n\nAssistant: Human: Oh\n\nAssistant: Well", "\n\nHuman: Hi\n\nAssistant: Yes?\n\nHuman: Why?"
    )
    assert ranked.prompt.messages == messages("Hi")
    assert ranked.answers == ("Human: Oh\n\nAssistant: Well", "Yes?\n\nHuman: Why?")
    assert ranked.metadata == {"answers_hold_turns": True}


def test_two_assistant_turns_in_a_row_stay_two():
    before = "\n\nHuman: Hi\n\nAssistant: One.\n\nAssistant: Two.\n\nHuman: Why?\n\nAssistant:"
    assert [one["role"] for one in read(f"{before} a", f"{before} b").prompt.messages] == [
        "user", "assistant", "assistant", "user"
    ]  # fmt: skip


def test_text_before_the_first_turn_is_a_system_message():
    before = "Be brief.\n\nHuman: Hi\n\nAssistant:"
    assert read(f"{before} a", f"{before} b").prompt.messages == messages("Hi", system="Be brief.")


def test_a_dialogue_that_lost_its_first_line_feeds_is_read():
    assert read("Human: Hi\n\nAssistant: a", "Human: Hi\n\nAssistant: b").prompt.messages == messages("Hi")


@pytest.mark.parametrize("dialogue", ["Hi", "\n\nHuman: Hi", "\n\nAssistant: Hi", ""])
def test_a_text_that_is_no_dialogue_is_refused(dialogue):
    with pytest.raises(InvalidRow, match="share no"):
        read(dialogue, dialogue)


def test_dialogues_about_different_questions_are_refused():
    with pytest.raises(InvalidRow, match="share no"):
        read("\n\nHuman: Hi\n\nAssistant: a", "\n\nHuman: Ho\n\nAssistant: a")


def test_a_text_full_of_marks_is_read_in_time_that_grows_with_its_length():
    """Each text is parsed once: parsed anew up to each of its marks, this would take minutes."""
    marks = "\n\nHuman: Hi" + "\n\nAssistant:" * 20_000
    started = time.process_time()
    ranked = read(f"{marks} a", f"{marks} b")
    assert time.process_time() - started < 2
    assert ranked.prompt.messages == messages("Hi") and ranked.answers[0].endswith("Assistant: a")


@given(ranking_rows(most=2))
def test_what_is_written_comes_back_equal(said):
    (written,) = hh_rlhf.rows([said])
    ranked = read(**written)
    best_first = sorted(zip(said["ranks"], map(clean_text, said["answers"]), strict=True))
    assert ranked.answers == tuple(answer for _, answer in best_first)
    assert ranked.prompt.messages == cleaned_prompt(said)


def test_a_system_message_comes_back():
    (written,) = hh_rlhf.rows([row(["a", "b"], [1, 2], prompt=messages("Hi", system="Be brief."))])
    assert read(**written).prompt.messages == messages("Hi", system="Be brief.")


def test_the_real_dialogues_are_all_read_and_written_back(real_data):
    rows = real_rows(real_data, "hh_rlhf_harmless_base.dev.jsonl.gz")
    ranked = [read(**one) for one in rows]
    assert len(ranked) == 1362 and {one.ranks for one in ranked} == {(1, 2)}
    assert sum(len(one.prompt.messages) > 1 for one in ranked) == 984
    assert sum("" in one.answers for one in ranked) == 2
    assert sum("answers_hold_turns" in one.metadata for one in ranked) == 3
    assert len({one.prompt.root for one in ranked}) == len({one["chosen"].split("\n\nAssistant:")[0] for one in rows})
    back = [next(iter(hh_rlhf.rows([row(list(one.answers), [1, 2], prompt=one.prompt.messages)]))) for one in ranked]
    assert back == rows
