"""What goes out as Parquet or as a folder, opened by the libraries that people use."""

import io
import json
import zipfile
from itertools import count, islice

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotate import exports, parquet, snapshots
from annotate.formats import WRITERS, spreadsheet, trl
from annotate.formats.rows import clean_text
from annotate.imports import import_prompts
from annotate.models import Answer, Ranking
from tests.factories import make_answers, make_batch, make_project, make_prompt, make_ranking, make_task

TEXTS = ("=1+1 \u202e 你好 🙂\r\n", "bad\t\"'")


@pytest.fixture(autouse=True)
def home(settings, tmp_path):
    settings.HOME = tmp_path / "home"


@pytest.fixture
def project(db):
    project = make_project()
    rows = [
        {"id": "one", "prompt": "Why?", "level": 2},
        {"id": "two", "prompt": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "And how?"}]},
    ]
    file = io.BytesIO("\n".join(map(json.dumps, rows)).encode())
    import_prompts(project=project, stream=io.BufferedReader(file), filename="p.jsonl", split="train")
    for prompt in project.prompts.order_by("pk"):
        make_ranking(make_task(answers=make_answers(prompt, TEXTS)), ranks=(1, 2))
    tested = make_prompt(project, "What is tested?", split="id_test", external_id="three")
    make_ranking(make_task(answers=make_answers(tested, TEXTS)), ranks=(2, 1))
    by_people = make_batch(project, "people", source="people")
    for prompt in project.prompts.all():
        Answer.objects.create(batch=by_people, prompt=prompt, index=0, text="As said: \u200b🙂")
    return project


@pytest.fixture(params=WRITERS)
def format(request):
    return request.param


@pytest.fixture
def snapshot(project, format):
    return snapshots.freeze(project=project, kind=WRITERS[format].kind, purpose="testing")


def expected(snapshot, format, split=None):
    """The rows that a writer gives, with every column."""
    rows = [row for row in snapshots.read(snapshot) if split in (None, row["split"])]
    columns = WRITERS[format].columns
    return [spreadsheet.gathered(row, columns) for row in WRITERS[format].rows(rows)]


def back(rows, format):
    """JSON is a text in Parquet; all else is as it was."""
    columns = WRITERS[format].columns
    return [
        {key: json.loads(value) if columns[key] == "json" and value else value for key, value in row.items()}
        for row in rows
    ]


def written(path, snapshot, format, ending):
    path.write_bytes(b"".join(exports.export(snapshot, format, ending=ending)))
    return path


def unpacked(tmp_path, snapshot, format):
    with zipfile.ZipFile(written(tmp_path / "a.zip", snapshot, format, "zip")) as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path / "unpacked")
    (folder,) = (tmp_path / "unpacked").iterdir()
    return folder


def test_parquet_comes_back_equal(tmp_path, snapshot, format):
    table = pq.read_table(written(tmp_path / "a.parquet", snapshot, format, "parquet"))
    assert back(table.to_pylist(), format) == expected(snapshot, format) != []
    assert table.column_names == list(WRITERS[format].columns)


def test_pandas_reads_json_lines_and_parquet_alike(tmp_path, snapshot, format):
    import pandas

    lines = pandas.read_json(
        written(tmp_path / "a.jsonl", snapshot, format, "jsonl"), lines=True, dtype=False, convert_dates=False
    )
    table = pandas.read_parquet(written(tmp_path / "a.parquet", snapshot, format, "parquet"))
    assert len(lines) == len(table) == len(expected(snapshot, format))
    for column, holds in WRITERS[format].columns.items():
        if holds == "text" and column in lines:
            assert list(lines[column]) == list(table[column])


def test_datasets_opens_the_folder_with_its_splits(tmp_path, snapshot, format):
    import datasets

    loaded = datasets.load_dataset(str(unpacked(tmp_path, snapshot, format)), cache_dir=str(tmp_path / "cache"))
    assert {split: back(rows.to_list(), format) for split, rows in loaded.items()} == {
        split: expected(snapshot, format, split) for split in ("id_test", "train")
    }


def test_datasets_opens_a_file_of_json_lines(tmp_path, snapshot, format):
    import datasets

    path = written(tmp_path / "a.jsonl", snapshot, format, "jsonl")
    rows = datasets.load_dataset("json", data_files=str(path), cache_dir=str(tmp_path / "cache"), split="train")
    assert len(rows) == len(expected(snapshot, format))


