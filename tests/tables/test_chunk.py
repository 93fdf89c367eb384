import pytest

from sentcli.files.lines import Block
from sentcli.tables.chunk import Chunk, Position, RowsBuilder


def join(gaps, *columns):
    chunk = Chunk(["x"] * 300, [], [], Position(0, 0, 300, 0, ""), 0, gaps)
    return chunk.join(*columns)


def test_fields_of_a_row_are_neighbours_and_gaps_are_in_their_places():
    names, ends = [b"%d" % number for number in range(300)], [b"\n"] * 300
    gaps = [(0, b"a"), (2, b"b"), (2, b"c"), (299, b"d"), (300, b"e")]
    expected = b"a" + b"".join(
        {2: b"bc", 299: b"d"}.get(number, b"") + b"%d\n" % number for number in range(300)
    )
    assert join(gaps, names, iter(ends)) == expected + b"e"


@pytest.mark.parametrize("counts", [(299, 300), (301, 300), (299, 299), (301, 301), (299,)])
@pytest.mark.parametrize("gaps", [[], [(1, b"\n")]])
def test_no_row_is_lost_for_want_of_a_field(counts, gaps):
    with pytest.raises(ValueError, match=r"shorter|longer|for 300 texts"):
        join(gaps, *([b"x"] * count for count in counts))


@pytest.mark.parametrize("has_values", [False, True])
def test_rows_are_neighbours_until_they_are_taken(has_values):
    rows = RowsBuilder(Block.of(b"a", b"b", b"c", b"d", b"e"), has_values=has_values)
    assert [*rows.take()] == []
    rows.add(["1", "2"], [[1], [2]], 0, [1, 3])
    rows.add(["3"], [[3]], 3, [4])
    (first,) = rows.take()
    rows.add(["4"], [[4]], 4, [5])
    (second,) = rows.take()
    assert (first.texts, [*first.raws]) == (["1", "2", "3"], [b"a", b"bc", b"d"])
    assert (second.texts, [*second.raws]) == (["4"], [b"e"])
    assert second.values == ([[4]] if has_values else None)
    part = first.part(1, 3)
    assert (part.texts, [*part.raws]) == (["2", "3"], [b"bc", b"d"])
    assert part.values == ([[2], [3]] if has_values else None)
