from training.tail import Tail


def test_only_whole_lines_are_read_and_each_once(tmp_path) -> None:
    file = tmp_path / "events.jsonl"
    tail = Tail(file)
    assert tail.read() == []
    file.write_bytes(b'{"step": 1}\n{"step": 2}\n{"st')
    assert tail.read() == [{"step": 1}, {"step": 2}]
    tail.advance()
    assert tail.read() == []
    with file.open("ab") as more:
        more.write(b'ep": 3}\n')
    assert tail.read() == [{"step": 3}]


def test_what_was_not_stored_is_read_again(tmp_path) -> None:
    (tmp_path / "events.jsonl").write_bytes(b'{"step": 1}\n')
    tail = Tail(tmp_path / "events.jsonl")
    assert tail.read() == tail.read() == [{"step": 1}]


def test_a_line_that_is_no_object_is_passed_over(tmp_path) -> None:
    (tmp_path / "events.jsonl").write_bytes(b'noise\n[1]\n\n{"step": 1}\n\xff\xfe\n')
    assert Tail(tmp_path / "events.jsonl").read() == [{"step": 1}]


def test_a_line_longer_than_what_is_read_at_once_is_read_whole(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("training.tail.READ_AT_ONCE", 8)
    (tmp_path / "answers.jsonl").write_bytes(b'{"text": "' + b"x" * 100 + b'"}\n{"text": "y"}\n')
    tail = Tail(tmp_path / "answers.jsonl")
    found = []
    while rows := tail.read():
        found += rows
        tail.advance()
    assert [len(row["text"]) for row in found] == [100, 1]
