import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import tiny
from training.folders import (
    JobFolder,
    UnusableFolder,
    check_model_folder,
    check_model_source,
    inside,
    seal,
    sha256,
    verify,
)

HELLO = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"  # sha256 of "hello"


@pytest.fixture
def folder(tmp_path) -> JobFolder:
    return JobFolder(tmp_path)


def test_inputs_are_lines_of_json_and_the_spec_comes_last(folder) -> None:
    assert folder.write_inputs("prompts.jsonl", [{"id": "ä"}, {"id": "b"}]) == 2
    assert (folder.path / "inputs/prompts.jsonl").read_text() == '{"id": "ä"}\n{"id": "b"}\n'
    assert not folder.spec.exists()
    folder.write_spec({"kind": "sample"})
    assert json.loads(folder.spec.read_text()) == {"kind": "sample"}


def test_a_sealed_folder_verifies_until_a_byte_of_it_changes(tmp_path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model/weights").write_text("hello")
    assert [tuple(file) for file in seal(tmp_path)] == [("model/weights", HELLO, 5)]
    verify(tmp_path)
    assert [tuple(file) for file in seal(tmp_path)] == [
        ("model/weights", HELLO, 5)
    ]  # the manifest vouches not for itself
    (tmp_path / "model/weights").write_text("hellO")
    with pytest.raises(UnusableFolder, match="model/weights is missing or was changed"):
        verify(tmp_path)


def test_a_folder_without_a_manifest_is_no_output(tmp_path) -> None:
    with pytest.raises(UnusableFolder, match="not a finished output"):
        verify(tmp_path)


def test_a_link_is_no_output(tmp_path) -> None:
    os.symlink("/etc/passwd", tmp_path / "answers.jsonl")
    with pytest.raises(UnusableFolder, match="is a link"):
        seal(tmp_path)


def test_a_published_output_is_whole_and_what_is_large_goes(folder) -> None:
    folder.partial(2).mkdir(parents=True)
    (folder.partial(2) / "metrics.json").write_text("{}")
    folder.partial(1).mkdir(parents=True)
    (folder.checkpoints / "step-1").mkdir(parents=True)
    folder.publish(2)
    folder.tidy()
    assert sorted(path.name for path in folder.path.iterdir()) == ["attempt-1", "attempt-2", "output"]
    assert not folder.partial(1).exists() and (folder.output / "metrics.json").exists()


@given(st.lists(st.sampled_from(["..", ".", "a", "/", "\x00", "%2e%2e", "\\..", "//etc"]), min_size=1, max_size=6))
def test_no_name_leads_out_of_its_folder(parts) -> None:
    root = Path("/srv/jobs/1")
    try:
        path = inside(root, "/".join(parts))
    except UnusableFolder:
        return
    assert path.is_relative_to(root)


def test_a_link_does_not_lead_out_either(tmp_path) -> None:
    (tmp_path / "root").mkdir()
    os.symlink(tmp_path, tmp_path / "root/up")
    with pytest.raises(UnusableFolder, match="leads out"):
        inside(tmp_path / "root", "up/secret")


def test_a_standard_folder_in_safetensors_is_a_model(tmp_path) -> None:
    check_model_folder(tiny.causal_lm(tmp_path / "model"))
    check_model_source(tmp_path / "model")


@pytest.mark.parametrize(
    ("file", "text", "sentence"),
    [
        ("pytorch_model.bin", "x", "pickled weights"),
        ("nested/optimizer.PT", "x", "pickled weights"),
        ("modeling_x.PY", "x", "code of its own"),
        ("tokenizer_config.json", '{"auto_map": {}}', "auto_map"),
        ("config.json", "{", "is not JSON"),
        ("config.json", "[]", "not a JSON object"),
        ("config.json", '{"auto_map": {"AutoModel": "x"}}', "auto_map"),
    ],
)
def test_a_folder_that_could_run_code_is_no_model(tmp_path, file, text, sentence) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_text("")
    check_model_folder(tmp_path)
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(text)
    with pytest.raises(UnusableFolder, match=sentence):
        check_model_folder(tmp_path)


def test_what_is_no_model_at_all_is_told_apart(tmp_path) -> None:
    for path, sentence in ((tmp_path / "no", "no model folder"), (tmp_path, "no config.json")):
        with pytest.raises(UnusableFolder, match=sentence):
            check_model_source(path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UnusableFolder, match="no weights in safetensors"):
        check_model_folder(tmp_path)
    (tmp_path / "x.gguf").write_bytes(b"PK\x03\x04")
    with pytest.raises(UnusableFolder, match="not a GGUF file"):
        check_model_source(tmp_path / "x.gguf")
    (tmp_path / "x.gguf").write_bytes(b"GGUF\x03")
    check_model_source(tmp_path / "x.gguf")


def test_a_hash_is_the_one_that_others_compute(tmp_path) -> None:
    (tmp_path / "file").write_text("hello")
    assert sha256(tmp_path / "file") == HELLO
