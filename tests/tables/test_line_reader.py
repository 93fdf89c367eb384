"""Inputs that are read by physical lines: pipes that pause, lines in pieces, long lines."""

import pytest
from jobs import read_chunks, write_to_pipe

from sentcli.errors import DataError
from sentcli.tables.options import ReadOptions


def read(path, form="lines", **options):
    """Return the chunks of a file or pipe."""
    return [*read_chunks(path, read=ReadOptions(format=form, **options))]


@pytest.mark.parametrize("rest", [b"", b"c\n" * 700])
@pytest.mark.usefixtures("small_chunks")
def test_a_pause_gives_the_lines_so_far_and_moves_no_later_end(tmp_path, rest):
    chunks = read(write_to_pipe(tmp_path / "pipe", b"a\nb\n", rest, pause=0.3))
    (tmp_path / "file.txt").write_bytes(b"a\nb\n" + rest)
    assert (chunks[0].texts, chunks[0].whole) == (["a", "b"], False)
    whole = [chunk.position for chunk in chunks if chunk.whole]
    assert whole == [chunk.position for chunk in read(tmp_path / "file.txt")]


def test_lines_that_come_now_and_then_hold_none_back_for_long(tmp_path):
    chunks = read(write_to_pipe(tmp_path / "pipe", *[b"a\n"] * 12, pause=0.04))
    assert len(chunks) > 2
    assert sum(len(chunk.texts) for chunk in chunks) == 12


def test_a_pause_within_the_first_line_gives_nothing(tmp_path):
    chunks = read(write_to_pipe(tmp_path / "pipe", b"text", b"\nx\n", pause=0.25), "csv")
    assert [(chunk.texts, chunk.whole) for chunk in chunks] == [(["x"], False), ([], True)]


@pytest.mark.parametrize("block", [1, 3, 1 << 19])
@pytest.mark.parametrize("size", [100, 101, 1600, 1601])
def test_a_line_over_the_limit_is_rejected_and_one_far_over_is_an_error(tmp_path, monkeypatch, block, size):
    monkeypatch.setattr("sentcli.files.source._BLOCK", block)
    (tmp_path / "in.txt").write_bytes(b"x\n" + b"y" * (size - 1) + b"\nz\n")
    if size > 1600:
        with pytest.raises(DataError, match=r"in\.txt: a line of more than 1600 bytes; is this text\?"):
            read(tmp_path / "in.txt", max_row_bytes=100)
        return
    (chunk,) = read(tmp_path / "in.txt", max_row_bytes=100)
    assert len(chunk.texts) == 3 - (size > 100)
    assert [(reject.line, reject.offset, len(reject.raw)) for reject in chunk.rejects] == [(2, 2, size)] * (
        size > 100
    )


@pytest.mark.parametrize("late", [0, 1 << 15])
@pytest.mark.parametrize("codec", ["utf-8", "cp1252", "utf-16"])
def test_a_file_is_read_in_the_encoding_that_all_of_it_shows(tmp_path, codec, late):
    (tmp_path / "a.txt").write_bytes((("plain " * 40 + "\n") * late + "schön\n").encode(codec))
    *_, last = read(tmp_path / "a.txt")
    assert last.texts[-1] == "schön"


def test_a_pipe_is_read_as_its_first_bytes_show(tmp_path):
    parts = ["schön\n".encode("cp1252"), "été\n".encode("cp1252")]
    chunks = read(write_to_pipe(tmp_path / "pipe", *parts, pause=0.2))
    assert [text for chunk in chunks for text in chunk.texts] == ["schön", "été"]


def test_the_name_of_another_encoding_is_asked_for(tmp_path):
    (tmp_path / "a.txt").write_bytes("очень хорошо\n".encode("cp1251"))
    with pytest.raises(DataError, match=r"a\.txt: neither UTF-8 nor plainly cp1252; try --encoding cp1251; "):
        read(tmp_path / "a.txt")


def test_an_encoding_that_nothing_shows_is_asked_for(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"a\x01\x02\x03\x04\xff\xfe\xe9\n" * 9)
    with pytest.raises(DataError, match=r"neither UTF-8 nor plainly cp1252; which --encoding is it\? "):
        read(tmp_path / "a.txt")
