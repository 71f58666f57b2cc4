from dataclasses import MISSING, fields

import pytest

from rewards.specs import InvalidSpec, describe
from training import light
from training.learning.__main__ import KINDS as RUN
from training.specs import KINDS, BestOfNSpec, ConvertSpec, SampleSpec


def test_every_kind_that_has_settings_can_be_run_and_the_other_way_round():
    assert [name for name, kind in KINDS.items() if kind.queue == "jobs"] == list(RUN)
    assert [name for name, kind in KINDS.items() if kind.queue == "light"] == list(light.WORK)


@pytest.mark.parametrize("kind", KINDS)
def test_a_setting_has_a_label_a_help_and_unless_it_is_a_folder_a_default(kind: str):
    for one in fields(KINDS[kind].spec):
        assert one.metadata["label"]
        assert one.metadata["help"].endswith(".")
        assert (one.default is MISSING) == one.metadata["folder"]


def test_what_is_stored_is_read_back():
    spec = BestOfNSpec(policy="/p", reward_model="/r", n=8, temperature=1.0)
    assert BestOfNSpec.from_json(spec.to_json()) == spec


def test_the_folders_are_the_workers_to_fill_in():
    assert "policy" not in [one.name for one in describe(SampleSpec)]
    assert describe(ConvertSpec) == []


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"answers": 0}, "answers must be at least 1"),
        ({"temperature": -0.1}, "temperature must be at least 0"),
        ({"top_p": 0.0}, "top_p must be at least 0.01"),
        ({"top_p": 1.5}, "top_p must be at most 1"),
        ({"precision": "int4"}, "precision must be one of bfloat16, float32"),
        ({"max_new_tokens": "many"}, "max_new_tokens must be a whole number"),
        ({"seed": True}, "seed must be a whole number"),
        ({"n": 4}, "There is no setting 'n' here"),
    ],
)
def test_a_setting_out_of_bounds_is_refused_by_name(chosen: dict, message: str):
    with pytest.raises(InvalidSpec, match=message):
        SampleSpec.from_json({"policy": "/p", **chosen})
