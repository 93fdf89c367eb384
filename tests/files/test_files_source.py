import gzip
import io
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from jobs import read_chunks

from sentcli.errors import DataError, OutputError, StopRequested
from sentcli.files.compression import Compressor
from sentcli.files.source import Source, inspect_input
from sentcli.tables.options import ReadOptions, WriteOptions

TEXT, PREFIX = ReadOptions(text_column="text"), WriteOptions(prefix="2")
ROWS = b"".join(b"line number %d\n" % number for number in range(3000))


def zstd(data):
    return pa.Codec("zstd").compress(data, asbytes=True)


COMPRESSIONS = {".gz": gzip.compress, ".zst": zstd}


@pytest.fixture
def stdin(monkeypatch):
    """Replace standard input by a pipe; return the end to write to."""
    read_end, write_end = os.pipe()
    with os.fdopen(read_end) as source, os.fdopen(write_end, "wb", buffering=0) as file:
        monkeypatch.setattr(sys, "stdin", source)
        yield file


@pytest.mark.parametrize("suffix", COMPRESSIONS)
def test_compressed_input_is_read_member_by_member(convert, suffix):
    compress = COMPRESSIONS[suffix]
    plain = convert(ROWS, "in.txt")
    data = compress(ROWS[:1000]) + compress(b"") + compress(ROWS[1000:])
    assert convert(data, f"in.txt{suffix}", ".txt") == plain
    assert convert(data, f"IN.TXT{suffix.upper()}", ".txt") == plain


