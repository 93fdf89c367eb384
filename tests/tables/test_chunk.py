import pytest
from jobs import read_chunks

from sentcli.tables.chunk import Chunk, Position


def join(gaps, *columns):
    chunk = Chunk(None, ["x"] * 300, [], [], [], [], Position(0, 0, 300, 0, ""), 0)
    return chunk.join(*columns, gaps=gaps)


def test_fields_of_a_row_are_neighbours_and_gaps_are_in_their_places():
    names, ends = [b"%d" % number for number in range(300)], [b"\n"] * 300
    gaps = [(0, b"a"), (2, b"b"), (2, b"c"), (299, b"d"), (300, b"e")]
    expected = b"a" + b"".join(
        {2: b"bc", 299: b"d"}.get(number, b"") + b"%d\n" % number for number in range(300)
    )
    assert join(gaps, names, ends) == expected + b"e"


@pytest.mark.parametrize("counts", [(299, 300), (301, 300), (299, 299), (301, 301), (299,)])
@pytest.mark.parametrize("gaps", [[], [(1, b"\n")]])
def test_no_row_is_lost_for_want_of_a_field(counts, gaps):
    with pytest.raises(ValueError, match="for 300 texts"):
        join(gaps, *([b"x"] * count for count in counts))


@pytest.mark.parametrize(
    ("name", "data", "rows"),
    [
        ("in.csv", "id,text\n1,good\n2,bad\n", [["1", "good"], ["2", "bad"]]),
        ("in.jsonl", '{"id":1,"text":"good"}\n{"id":2,"text":"bad"}\n', [(1, "good"), (2, "bad")]),
        ("in.txt", "good\nbad\n", [("good",), ("bad",)]),
    ],
)
def test_released_rows_are_read_again_from_their_bytes(tmp_path, name, data, rows):
    (tmp_path / name).write_text(data)
    found = [row for chunk in read_chunks(tmp_path / name) for row in chunk.released().rows]
    assert [tuple(row.values()) if isinstance(row, dict) else row for row in found] == rows
