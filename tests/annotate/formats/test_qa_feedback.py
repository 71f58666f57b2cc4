import json
from itertools import product

import pytest

from annotate.formats import qa_feedback
from annotate.formats.rows import InvalidRow
from tests.annotate.formats.texts import real_rows

EXAMPLE = json.loads(qa_feedback.EXAMPLE)


def read(**keys):
    return list(qa_feedback.read({**EXAMPLE, **keys}))


def test_each_label_is_a_ranking_of_two():
    found = read(preference=[1, 0, 2, 1, 1, 2])
    assert [(*one.answers, *one.ranks) for one in found] == [
        ("a", "b", 1, 2), ("a", "c", 1, 1), ("a", "d", 2, 1), ("b", "c", 1, 2), ("b", "d", 1, 2), ("c", "d", 2, 1)
    ]  # fmt: skip


def test_the_passages_belong_to_the_prompt_and_gold_is_a_demonstration():
    prompts = {one.prompt.external_id: one.prompt for one in read(feedback={"errors": [1]})}
    (prompt,) = prompts.values()
    assert prompt.messages[0]["content"] == "Where is it?\n\nPassage 1: Title\nA sentence. Another."
    assert (prompt.demonstrations, prompt.metadata) == (("There.",), {"feedback": {"errors": [1]}})


@pytest.mark.parametrize(
    "keys, problem",
    [
        ({"preference": [1, 0, 2]}, "not a list of 6 labels"),
        ({"preference": [1, 0, 2, 1, 1, 3]}, "a label that is not 1"),
        ({"preference": [1, 0, 2, 1, 1, True]}, "not a list of 6 labels"),
        ({"passages": [[]]}, "passages is not a list of passages"),
        ({"question": " "}, "question is empty"),
        ({"prediction 3": None}, "prediction 3 is missing"),
    ],
)
def test_a_wrong_field_is_refused_by_name(keys, problem):
    with pytest.raises(InvalidRow, match=problem):
        read(**keys)


def fits_a_ranking(labels):
    def said(one, other):
        return 0 if one == other else 1 if one < other else 2

    return any(
        all(
            said(ranks[one], ranks[other]) == label
            for (one, other), label in zip(qa_feedback.PAIRS, labels, strict=True)
        )
        for ranks in product(range(4), repeat=4)
    )


def test_the_real_labels_are_all_kept_also_those_that_no_ranking_fits(real_data):
    rows = real_rows(real_data, "qa_feedback_k4.dev.jsonl.gz")
    found = [one for row in rows for one in qa_feedback.read(row)]
    assert len(found) == 1656 and sum(one.ranks == (1, 1) for one in found) == 235
    assert len({one.prompt.external_id for one in found}) == 276
    assert sum(not fits_a_ranking(row["preference"]) for row in rows) == 13
