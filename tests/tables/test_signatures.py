"""Binary formats are known by their first bytes, wherever they come from, and are never read as lines."""

import bz2
import gzip
import io
import lzma
import os
import pickle
import sqlite3
import sys
import threading
import zipfile
from contextlib import ExitStack

import pyarrow as pa
import pyarrow.orc as orc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jobs import write_to_pipe
from xlsxwriter import Workbook

from sentcli.errors import DataError
from sentcli.tables.options import ReadOptions
from sentcli.tables.registry import signature_of

TABLE = pa.table({"text": ["x", "xx"]})
CSV = b"text\nx\nxx\n"
JSONL = b'{"text":"x"}\n{"text":"xx"}\n'
SCORED = b"text,sentiment,sentiment_score\nx,odd,0.142857\nxx,even,0.285714\n"


def in_memory(write):
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


def workbook(buffer):
    with Workbook(buffer) as book:
        book.add_worksheet().write_column(0, 0, ["text", "x", "xx"])


def arrow(new):
    def write(buffer):
        with new(buffer, TABLE.schema) as writer:
            writer.write_table(TABLE)

    return write


def archive(buffer):
    with zipfile.ZipFile(buffer, "w") as opened:
        opened.writestr("a.csv", CSV)


def database():
    with sqlite3.connect(":memory:") as connection:
        connection.execute("CREATE TABLE reviews(text)")
        return connection.serialize()


READ = {
    "parquet": in_memory(lambda buffer: pq.write_table(TABLE, buffer)),
    "arrow": in_memory(arrow(pa.ipc.new_file)),
    "arrow stream": in_memory(arrow(pa.ipc.new_stream)),
    "orc": in_memory(lambda buffer: orc.write_table(TABLE, buffer)),
    "xlsx": in_memory(workbook),
    "gzip": gzip.compress(JSONL),
    "zstd": bytes(pa.Codec("zstd").compress(JSONL)),
    "parquet in gzip": gzip.compress(in_memory(lambda buffer: pq.write_table(TABLE, buffer))),
}
REFUSED = {
    ".sqlite": (database(), "try: sqlite3 -header -csv FILE.sqlite .* | sentcli score"),
    ".duckdb": (b"\x01" * 8 + b"DUCK\x40" + b"\0" * 9, "try: duckdb FILE.duckdb"),
    ".zip": (in_memory(archive), r"try: sentcli score NAME\.zip -o OUT/"),
    ".avro": (b"Obj\x01\x04\x16avro", "polars"),
    ".pkl": (pickle.dumps([{"a": 1}]), "pandas.*FILE.pkl"),
    ".bz2": (bz2.compress(CSV), r"try: bzip2 -dc FILE\.bz2 | sentcli score"),
    ".xz": (lzma.compress(CSV), r"try: xz -dc FILE\.xz | sentcli score"),
    ".pdf": (b"%PDF-1.4\n%", r"try: pdftotext FILE\.pdf - \| awk"),
    ".html": (b"\xef\xbb\xbf\n<!DOCTYPE html>\n<html>", r"html.unescape.* FILE\.html"),
    ".xml": (b'<?xml version="1.0"?><a/>', r"ElementTree.* FILE\.xml > OUT\.jsonl"),
    ".xls": (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 20,
        r"try: sentcli score FILE\.xls --input-format xlsx -o OUT\.xlsx",
    ),
}


@pytest.fixture
def piped(monkeypatch):
    """Return a function that puts bytes on standard input."""

    def put(data):
        read_end, write_end = os.pipe()
        monkeypatch.setattr(sys, "stdin", pipes.enter_context(os.fdopen(read_end)))
        threading.Thread(target=lambda: [os.write(write_end, data), os.close(write_end)]).start()
        return "-"

    with ExitStack() as pipes:
        yield put


@pytest.mark.parametrize("name", READ)
def test_a_pipe_is_read_as_its_first_bytes_say(run, piped, tmp_path, name):
    run(piped(READ[name]), tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_bytes() == SCORED


@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize("file", ["in", "in.txt", "in.gz", "in.zst"])
def test_so_is_a_file_whose_name_does_not_say_its_format(run, tmp_path, name, file):
    compress = {"in.gz": gzip.compress, "in.zst": pa.Codec("zstd").compress}.get(file, bytes)
    if "z" not in file or name not in ("gzip", "zstd", "parquet in gzip"):
        (tmp_path / file).write_bytes(compress(READ[name]))
        run(tmp_path / file, tmp_path / "out.csv")
        assert (tmp_path / "out.csv").read_bytes() == SCORED


def test_a_named_pipe_is_read_as_its_first_bytes_say(run, tmp_path):
    pipe = write_to_pipe(tmp_path / "63", READ["parquet in gzip"])  # as of <(...)
    run(pipe, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_bytes() == SCORED


@pytest.mark.parametrize("form", [None, "lines", "csv", "jsonl"])
@pytest.mark.parametrize("suffix", REFUSED)
def test_other_formats_in_a_pipe_are_refused_with_a_way_out(run, piped, tmp_path, suffix, form):
    data, hint = REFUSED[suffix]
    with pytest.raises(DataError, match=rf"-: its first bytes are those of \{suffix}; .*{hint}"):
        run(piped(data), tmp_path / "out.csv", read=ReadOptions(format=form))


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_what_another_program_has_to_convert_in_a_pipe(run, piped, tmp_path, pack):
    steps = "gzip -dc [|] " if pack is gzip.compress else ""
    with pytest.raises(DataError, match=f"try: {steps}iconv -f utf-16 -t utf-8 [|] sentcli score"):
        run(piped(pack(JSONL.decode().encode("utf-16"))), tmp_path / "out.jsonl")


def test_a_format_under_another_name_is_refused(convert):
    with pytest.raises(DataError, match=r"in\.csv: its first bytes are those of parquet; add --input-format"):
        convert(READ["parquet"], "in.csv")
    with pytest.raises(DataError, match=r"in\.txt: .* are those of \.sqlite; rename it to end in"):
        convert(REFUSED[".sqlite"][0], "in.txt")


def test_binary_data_of_no_known_format_is_not_read_as_lines(run, piped, tmp_path):
    data = b"\x93NUMPY\1\0v\0" + b"\x80\x90\xa0\xff\xfe\n" * 99
    with pytest.raises(
        DataError, match=r"-: neither a text nor a format.*; if it is lines of text, add --input-format lines"
    ):
        run(piped(data), tmp_path / "out.txt")
    assert run(piped(b"x\0x\n"), tmp_path / "out.txt", read=ReadOptions(format="lines")).rows == 1


@given(st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), max_size=70))
def test_no_text_has_a_signature(text):
    for start in ("", "ORC ", "PAR1", "PK", "BZh91", "Obj", "ARROW1"):
        assert not signature_of((start + text).encode())
        assert not signature_of((start + text).encode("cp1252", "replace"))
