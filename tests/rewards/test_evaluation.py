import json

import pytest

from rewards import evaluation, metrics
from tests.rewards.verdicts import comparison


def told(kind, figures):
    return next(one for one in figures["groups"] if one["kind"] == kind)


def test_without_held_out_comparisons_there_are_no_figures():
    assert evaluation.figures([]) == {}


def test_the_figures_are_json_and_count_what_they_are_of():
    found = [comparison(1.0 if n % 3 else -1.0, root=str(n), tokens=(n, 9), answers=(f"{n}", "x")) for n in range(18)]
    figures = json.loads(json.dumps(evaluation.figures(found), allow_nan=False))
    assert (figures["pairs"], figures["roots"]) == (18, 18)
    assert figures["calibration"]["before"]["log_loss"] == pytest.approx(metrics.log_loss([1, 1, -1]))
    assert figures["ceiling"] is None
    assert figures["lengths"]["equal"] == 1


def test_after_the_temperature_a_model_that_is_too_sure_is_closer_to_people():
    found = [comparison(8.0 if n % 4 else -8.0, root=str(n)) for n in range(80)]
    calibration = evaluation.figures(found)["calibration"]
    assert calibration["temperature"] == pytest.approx(8 / 1.0986, abs=0.01)
    for name in ("log_loss", "brier", "ece"):
        assert calibration["after"][name] < calibration["before"][name]


def test_one_conversation_has_no_halves_and_no_interval():
    figures = evaluation.figures([comparison(), comparison(-1.0)])
    assert figures["calibration"]["after"] is None
    assert figures["lengths"]["longer_wins"]["low"] is None


def test_the_model_is_judged_apart_where_the_longer_answer_wins_and_where_it_loses():
    found = [comparison(1.0, tokens=(9, 2)), comparison(-1.0, tokens=(2, 9)), comparison(1.0, tokens=(2, 9))]
    lengths = evaluation.figures(found)["lengths"]
    assert lengths["longer_wins"]["value"] == pytest.approx(1 / 3)
    assert lengths["where_longer_wins"]["value"] == 1.0 and lengths["where_longer_loses"]["value"] == 0.5
    alike = evaluation.figures([comparison()])["lengths"]
    assert alike["where_longer_wins"] is None


def test_a_group_has_its_accuracy_and_a_kind_of_one_group_is_left_without():
    found = [comparison(1.0, labelers=("mia",), root="a"), comparison(-1.0, labelers=("ben",), root="b")]
    figures = evaluation.figures(found)
    assert [(one["label"], one["value"], one["pairs"]) for one in told("labeler", figures)["groups"]] == [
        ("mia", 1.0, 1),
        ("ben", 0.0, 1),
    ]
    assert told("split", figures)["groups"] == []


def test_of_many_groups_the_largest_are_shown_and_the_others_counted():
    found = [comparison(labelers=(f"labeler {n}",)) for n in range(30)] + [comparison(labelers=("mia",))] * 2
    labelers = told("labeler", evaluation.figures(found))
    assert len(labelers["groups"]) == 12 and labelers["more"] == 19
    assert labelers["groups"][0]["label"] == "mia"
