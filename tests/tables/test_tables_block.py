import pytest

from sentcli.files.lines import NO_LINES, Block

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


def test_blocks_are_put_behind_one_another():
    block = Block.of(*LINES)
    assert [*Block.join([block.part(1, 3), NO_LINES, block, block.part(2, 4)])] == [
        *LINES[1:3],
        *LINES,
        *LINES[2:],
    ]
    assert Block.join([NO_LINES, block, NO_LINES]) is block
    assert [*Block.join([])] == []


@pytest.mark.parametrize("long", [b"", b"y" * 8000])
def test_lines_are_cut_from_their_line_ends(long):
    lines = [b"\n", b"a\r", b"\r\n", b"\r", b"b\r\n", b"\xc3\xa9\n", long + b"c"]
    contents, ends = Block.of(b"x", *lines).part(1, 8).cut()
    assert [*map(bytes, contents)] == [b"", b"a", b"", b"", b"b", b"\xc3\xa9", long + b"c"]
    assert ends == [b"\n", b"\r", b"\r\n", b"\r", b"\r\n", b"\n", b""]
