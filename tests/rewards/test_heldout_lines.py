import json

import pytest

from rewards import heldout, metrics
from rewards.learning import fit
from rewards.learning.score import Scorer
from tests.rewards import jobs


def fitted(path, **settings):
    run = jobs.attempt(jobs.folder(path, **settings))
    fit.run(run)
    return run


def lines(run):
    return [json.loads(line) for line in (run.partial / "heldout.jsonl").read_text().splitlines()]


def test_the_lines_are_the_comparisons_that_the_figures_are_about(tmp_path):
    rows = jobs.planted(8, seed=2)
    run = fitted(tmp_path, heldout=[*rows, rows[0] | {"labeler": "another"}])
    found, said = heldout.read(lines(run)), json.loads((run.partial / "metrics.json").read_text())
    table = heldout.columns(found)
    assert len(found) == said["heldout_pairs"] and len(set(table.roots)) == said["heldout_roots"]
    assert metrics.accuracy(table.log_odds) == pytest.approx(said["heldout_accuracy"])
    assert metrics.log_loss(table.log_odds) == pytest.approx(said["heldout_log_loss"], abs=1e-6)


def test_a_line_leads_to_its_texts_and_to_who_said_it(tmp_path):
    told = {"sources": ["sft", "people"], "strength": 2, "split": "train", "ranks": [2, 1]}
    row = jobs.planted(1, seed=2, answers=2)[0] | told | {"answers": ["first", "second one"]}
    run = fitted(tmp_path, heldout=[jobs.planted(1, seed=3)[0] | {"ranks": [1, 1, 1, 1]}, row])
    (line,) = lines(run)
    assert (line["row"], line["places"], line["sources"]) == (2, [1, 0], ["people", "sft"])
    assert (line["id"], line["root"], line["split"]) == (row["id"], row["root"], "train")
    assert (line["labelers"], line["votes"], line["strength"], line["share"]) == (["rule"], 1, 2, 1.0)
    assert line["tokens"] == [len("second one") + 1, len("first") + 1]
    scorer = Scorer.load(run.partial / "model")
    assert line["rewards"] == pytest.approx(scorer.score([(row["prompt"], ["second one", "first"])])[0], abs=1e-5)


def test_an_answer_has_the_same_name_wherever_it_is_compared(tmp_path):
    row = jobs.planted(1, seed=2, answers=2)[0] | {"answers": ["one", "two"], "ranks": [1, 2]}
    swapped = row | {"answers": ["two", "one"], "ranks": [1, 2], "labeler": "another"}
    first, second = lines(fitted(tmp_path, heldout=[row, swapped]))
    assert first["answers"] == second["answers"][::-1]


def test_a_conversation_that_is_trained_on_has_no_line(tmp_path):
    train = jobs.planted(12, seed=1)
    assert {
        line["row"] for line in lines(fitted(tmp_path, train=train, heldout=[*train[:5], *jobs.planted(4, seed=2)]))
    } <= {6, 7, 8, 9}


def test_a_consensus_says_how_many_people_its_shares_are_of_where_it_knows(tmp_path):
    three = {"labelers": ["mia", "ben", "eva"], "labeler": "", "n_rankings": 3, "answers": ["xx", "a"], "ranks": [1, 2]}
    rows = [row | three for row in jobs.planted(3, seed=2, answers=2)]
    rows[0] |= {"pairs": [[0, 1, 1 / 3]], "agreement": 2 / 3}  # soft labels
    rows[1] |= {"agreement": 1.0}
    rows[2] |= {"agreement": 2 / 3}  # the majority's verdict alone
    found = lines(fitted(tmp_path, heldout=rows))
    assert [(line["votes"], line["share"], line["places"]) for line in found] == [
        (3, pytest.approx(2 / 3), [1, 0]),
        (3, 1.0, [0, 1]),
        (1, 1.0, [0, 1]),
    ]
    assert found[0]["labelers"] == ["mia", "ben", "eva"]


def test_what_a_hand_wrote_beside_a_ranking_ends_no_fit(tmp_path):
    odd = {"sources": ["one"], "strength": "much", "labelers": "mia", "labeler": 7, "n_rankings": None, "root": None}
    (line,) = lines(fitted(tmp_path, heldout=[jobs.planted(1, seed=2, answers=2)[0] | odd | {"ranks": [1, 2]}]))
    assert (line["sources"], line["strength"], line["labelers"], line["votes"]) == (["", ""], None, [], 1)


def test_without_held_out_rankings_the_file_is_empty(tmp_path):
    assert lines(fitted(tmp_path, heldout=[])) == []