@pytest.mark.parametrize("suffix", COMPRESSIONS)
def test_damaged_compressed_input_is_an_error(convert, tmp_path, suffix):
    data = COMPRESSIONS[suffix](ROWS)
    middle = bytearray(data)
    middle[len(data) // 2 :] = b"\x00" * (len(data) - len(data) // 2)
    for broken in (b"", data[: len(data) // 2], bytes(middle), b"no such thing at all"):
        with pytest.raises(DataError, match=rf"in\.txt\{suffix}: cannot be read: "):
            convert(broken, f"in.txt{suffix}", ".txt")
    assert [path.name for path in tmp_path.iterdir()] == [f"in.txt{suffix}"]


@pytest.mark.parametrize("suffix", COMPRESSIONS)
def test_a_damaged_later_member_is_an_error_and_not_the_end(convert, tmp_path, suffix):
    first, second = map(COMPRESSIONS[suffix], (ROWS[:1000], ROWS[1000:]))
    changed = [bytes([*second[:place], second[place] ^ 1, *second[place + 1 :]]) for place in range(3)]
    for broken in (*changed, second[:-1], second[:1], second + b"x", b"no such thing at all"):
        with pytest.raises(DataError, match=rf"in\.txt\{suffix}: cannot be read: "):
            convert(first + broken, f"in.txt{suffix}", ".txt")
    assert [path.name for path in tmp_path.iterdir()] == [f"in.txt{suffix}"]


@pytest.mark.parametrize("suffix", COMPRESSIONS)
def test_an_empty_member_is_not_the_end(convert, suffix):
    data = b"".join(map(COMPRESSIONS[suffix], (ROWS[:1000], b"", ROWS[1000:])))
    assert convert(data, f"in.txt{suffix}", ".txt") == convert(ROWS, "in.txt")


@pytest.mark.parametrize("suffix", COMPRESSIONS)
def test_unpacked_data_comes_in_bounded_blocks(tmp_path, suffix):
    (tmp_path / f"in.txt{suffix}").write_bytes(COMPRESSIONS[suffix](bytes(20 << 20)))
    with Source(inspect_input(str(tmp_path / f"in.txt{suffix}"))) as source:
        sizes = [len(block) for block in iter(source.read, b"")]
    assert sum(sizes) == 20 << 20
    assert max(sizes) <= 1 << 20


@pytest.mark.parametrize("data", [ROWS, b""])
@pytest.mark.parametrize(
    ("suffix", "unpack"),
    [
        (".gz", gzip.decompress),
        (".zst", lambda packed: pa.input_stream(pa.BufferReader(packed), "zstd").read()),
    ],
)
def test_compressed_output_unpacks_to_the_plain_output_and_has_the_same_bytes_each_time(
    convert, suffix, unpack, data
):
    packed = convert(data, "in.txt", f".txt{suffix}")
    assert packed
    assert unpack(packed) == convert(data, "in.txt")
    assert convert(data, "in.txt", f".txt{suffix}") == packed


def test_compressed_output_is_cut_where_its_content_says(monkeypatch):
    monkeypatch.setattr("sentcli.files.compression._MEMBER", 1000)
    one, two = Compressor(".gz"), Compressor(".gz")
    whole = one.add(ROWS) + one.close()
    pieces = [two.add(ROWS[place : place + 7]) for place in range(0, len(ROWS), 7)]
    assert b"".join(pieces) + two.close() == whole
    assert gzip.decompress(whole) == ROWS
    exact = Compressor(".gz")
    assert gzip.decompress(exact.add(ROWS[:2000]) + exact.close()) == ROWS[:2000]


def test_a_compressed_parquet_file(convert, tmp_path):
    convert(b"text\nx\n", target=".parquet")
    packed = gzip.compress((tmp_path / "out.parquet").read_bytes())
    out = convert(packed, "in.parquet.gz", ".csv", read=TEXT, write=PREFIX)
    assert out == b"text,sentiment,sentiment_score,2sentiment,2sentiment_score\nx,odd,0.142857,odd,0.142857\n"


@pytest.mark.linux
def test_a_full_temporary_folder_is_named_with_a_way_out(convert, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", "/some/folder")
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda: Path("/dev/full").open("w+b"))  # noqa: SIM115
    with pytest.raises(OutputError) as error:
        convert(gzip.compress(b"PAR1" * 1000), "in.parquet.gz", ".csv")
    assert str(error.value).endswith(
        f"cannot copy {tmp_path / 'in.parquet.gz'} to /some/folder: No space left on device; "
        "set TMPDIR to another folder"
    )


def test_standard_input_as_a_pipe(run, tmp_path, stdin):
    stdin.write(b"x\nxx\n")
    stdin.close()
    summary = run("-", tmp_path / "out.txt")
    assert (tmp_path / "out.txt").read_bytes() == b"odd\t0.142857\tx\neven\t0.285714\txx\n"
    assert summary.inputs == [{"path": "-", "size": None, "mtime_ns": None}]


def test_standard_input_as_a_file(run, tmp_path, monkeypatch):
    (tmp_path / "in").write_bytes(b"x\n")
    with (tmp_path / "in").open() as file:
        monkeypatch.setattr(sys, "stdin", file)
        summary = run("-", tmp_path / "out.txt")
        assert not file.closed
    assert (tmp_path / "out.txt").read_bytes() == b"odd\t0.142857\tx\n"
    assert summary.inputs[0]["size"] == 2


def test_standard_input_without_a_descriptor_or_closed(run, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"x\n")))
    run("-", tmp_path / "out.txt")
    assert (tmp_path / "out.txt").read_bytes() == b"odd\t0.142857\tx\n"
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(DataError, match="standard input is closed"):
        run("-", tmp_path / "out.txt")


def test_a_warning_about_a_table_read_as_lines_names_standard_input(run, tmp_path, stdin, caplog):
    stdin.write(b"id,text\n1,x\n")
    stdin.close()
    run("-", tmp_path / "out.txt")
    assert caplog.messages[0].startswith("standard input may be CSV with the columns id, text: if it is,")


def test_parquet_from_a_pipe(run, convert, tmp_path, stdin):
    convert(b"n,text\n1,x\n", target=".parquet")
    writer = threading.Thread(
        target=lambda: (stdin.write((tmp_path / "out.parquet").read_bytes()), stdin.close())
    )
    writer.start()
    run("-", tmp_path / "again.csv", read=ReadOptions("parquet", "text"), write=PREFIX)
    writer.join()
    assert (tmp_path / "again.csv").read_bytes().endswith(b"1,x,odd,0.142857,odd,0.142857\n")


def test_a_pipe_that_pauses_yields_its_complete_lines(tmp_path, stdin):
    stdin.write(b"first\nsec")
    started = time.monotonic()
    chunks = iter(read_chunks("-"))
    assert [*next(chunks).texts] == ["first"]
    assert time.monotonic() - started < 10
    time.sleep(0.3)  # no complete line has arrived
    stdin.write(b"ond\nthird\n")
    assert [*next(chunks).texts] == ["second", "third"]
    threading.Timer(0.3, stdin.write, [b"st"]).start()
    stdin.write(b"la")
    threading.Timer(0.6, stdin.close).start()
    assert [*next(chunks).texts] == ["last"]
    assert next(chunks, None) is None


def test_a_pause_at_the_end_of_an_input_does_not_change_compressed_bytes(run, tmp_path, stdin):
    for name in ("first", "second"):
        (tmp_path / f"{name}.txt").write_bytes(name.encode() + b"\n")
    run([tmp_path / "first.txt", tmp_path / "second.txt"], tmp_path / "files.txt.gz")
    stdin.write(b"first\n")
    threading.Timer(0.3, stdin.close).start()
    run(["-", tmp_path / "second.txt"], tmp_path / "pipe.txt.gz")
    assert (tmp_path / "pipe.txt.gz").read_bytes() == (tmp_path / "files.txt.gz").read_bytes()


def test_a_pause_within_a_csv_record(tmp_path, stdin):
    stdin.write(b'text\nx\n"a\n')
    chunks = iter(read_chunks("-", read=ReadOptions(format="csv")))
    assert [*next(chunks).texts] == ["x"]
    stdin.write(b'b"\ny\n')
    stdin.close()
    assert [*next(chunks).texts] == ["a\nb", "y"]


def test_a_pause_within_a_character_after_a_record_of_the_greatest_length(tmp_path, stdin):
    """A carriage return may end the line; whether a line feed follows is not known yet."""
    read = ReadOptions(format="csv", encoding="utf-16-le", max_row_bytes=32)
    data = ("text\r" + ("x" * 15 + "\r") * 2).encode("utf-16-le")
    stdin.write(data[: 10 + 32 + 1])
    threading.Timer(0.5, lambda: (stdin.write(data[10 + 32 + 1 :]), stdin.close())).start()
    chunks = read_chunks("-", read=read)
    assert [text for chunk in chunks for text in chunk.texts] == ["x" * 15] * 2


@pytest.mark.parametrize("form", [None, "lines"])
def test_a_pipe_that_does_not_block(run, tmp_path, stdin, form):
    os.set_blocking(sys.stdin.fileno(), False)
    thread = threading.Thread(target=lambda: (time.sleep(0.3), stdin.write(b"x\n"), stdin.close()))
    thread.start()
    run("-", tmp_path / "out.txt", read=ReadOptions(format=form))
    thread.join()
    assert (tmp_path / "out.txt").read_bytes() == b"odd\t0.142857\tx\n"


def test_a_read_waits_for_a_pipe_that_does_not_block(stdin):
    os.set_blocking(sys.stdin.fileno(), False)
    threading.Timer(0.3, stdin.write, [b"x"]).start()
    assert Source(inspect_input("-")).read() == b"x"


def test_inputs_that_cannot_be_opened_are_refused_by_name(run, tmp_path):
    with pytest.raises(DataError, match=r"none\.csv: No such file or directory"):
        run(tmp_path / "none.csv", tmp_path / "out.csv")
    (tmp_path / "dir").mkdir()
    with pytest.raises(DataError, match="dir is a folder, empty or found by a glob; name folders or files"):
        run(tmp_path / "dir", tmp_path / "out.csv")
    with pytest.raises(DataError, match="the name of an input is empty; give a file"):
        run("", tmp_path / "out.csv")
    (tmp_path / "in.csv").write_bytes(b"text\n")
    file = inspect_input(str(tmp_path / "in.csv"))
    (tmp_path / "in.csv").unlink()
    with pytest.raises(DataError, match=r"in\.csv: No such file or directory"):
        Source(file)


@pytest.mark.parametrize("name", ["in.txt", "in.parquet"])
def test_a_file_that_changes_while_it_is_read_is_an_error(convert, tmp_path, name):
    convert(b"text\nx\n" * 3, target=".parquet")
    data = (tmp_path / "out.parquet").read_bytes() if name.endswith("parquet") else ROWS
    (tmp_path / name).write_bytes(data)
    options = {"read": TEXT, "write": PREFIX} if name.endswith("parquet") else {}
    reader = read_chunks(tmp_path / name, **options)
    with (tmp_path / name).open("ab") as file:
        file.write(b"more\n" if name == "in.txt" else b"")
    os.utime(tmp_path / name, ns=(0, 0))
    with pytest.raises(DataError, match="changed while it was read"):
        list(reader)


def test_progress_reaches_the_size_of_all_inputs(tmp_path):
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_bytes(ROWS)
    reader = read_chunks(tmp_path / "a.txt", tmp_path / "b.txt")
    progress = [chunk.position.progress for chunk in reader]
    assert progress == sorted(progress)
    assert progress[-1] == reader.total_bytes == 2 * len(ROWS)


def test_progress_in_parquet_goes_by_rows(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["x"] * 10_000}), path)
    size = path.stat().st_size
    reader = read_chunks(path, path)
    positions = [chunk.position for chunk in reader]
    assert [position.progress for position in positions] == [size * each.rows // 10_000 for each in positions]
    assert positions[-1].progress == reader.total_bytes == 2 * size


@pytest.mark.parametrize("name", ["pipe.csv", "pipe.csv.gz"])
def test_a_signal_ends_the_wait_for_a_pipe(tmp_path, monkeypatch, name):
    os.mkfifo(tmp_path / name)
    file = inspect_input(str(tmp_path / name))
    checks = iter([None, None])  # before the pipe is opened, and while nobody writes

    def check():
        if next(checks, 0) == 0:
            raise StopRequested(15)

    monkeypatch.setattr("sentcli.files.stop.check", check)
    with Source(file) as source, pytest.raises(StopRequested):
        source.read()
    with (tmp_path / name).open("r+b", buffering=0) as writer:  # which does not wait
        checks = iter([None])
        with Source(file) as source, pytest.raises(StopRequested):
            source.read()  # while nothing is written
        monkeypatch.undo()
        writer.write(gzip.compress(b"text\n") if name.endswith("gz") else b"text\n")
        with Source(file) as source:
            assert source.read(5) == b"text\n"


def test_a_pipe_that_cannot_be_opened_is_an_error(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    file = inspect_input(str(tmp_path / "pipe"))

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(DataError, match="pipe: Permission denied"):
        Source(file)
