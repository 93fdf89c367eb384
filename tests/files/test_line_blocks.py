import pytest

from sentcli.files.lines import NO_LINES, Block, cut, decode

LINES = [b"a\n", b"\n", b"bcd\r\n", b"e"]


def test_lines_are_cut_out_of_a_block():
    block = Block.of(*LINES)
    assert [*block] == LINES
    assert [block[number] for number in range(len(block))] == LINES
    assert bytes(block.raw) == b"".join(LINES)
    assert (len(block), block.size, block.longest) == (4, 9, 5)


@pytest.mark.parametrize(("start", "stop"), [(0, 4), (1, 3), (2, 4), (0, 9), (4, 4), (2, 2)])
def test_a_part_is_the_lines_between_two_numbers(start, stop):
    part = Block.of(*LINES).part(start, stop)
    assert [*part] == LINES[start:stop]
    assert bytes(part.raw) == b"".join(LINES[start:stop])
    assert part.size == len(part.raw)
    assert [*part.part(0, 1)] == LINES[start:stop][:1]


def test_blocks_are_concatenated():
    block = Block.of(*LINES)
    assert [*Block.join([block.part(1, 3), NO_LINES, block, block.part(2, 4)])] == [
        *LINES[1:3],
        *LINES,
        *LINES[2:],
    ]
    assert Block.join([NO_LINES, block, NO_LINES]) is block
    assert [*Block.join([])] == []


LINES_IN_ASCII = [b"\n", b"a\r", b"\r\n", b"\r", b"b\r\n", b"\xc3\xa9\n", b"c"]


def test_lines_end_before_their_line_ends():
    block = Block.of(b"x", *LINES_IN_ASCII).part(1, 8)
    contents = [b"", b"a", b"", b"", b"b", b"\xc3\xa9", b"c"]
    assert cut(block.data, block.borders[:-1], block.stops) == contents
    assert block.are_wide.tolist() == [not line.isascii() for line in LINES_IN_ASCII]
    assert decode(block.data, block.borders[:-1], block.stops, block.are_wide, "utf-8") == [
        content.decode() for content in contents
    ]


def test_a_block_of_nothing():
    assert NO_LINES.stops.tolist() == NO_LINES.are_wide.tolist() == []
    assert decode(b"", NO_LINES.borders[:-1], NO_LINES.stops, NO_LINES.are_wide, "utf-8") == []
