import csv
import io

import pytest
from hypothesis import given

from annotate.formats import WRITERS, prompts, rankings, spreadsheet, trl
from annotate.formats.rows import clean_text
from annotate.row_files import RowFile
from tests.annotate.formats.texts import any_text, messages, ranking_rows, row


def through_csv(format, rows):
    """As a file is written and read back."""
    columns, table = WRITERS[format].columns, io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow(columns)
    writer.writerows(spreadsheet.cells(one, columns) for one in WRITERS[format].rows(rows))
    stream = io.BytesIO(table.getvalue().encode())
    return [spreadsheet.row(found.value) for found in RowFile(stream, "rows.csv")]


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "'=x", "''+", '[{"a": 1}]', "[ {", "[]", "'[{"]
)
def test_a_formula_and_what_looks_like_messages_is_escaped_and_comes_back(text):
    (cell,) = spreadsheet.cells({"prompt": text}, ["prompt"])
    assert cell == f"'{text}" and spreadsheet.row({"prompt": cell}) == {"prompt": text}


@pytest.mark.parametrize("text", ["plain", "a=b", "'quoted'", "1 - 2", "[x] done", "{"])
def test_other_texts_stay_as_they_are(text):
    assert spreadsheet.cells({"prompt": text}, ["prompt"]) == [text]
    assert spreadsheet.row({"prompt": text}) == {"prompt": text}


def test_an_empty_text_is_not_nothing():
    assert spreadsheet.cells({"chosen": "", "rejected": None}, ["chosen", "rejected"]) == ["'", ""]
    assert spreadsheet.row({"chosen": "'", "rejected": ""}) == {"chosen": ""}


@given(any_text)
def test_every_text_comes_back_from_its_cell(text):
    (cell,) = spreadsheet.cells({"labeler": text}, ["labeler"])
    assert cell[0] not in "=+-@\t\r" and spreadsheet.row({"labeler": cell}) == {"labeler": text}


@given(ranking_rows())
def test_rankings_come_back_from_a_table(said):
    (ranked,) = rankings.read({**said, "labeler": "-x", "strength": -1.5, "n_rankings": 3, "why": "=so"})
    (found,) = through_csv("ranking", [rankings.row(ranked)])
    assert list(rankings.read(found)) == [ranked]


@pytest.mark.parametrize("format", ["preference", "preference_text"])
@given(said=ranking_rows(most=2))
def test_preferences_come_back_from_a_table(format, said):
    (ranked,) = rankings.read(said)
    (found,) = through_csv(format, [rankings.row(ranked)])
    (read,) = trl.read(found)
    assert sorted(read.answers) == sorted(map(clean_text, said["answers"]))
    assert (read.prompt.messages, read.strength) == (ranked.prompt.messages, 1)


def test_the_label_of_an_unpaired_row_is_a_truth_value():
    assert [one["label"] for one in through_csv("unpaired", [row(["a", "b"], [1, 2])])] == [True, False]


def test_prompts_come_back_from_a_table_with_their_metadata():
    (found,) = through_csv(
        "prompt", [{"prompt": messages("Why?"), "id": "p", "root": "r", "split": "train", "topic": "=x"}]
    )
    (prompt,) = prompts.read(found)
    assert (prompt.external_id, prompt.root, prompt.metadata) == ("p", "r", {"topic": "=x"})


@pytest.mark.parametrize("said", ["=a text", ["a", "list"], 0, False])
def test_metadata_that_is_no_object_comes_back(said):
    (found,) = through_csv("prompt", [{"prompt": messages("Why?"), "id": "p", "metadata": said}])
    (prompt,) = prompts.read(found)
    assert prompt.metadata == {"metadata": said}


def test_a_line_an_answer_for_spreadsheets():
    lines = list(
        spreadsheet.answer_rows([row(["a", "b"], [2, 1], sources=["s", "t"], labeler="x"), row(["c", "d"], [1, 1])])
    )
    assert [(one["ranking"], one["answer"], one["rank"], one["source"]) for one in lines] == [
        (1, "a", 2, "s"), (1, "b", 1, "t"), (2, "c", 1, None), (2, "d", 1, None)
    ]  # fmt: skip
    assert lines[0]["prompt"] == "Why?" and lines[0]["labeler"] == "x"
