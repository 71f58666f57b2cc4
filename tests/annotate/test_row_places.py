"""Where in its line a row that is not JSON breaks: what an editor calls that column."""

import io

import pytest

from annotate.row_files import RowFile, Unreadable


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"a": x}\n', "Expecting value at character 7"),
        ('\ufeff{"a": x}\n', "Expecting value at character 7"),
        ('  {"a": x}\r\n', "Expecting value at character 9"),
        ('{"é😀": x}\n', "Expecting value at character 8"),
        ('{"a": 1', "Expecting ',' delimiter at character 8"),
        ('{"a": 1\n', "Expecting ',' delimiter at character 8"),
        ('{"a": 1\r\n', "Expecting ',' delimiter at character 8"),
        ('{"a": 1 \t\r\n', "Expecting ',' delimiter at character 8"),
        ('{"a": "b\r\n', "Unterminated string starting at character 7"),
    ],
)
def test_a_row_that_is_not_json_is_told_by_the_place_where_it_breaks(line, said):
    with pytest.raises(Unreadable) as refused:
        list(RowFile(io.BytesIO(line.encode()), "rows.jsonl"))
    assert str(refused.value) == f"this is not JSON: {said}"
