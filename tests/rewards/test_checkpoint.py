import json
import os
import resource
import shutil
import subprocess
import sys
from collections import namedtuple

import pytest
import torch

from rewards.learning import checkpoint
from rewards.learning.events import Refused

WEIGHTS = {"weights": {"w": torch.arange(6.0).view(2, 3)}, "random": {"cpu": torch.get_rng_state()}}


def test_a_checkpoint_gives_back_what_was_saved(tmp_path):
    checkpoint.save(tmp_path, 7, WEIGHTS, {"progress": {"step": 7}})
    saved = checkpoint.newest(tmp_path)
    assert (saved.step, saved.state) == (7, {"progress": {"step": 7}})
    assert torch.equal(saved.groups["weights"]["w"], WEIGHTS["weights"]["w"])
    assert saved.groups["random"]["cpu"].dtype == torch.uint8


def test_the_newest_two_are_kept(tmp_path):
    for step in (2, 9, 10, 11):
        checkpoint.save(tmp_path, step, WEIGHTS, {})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-10", "step-11"]


@pytest.mark.parametrize("damage", ["weights.safetensors", "state.json", "manifest.json"])
def test_a_damaged_checkpoint_is_passed_over(tmp_path, damage):
    checkpoint.save(tmp_path, 1, WEIGHTS, {})
    checkpoint.save(tmp_path, 2, WEIGHTS, {})
    content = bytearray((tmp_path / "step-2" / damage).read_bytes())
    content[-1] ^= 1
    (tmp_path / "step-2" / damage).write_bytes(content)
    if damage == "manifest.json":
        (tmp_path / "step-2" / damage).write_text("{")
    assert checkpoint.newest(tmp_path).step == 1


def test_a_half_written_checkpoint_is_not_seen(tmp_path):
    checkpoint.save(tmp_path, 1, WEIGHTS, {})
    (tmp_path / ".step-2.partial").mkdir()
    (tmp_path / "step-3").mkdir()
    assert checkpoint.newest(tmp_path).step == 1


def test_no_checkpoint_is_no_error(tmp_path):
    assert checkpoint.newest(tmp_path / "nowhere") is None


def test_loaded_tensors_lie_in_memory_of_their_own(tmp_path):
    checkpoint.save(tmp_path, 1, {"weights": {"a": torch.ones(3), "b": torch.ones(5)}}, {})
    file = tmp_path / "step-1" / "weights.safetensors"
    assert all(tensor.data_ptr() % 64 == 0 for tensor in checkpoint.load_tensors(file).values())


def test_too_little_room_is_seen_before_writing(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(100, 90, 10))
    with pytest.raises(Refused, match="The disk is full"):
        checkpoint.save(tmp_path, 1, WEIGHTS, {})
    assert list(tmp_path.iterdir()) == []


FILLS_UP = """
import sys, torch
from pathlib import Path
from rewards.learning import checkpoint
from rewards.learning.events import Refused
folder = Path(sys.argv[1])
checkpoint.save(folder, 1, {"weights": {"w": torch.ones(10)}}, {})
try:
    checkpoint.save(folder, 2, {"weights": {"w": torch.ones(100_000)}}, {})
except Refused as refusal:
    print(refusal)
"""


def test_a_disk_that_fills_up_while_saving_leaves_the_old_checkpoint_alone(tmp_path):
    """A limit on the size of a file stands in for the disk: the write fails halfway through the second checkpoint."""
    result = subprocess.run(
        [sys.executable, "-c", FILLS_UP, str(tmp_path)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": "."},
    )
    assert "The disk is full" in result.stdout, result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["step-1"]
    assert checkpoint.newest(tmp_path).step == 1


def test_nothing_is_pickled(tmp_path):
    folder = checkpoint.save(tmp_path, 1, WEIGHTS, {"a": 1})
    assert sorted(path.suffix for path in folder.iterdir()) == [".json", ".json", ".safetensors", ".safetensors"]
    assert set(json.loads((folder / "manifest.json").read_text())) == {
        "random.safetensors",
        "state.json",
        "weights.safetensors",
    }
