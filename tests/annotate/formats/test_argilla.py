import pytest

from annotate.formats import argilla
from annotate.formats.rows import InvalidRow, PromptRow

FIELDS = {"instruction": "Why?", "response-1": "A", "response-2": "B", "response-3": "C"}
TIED = [{"value": "response-2", "rank": 1}, {"value": "response-1", "rank": 2}, {"value": "response-3", "rank": 2}]


def response(value, user="u1", status="submitted"):
    return {"user_id": user, "status": status, "values": {"ranking": {"value": value}}}


def read(row, **options):
    return list(argilla.read(row, **options))


def test_a_response_of_each_user_is_a_ranking_and_ties_are_kept():
    one, other = read({"id": "r", "fields": FIELDS, "responses": [response(TIED), response(TIED[::-1], "u2")]})
    assert (one.answers, one.ranks, one.labeler) == (("B", "A", "C"), (1, 2, 2), "u1")
    assert (other.answers, other.ranks, other.labeler) == (("C", "A", "B"), (2, 2, 1), "u2")
    assert one.prompt.external_id == "r"


@pytest.mark.parametrize(
    "row",
    [
        {"fields": FIELDS, "responses": {"ranking": [{"value": TIED, "user_id": "u1"}]}},
        {**FIELDS, "ranking.responses": [TIED], "ranking.responses.users": ["u1"],
         "ranking.responses.status": ["submitted"]},
        {**FIELDS, "ranking": [{"user_id": "u1", "status": "submitted", "value": {
            "value": ["response-2", "response-1", "response-3"], "rank": [1, 2, 2]}}]},
    ],
    ids=["SDK", "flat columns", "Argilla 1"],
)  # fmt: skip
def test_the_other_shapes_say_the_same(row):
    (found,) = read(row)
    assert (found.answers, found.ranks, found.labeler) == (("B", "A", "C"), (1, 2, 2), "u1")
    assert argilla.looks_like(row)


def test_a_bare_list_of_names_is_an_order():
    (found,) = read({"fields": FIELDS, "responses": {"ranking": [{"value": ["response-3", "response-1"]}]}})
    assert (found.answers, found.ranks) == (("C", "A"), (1, 2))


def test_a_list_of_labels_is_no_ranking():
    (found,) = read({"fields": FIELDS, "responses": {"topics": [{"value": ["maths", "code"], "user_id": "u"}]}})
    assert isinstance(found, PromptRow)


@pytest.mark.parametrize("status", ["draft", "discarded"])
def test_what_was_not_submitted_does_not_count(status):
    (found,) = read({"fields": FIELDS, "responses": [response(TIED, status=status)]})
    assert isinstance(found, PromptRow)


def test_an_option_is_found_however_its_field_is_spelled():
    fields = {"prompt": "Why?", "Response 1": "A", "generation_2": "B"}
    (found,) = read(
        {"fields": fields, "responses": [response([{"value": f"response-{n}", "rank": n} for n in (1, 2)])]}
    )
    assert found.answers == ("A", "B")


def test_an_option_without_a_field_is_refused_by_name():
    with pytest.raises(InvalidRow, match="ranking ranks response-9, but the record has instruction, response-1"):
        read(
            {
                "fields": FIELDS,
                "responses": [response([{"value": "response-9", "rank": 1}, {"value": "response-1", "rank": 2}])],
            }
        )


def test_the_prompt_and_the_question_can_be_named():
    row = {"fields": {**FIELDS, "ask": "Really?"}, "responses": [response(TIED)]}
    assert read(row, prompt="ask")[0].prompt.messages[0]["content"] == "Really?"
    assert isinstance(read(row, question="other")[0], PromptRow)


def test_answers_that_were_not_ranked_are_left_out():
    partial = [
        {"value": "response-2", "rank": 2},
        {"value": "response-1", "rank": None},
        {"value": "response-3", "rank": 3},
    ]
    (found,) = read({"fields": FIELDS, "responses": [response(partial)]})
    assert (found.answers, found.ranks) == (("B", "C"), (1, 2))