@pytest.mark.parametrize("said", ["a text", ["a", "list"], 0, {"an": "object"}])
def test_prompts_with_metadata_of_any_kind_go_out_in_every_container(tmp_path, project, said):
    make_prompt(project, metadata={"metadata": said, "level": 3}, external_id="odd")
    snapshot = snapshots.freeze(project=project, kind="prompts", purpose="testing")
    table = pq.read_table(written(tmp_path / "a.parquet", snapshot, "prompt", "parquet")).to_pylist()
    found = json.loads(next(row["metadata"] for row in table if row["id"] == "odd"))
    assert found == {**(said if isinstance(said, dict) else {"metadata": said}), "level": 3}
    for ending in ("csv", "zip"):
        assert written(tmp_path / "b", snapshot, "prompt", ending).stat().st_size


def test_a_subset_that_is_no_text_does_not_break_a_table(tmp_path, project):
    Ranking.objects.update(metadata={"subset": 7})
    snapshot = snapshots.freeze(project=project)
    table = pq.read_table(written(tmp_path / "a.parquet", snapshot, "rewardbench", "parquet"))
    assert table["subset"].to_pylist() == ["train", "train"]


@pytest.mark.parametrize("format", ["preference", "preference_implicit", "unpaired", "prompt_completion"])
def test_trl_takes_the_rows_of_the_folder_as_conversations(tmp_path, snapshot, format):
    import datasets
    from trl import extract_prompt, is_conversational

    loaded = datasets.load_dataset(str(unpacked(tmp_path, snapshot, format)), cache_dir=str(tmp_path / "cache"))
    for row in loaded["train"]:
        assert is_conversational(row)
        if format == "preference_implicit":
            assert extract_prompt(row)["prompt"][-1]["role"] == "user"


def test_the_folder_of_a_snapshot_is_the_same_each_time(project):
    snapshot = snapshots.freeze(project=project)
    one, other = (b"".join(exports.export(snapshot, "preference", ending="zip")) for _ in range(2))
    assert one == other


def test_the_folder_of_a_snapshot_without_a_card_has_its_splits(project, tmp_path):
    snapshot = snapshots.freeze(project=project, purpose="testing")
    snapshot.card, snapshot.settings = {}, {}
    folder = unpacked(tmp_path, snapshot, "preference")
    assert sorted(file.name for file in (folder / "data").iterdir()) == ["id_test.parquet", "train.parquet"]


def test_a_project_has_no_card_and_so_no_folder(project):
    with pytest.raises(exports.ExportRefused, match="freeze one first"):
        exports.export(project, "ranking", ending="zip")


def test_what_stands_in_a_project_goes_out_as_parquet(project, tmp_path):
    content = b"".join(exports.export(project, "preference", ending="parquet", purpose="testing"))
    assert pq.read_table(io.BytesIO(content)).num_rows == 3


def test_whoever_waits_hears_how_many_rows_are_done(project):
    snapshot = snapshots.freeze(project=project, purpose="testing")
    for ending in exports.TYPES:
        heard: list[int] = []
        b"".join(exports.export(snapshot, "hh_rlhf", ending=ending, watch=heard.append))
        assert heard[-1] == 3


def test_numbers_of_more_than_64_bits_stay_exact(project):
    prompt = make_prompt(project, metadata={"huge": 2**70})
    *_, line = exports.export(project, "prompt")
    assert json.loads(line)["huge"] == prompt.metadata["huge"]


def test_no_more_than_one_row_group_is_read_ahead(monkeypatch):
    monkeypatch.setattr(parquet, "GROUP_BYTES", 100_000)
    taken = count()
    text = "x" * 1000
    rows = ({"chosen": text, "rejected": f"{number}"} for number in taken)
    pieces = parquet.pieces(rows, WRITERS["hh_rlhf"].columns)
    assert all(len(list(islice(pieces, 1))) == 1 for _ in range(5))
    assert next(taken) <= 5 * parquet.AT_ONCE


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.text(), min_size=2, max_size=4), min_size=1, max_size=5))
def test_any_text_comes_back_equal_from_parquet(said):
    rows = [
        {
            "id": str(number),
            "prompt": [{"role": "user", "content": clean_text(texts[0])}],
            "answers": [clean_text(text) for text in texts],
            "ranks": list(range(1, len(texts) + 1)),
        }
        for number, texts in enumerate(said)
    ]
    wanted = WRITERS["preference"]
    content = b"".join(parquet.pieces(trl.preference_rows(rows), wanted.columns))
    assert pq.read_table(io.BytesIO(content)).to_pylist() == list(trl.preference_rows(rows))
