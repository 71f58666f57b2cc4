"""What a snapshot may be asked for."""

from datetime import date

import pytest

from annotate.snapshots import InvalidSnapshotSpec, SnapshotSpec


@pytest.mark.parametrize(
    ("field", "asked"),
    [
        ("kind", {"kind": "comparisons"}),
        ("purpose", {"purpose": "fun"}),
        ("several", {"several": "loudest"}),
        ("ties", {"ties": "break"}),
        ("part", {"part": "half"}),
        ("split", {"split": "dev", "purpose": "testing"}),
        ("sources", {"sources": [""]}),
        ("sources", {"sources": "sft"}),
        ("sources", {"kind": "prompts", "sources": ["sft"]}),
        ("labelers_left_out", {"labelers_left_out": [3]}),
        ("guidelines_versions", {"guidelines_versions": [0]}),
        ("guidelines_versions", {"guidelines_versions": [True]}),
        ("most_per_labeler", {"most_per_labeler": 0}),
        ("most_per_labeler", {"kind": "prompts", "most_per_labeler": 5}),
        ("ties", {"kind": "demonstrations", "ties": "drop"}),
        ("heldout_share", {"heldout_share": 1}),
        ("heldout_share", {"heldout_share": float("nan")}),
        ("heldout_share", {"heldout_share": "0.2"}),
        ("seed", {"seed": -1}),
        ("seed", {"seed": 2**31}),
        ("created_from", {"created_from": "yesterday"}),
        ("created_from", {"created_from": 20260101}),
        ("created_until", {"created_from": "2026-02-01", "created_until": "2026-01-31"}),
        ("created_until", {"created_until": "9999-12-31"}),
        ("leave_out_flagged", {"leave_out_flagged": "yes"}),
        ("colour", {"colour": "red"}),
    ],
)
def test_nonsense_is_refused_under_the_name_of_its_field(field, asked):
    with pytest.raises(InvalidSnapshotSpec) as refused:
        SnapshotSpec.from_json(asked)
    assert refused.value.field == field and str(refused.value).endswith(".")


@pytest.mark.parametrize("split", ["id_test", "ood_test"])
def test_a_test_split_can_only_be_chosen_for_testing(split):
    with pytest.raises(InvalidSnapshotSpec, match="never enter training. Freeze them for testing"):
        SnapshotSpec(split=split)
    assert SnapshotSpec(split=split, purpose="testing").split == split


def test_a_spec_comes_back_from_its_json():
    spec = SnapshotSpec(
        sources=("sft", "ppo"), labelers_left_out=("mia",), created_from=date(2026, 1, 31), guidelines_versions=(2,),
        leave_out_flagged=True, several="soft", ties="half", most_per_labeler=9, part="train", seed=4,
    )  # fmt: skip
    assert SnapshotSpec.from_json(spec.to_json()) == spec
    assert SnapshotSpec.from_json({}) == SnapshotSpec()


def test_only_what_was_chosen_is_told():
    assert SnapshotSpec(ties="drop", created_until=date(2026, 3, 1)).chosen() == {
        "ties": "drop", "created_until": "2026-03-01",
    }  # fmt: skip
