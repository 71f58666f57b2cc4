from collections import Counter

import pytest

from annotate.formats import open_assistant
from annotate.formats.rows import InvalidRow, PromptRow, RankedRow
from tests.annotate.formats.texts import messages, real_rows


def message(id, text, *replies, role="prompter", **keys):
    return {"message_id": id, "text": text, "role": role, "review_result": True, "replies": list(replies), **keys}


def reply(id, text, *replies, rank=None, **keys):
    return message(id, text, *replies, role="assistant", rank=rank, **keys)


def read(prompt):
    return list(open_assistant.read({"message_tree_id": "t", "prompt": prompt}))


def test_replies_with_a_rank_are_a_ranking_and_the_best_is_a_demonstration():
    (ranked,) = read(message("t", "Why?", reply("a", "A", rank=1), reply("b", "B", rank=0), reply("c", "C")))
    assert (ranked.answers, ranked.ranks) == (("A", "B"), (2, 1))
    assert (ranked.prompt.external_id, ranked.prompt.root) == ("t", "t")
    assert ranked.prompt.demonstrations == ("B",)


def test_the_thread_is_the_prompt_and_the_tree_the_root():
    deeper = message("d", "And?", reply("x", "X", rank=0), reply("y", "Y", rank=1))
    first, second = read(message("t", "Why?", reply("a", "A", deeper)))
    assert isinstance(first, PromptRow) and first.demonstrations == ("A",)
    assert second.prompt.messages == messages("Why?", "A", "And?")
    assert (second.prompt.external_id, second.prompt.root) == ("d", "t")


@pytest.mark.parametrize("state", [{"deleted": True}, {"review_result": False}, {"review_result": None}])
def test_what_was_deleted_or_not_let_through_is_left_out_with_all_below_it(state):
    below = message("d", "And?", reply("x", "X", rank=0), reply("y", "Y", rank=1))
    (ranked,) = read(
        message("t", "Why?", reply("a", "A", below, rank=0, **state), reply("b", "B", rank=1), reply("c", "C", rank=2))
    )
    assert (ranked.answers, ranked.ranks) == (("B", "C"), (1, 2))


def test_a_models_reply_names_its_model_and_demonstrates_nothing():
    (ranked,) = read(
        message("t", "Why?", reply("a", "A", rank=0, synthetic=True, model_name="m"), reply("b", "B", rank=1))
    )
    assert ranked.sources == ("m", open_assistant.PEOPLE) and ranked.prompt.demonstrations == ()


@pytest.mark.parametrize(
    "prompt, problem",
    [
        (None, "prompt is not a message"),
        (message("t", "Why?", reply("a", "A", rank="first")), "rank is not a number"),
        (message("t", "Why?", message("a", "A", role="narrator")), "role of message a is 'narrator'"),
        (message("t", "Why?", "reply"), "is not an object"),
        (message("t", " "), "text of message t is empty"),
        (message("t", "Why?", *(reply(str(n), "A", rank=n) for n in range(17))), "ranks 17 answers"),
    ],
)
def test_a_wrong_tree_is_refused_by_the_name_of_its_message(prompt, problem):
    with pytest.raises(InvalidRow, match=problem):
        read(prompt)


def test_the_real_trees_give_the_rankings_that_are_known(real_data):
    rows = real_rows(real_data, "oasst_trees.dev.jsonl.gz")
    found = [one for tree in rows for one in open_assistant.read(tree)]
    sizes = Counter(len(one.ranks) for one in found if isinstance(one, RankedRow))
    assert sizes == {2: 44, 3: 76, 4: 14, 5: 3, 6: 3, 8: 1}
    assert sum(size * (size - 1) // 2 * count for size, count in sizes.items()) == 459
    assert len(found) == 312  # each message of a prompter is a prompt
