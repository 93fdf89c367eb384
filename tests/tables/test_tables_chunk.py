import pytest

from sentcli.tables.chunk import Chunk, Position


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
