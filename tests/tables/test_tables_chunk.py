import pytest

from sentcli.files.lines import Block
from sentcli.tables.chunk import Chunk, Position, Rows


def join(gaps, *columns):
    chunk = Chunk(["x"] * 300, [], [], Position(0, 0, 300, 0, ""), 0, gaps)
    return b"".join(chunk.join(*columns))


def test_fields_of_a_row_lie_one_behind_the_other_with_the_gaps_where_they_were():
    names, ends = [b"%d" % number for number in range(300)], [b"\n"] * 300
    gaps = [(0, b"a"), (2, b"b"), (2, b"c"), (299, b"d"), (300, b"e")]
    expected = b"a" + b"".join(
        {2: b"bc", 299: b"d"}.get(number, b"") + b"%d\n" % number for number in range(300)
    )
    assert join(gaps, names, map(memoryview, ends)) == expected + b"e"


@pytest.mark.parametrize("counts", [(299, 300), (301, 300), (300, 299), (300, 301), (256, 256)])
@pytest.mark.parametrize("gaps", [[], [(1, b"\n")]])
def test_no_row_is_lost_for_want_of_a_field(counts, gaps):
    with pytest.raises(ValueError, match=r"size|more fields"):
        join(gaps, *([b"x"] * count for count in counts))


@pytest.mark.parametrize("length", [10, 1000, 1 << 20])
def test_rows_go_out_in_pieces_of_about_one_size(length):
    rows = [b"x" * length] * 4096 if length < 1 << 20 else [b"x" * length] * 4
    chunk = Chunk([""] * len(rows), rows, [], Position(0, 0, len(rows), 0, ""), length * len(rows))
    *pieces, last, gap = chunk.join(rows)
    assert gap == b""
    assert {*map(len, pieces)} <= {max(length, (1 << 18) // length * length)}
    assert len(last) <= max(length, 1 << 18)
    assert sum(map(len, pieces)) + len(last) == length * len(rows)


def test_the_bytes_of_rows_are_told_one_by_one():
    block = Block.of(b"a", b"b", b"c")
    chunk = Chunk([""] * 4, [block.part(0, 2), b"d", block.part(2, 3)], [], Position(0, 0, 4, 0, ""), 4)
    assert [*chunk.raws] == [b"a", b"b", b"d", b"c"]


@pytest.mark.parametrize("values", [None, [*range(40)]])
def test_many_rows_stay_together_and_few_go_one_by_one(values):
    lines = [b"%d" % number for number in range(40)]
    rows = Rows([*map(str, range(40))], values, Block.of(*lines))
    assert [*rows.events()] == [rows]
    few = rows.part(3, 5, rows.raws.part(3, 5))
    assert [*few.events()] == [
        ("3", values[3] if values else b"3", b"3"),
        ("4", values[4] if values else b"4", b"4"),
    ]
