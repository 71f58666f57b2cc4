"""Range requests, header by header."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.ranges import Part, Unsatisfiable, is_current, is_known, part

SIZES = st.integers(0, 10**13)
HEADERS = st.one_of(
    st.text(max_size=40),
    st.from_regex(r"bytes=[0-9]{0,14}-[0-9]{0,14}", fullmatch=True),
    st.from_regex(r"bytes=([0-9]{0,3}-[0-9]{0,3},? ?){1,3}", fullmatch=True),
)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("bytes=0-", Part(0, 10)),
        ("bytes=0-0", Part(0, 1)),
        ("bytes=3-6", Part(3, 7)),
        ("bytes=9-", Part(9, 10)),
        ("bytes=3-99", Part(3, 10)),
        ("bytes=-4", Part(6, 10)),
        ("bytes=-40", Part(0, 10)),
        ("Bytes=3-6", Part(3, 7)),
        ("bytes=6-3", None),
        ("bytes=-", None),
        ("bytes=1-2,4-5", None),
        ("bytes=1-2-3", None),
        ("bytes=a-b", None),
        ("bytes=+1-2", None),
        ("bytes=١-٢", None),
        ("rows=1-2", None),
    ],
)
def test_a_header_of_a_file_of_ten_bytes(header, expected):
    assert part(header, 10) == expected


@pytest.mark.parametrize(
    ("header", "size"), [("bytes=10-", 10), ("bytes=99-200", 10), ("bytes=-0", 10), ("bytes=0-", 0), ("bytes=-1", 0)]
)
def test_a_range_without_a_byte_is_refused(header, size):
    with pytest.raises(Unsatisfiable):
        part(header, size)


@given(HEADERS, SIZES)
def test_whatever_is_asked_for_is_nothing_or_bytes_that_are_there(header, size):
    try:
        found = part(header, size)
    except Unsatisfiable:
        return
    assert found is None or 0 <= found.start < found.stop <= size


@given(st.binary(min_size=1, max_size=50), st.data())
def test_a_first_part_and_what_is_left_of_it_are_the_whole(content, data):
    size = len(content)
    cut = data.draw(st.integers(1, size))
    first = part(f"bytes=0-{cut - 1}", size)
    assert first is not None
    rest = part(f"bytes={cut}-", size) if cut < size else Part(size, size)
    last = part(f"bytes=-{size - cut}", size) if cut < size else rest
    assert rest is not None and rest == last
    assert content[slice(*first)] + content[slice(*rest)] == content
    assert first.of(size) == f"bytes 0-{cut - 1}/{size}"


def test_a_range_stands_only_for_the_content_that_it_was_begun_with():
    assert is_current(None, '"a"') and is_current('"a"', '"a"')
    assert not any(is_current(other, '"a"') for other in ('"b"', 'W/"a"', "Tue, 24 Nov 2026 10:00:00 GMT"))


def test_a_content_that_is_there_already_is_known_among_several():
    assert is_known('"b", W/"a"', '"a"') and is_known("*", '"a"')
    assert not is_known(None, '"a"') and not is_known('"b"', '"a"')
