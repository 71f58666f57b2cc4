import json

import pytest

from annotate import ranking
from annotate.formats import READERS, WRITERS, detect
from annotate.formats.rows import InvalidRow, RankedRow
from tests.annotate.formats.texts import row


@pytest.mark.parametrize("name", READERS)
def test_the_example_of_a_reader_is_known_as_its_own_and_is_read(name):
    example = json.loads(READERS[name].example)
    assert detect(example) == name
    assert len(list(READERS[name].read(example))) >= 1


@pytest.mark.parametrize("value", [{"prompt": "Why?"}, {"messages": []}, {}, [], "text", None, 7])
def test_what_ranks_nothing_is_no_format(value):
    assert detect(value) is None


@pytest.mark.parametrize("value", [[], "text", None, 7])
@pytest.mark.parametrize("name", READERS)
def test_a_row_that_is_no_object_is_refused(name, value):
    with pytest.raises(InvalidRow):
        list(READERS[name].read(value))


def places(value, path=()):
    """The way to every corner of a JSON value."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, within in pairs:
        yield (*path, key)
        yield from places(within, (*path, key))


def put(value, path, wrong):
    """The value with something else in one corner."""
    if not path:
        return wrong
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = put(value[path[0]], path[1:], wrong)
    return copy


@pytest.mark.parametrize(
    "wrong", [None, True, -1, 3.5, 10**400, "", "\x00", [], {}, [[]], {"a": []}, ["a", 1]], ids=repr
)
@pytest.mark.parametrize("name", READERS)
def test_a_wrong_value_in_any_corner_is_refused_or_yields_whole_rows(name, wrong):
    example = json.loads(READERS[name].example)
    for path in places(example):
        row = put(example, path, wrong)
        detect(row)
        try:
            found = list(READERS[name].read(row))
        except InvalidRow as problem:
            assert str(problem)
            continue
        for one in found:
            prompt = one.prompt if isinstance(one, RankedRow) else one
            assert prompt.external_id and prompt.root and prompt.messages
            if isinstance(one, RankedRow):
                assert ranking.check(dict(enumerate(one.ranks)), range(len(one.answers)))
                assert len(one.sources) in (0, len(one.answers))


ROWS = {
    "rankings": [row(["a", "b", "c"], [1, 2, 2], split="train", labeler="x", sources=["s", "s", "t"])],
    "demonstrations": [{"messages": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}]}],
    "prompts": [{"prompt": "Why?", "id": "p"}],
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_writer_writes_no_key_without_a_column(name):
    writer = WRITERS[name]
    written = list(writer.rows(ROWS[writer.kind]))
    assert written and all(set(one) <= set(writer.columns) for one in written)


@pytest.mark.parametrize("name", [name for name, writer in WRITERS.items() if writer.kind == "rankings"])
def test_a_writer_reads_no_more_than_it_needs_for_the_next_row(name):
    taken = []

    def rows():
        for number in range(1000):
            taken.append(number)
            yield row(["a", "b"], [1, 2], id=str(number))

    next(iter(WRITERS[name].rows(rows())))
    assert len(taken) <= 3
