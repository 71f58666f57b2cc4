from datetime import UTC, datetime

import pytest

from annotate.formats import label_studio
from annotate.formats.rows import InvalidRow, PromptRow

DATA = {"prompt": "Why?", "answer1": "A", "answer2": "B"}
ITEMS = {
    "question": "Why?",
    "items": [{"id": 1, "title": "m", "body": "A"}, {"id": 2, "body": "B"}, {"id": 3, "body": "C"}],
}


def chosen(side):
    return {"from_name": "pw", "to_name": "pw", "type": "pairwise", "value": {"selected": side}}


def ordered(**lists):
    return {"from_name": "rank", "to_name": "items", "type": "ranker", "value": {"ranker": lists}}


def annotation(*results, **keys):
    return {"id": 9, "completed_by": 3, "created_at": "2026-11-24T04:00:00Z", "result": list(results), **keys}


def read(data, *annotations, **options):
    return list(label_studio.read({"id": 1, "data": data, "annotations": list(annotations)}, **options))


def test_left_and_right_are_rankings_of_two_by_whoever_completed_them():
    one, other = read(
        DATA, annotation(chosen("left")), annotation(chosen("right"), completed_by={"id": 4, "email": "m@x"})
    )
    assert (one.answers, one.ranks, other.ranks) == (("A", "B"), (1, 2), (2, 1))
    assert (one.labeler, other.labeler) == ("3", "m@x")
    assert one.created_at == datetime(2026, 11, 24, 4, tzinfo=UTC)


def test_cancelled_and_undecided_annotations_are_no_rankings():
    (found,) = read(DATA, annotation(chosen("left"), was_cancelled=True), annotation(chosen(None)), annotation())
    assert isinstance(found, PromptRow) and found.messages[0]["content"] == "Why?"


def test_other_results_and_the_time_are_kept():
    rating = {"type": "rating", "value": {"rating": 4}}
    (found,) = read(DATA, annotation(chosen("left"), rating, lead_time=4.5))
    assert found.metadata == {"task": 1, "annotation": 9, "lead_time": 4.5, "results": [rating]}


def test_names_can_be_given():
    data = {"q": "Why?", "x": "A", "y": "B"}
    (found,) = read(data, annotation(chosen("left")), prompt="q", answers=("x", "y"))
    assert found.answers == ("A", "B")


def test_an_error_says_which_names_it_looked_for():
    with pytest.raises(InvalidRow, match="data holds no prompt: looked for prompt, instruction, .*found q"):
        read({"q": "Why?"})
    with pytest.raises(InvalidRow, match="no two answers: looked for x, z, found q, x, y"):
        read({"q": "Why?", "x": "A", "y": "B"}, annotation(chosen("left")), prompt="q", answers=("x", "z"))
    with pytest.raises(InvalidRow, match="no two answers: looked for pairs such as answer1 and answer2"):
        read({"prompt": "Why?", "x": "A"}, annotation(chosen("left")))


def test_a_ranker_gives_an_order_of_the_items():
    (found,) = read(ITEMS, annotation(ordered(rank=["3", "1", "2"])))
    assert (found.answers, found.ranks) == (("C", "A", "B"), (1, 2, 3))


def test_items_in_one_bucket_are_tied_and_those_in_none_are_left_out():
    (found,) = read(ITEMS, annotation(ordered(bad=["1"], good=["2", "3"], _=[])), buckets=("good", "bad"))
    assert (found.answers, found.ranks) == (("B", "C", "A"), (1, 1, 3))
    assert read(ITEMS, annotation(ordered(good=["2"], bad=["1"], _=["3"])), buckets=("good", "bad"))[0].answers == (
        "B",
        "A",
    )


def test_buckets_whose_order_nobody_said_are_refused():
    with pytest.raises(InvalidRow, match="buckets bad, good: say their order"):
        read(ITEMS, annotation(ordered(bad=["1"], good=["2"])))


def test_an_item_that_is_not_there_is_refused_by_its_id():
    with pytest.raises(InvalidRow, match="the ranker names 7, which no item of data is: 1, 2, 3"):
        read(ITEMS, annotation(ordered(rank=["7", "1"])))


def test_an_export_without_results_is_refused():
    with pytest.raises(InvalidRow, match=r"annotations\[0\] has no list of results"):
        read(DATA, {"id": 1})
