"""What an input is, is decided once: each file is opened once, and nothing of it is consumed."""

import gzip
from pathlib import Path
from unittest.mock import Mock

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from jobs import read_chunks, write_to_pipe

from sentcli.errors import DataError
from sentcli.files.source import Source, inspect_input
from sentcli.runs import inputs
from sentcli.tables.open import open_table
from sentcli.tables.options import ReadOptions

CSV = b"id,text\n1,x\n2,xx\n"
JSONL = b'{"id":1,"text":"x"}\n{"text":"xx","more":2}\n'


@pytest.fixture
def opened(monkeypatch):
    """Collect the names of the inputs that are opened."""
    names = []

    def note(name, buffering, _):
        names.append(Path(name).name)
        return Path(name).open("rb", buffering)

    monkeypatch.setattr("sentcli.files.source._open", note)
    return names


@pytest.fixture
def files(tmp_path):
    """Write inputs of each format; return their paths."""
    contents = {
        "a.csv": CSV,
        "b.csv": CSV,
        "a.jsonl": JSONL,
        "b.jsonl": JSONL,
        "a.json": b"[%b]" % JSONL[:19],
    }
    contents |= {"a.txt": CSV, "b.txt": b"one line\n", "a.csv.gz": gzip.compress(CSV)}
    for name, data in contents.items():
        (tmp_path / name).write_bytes(data)
    for name in ("a.parquet", "b.parquet"):
        pq.write_table(pa.table({"text": ["x", "xx"]}), tmp_path / name)
    return tmp_path


@pytest.mark.parametrize(
    ("names", "target"),
    [
        (["a.csv"], ".csv"),
        (["a.csv.gz"], ".jsonl"),
        (["a.jsonl"], ".jsonl"),
        (["a.jsonl"], ".csv"),
        (["a.json"], ".csv"),
        (["a.txt"], ".csv"),
        (["b.txt"], ".txt"),
        (["a.parquet"], ".parquet"),
        (["a.csv", "b.csv"], ".csv"),
        (["a.jsonl", "b.jsonl"], ".csv"),
        (["a.parquet", "b.parquet"], ".jsonl"),
    ],
)
def test_each_file_is_opened_once(run, files, opened, names, target):
    run([files / name for name in names], files / f"out{target}")
    assert opened == names


def test_a_file_in_an_encoding_that_is_found_is_opened_once(run, files, opened):
    (files / "c.csv").write_bytes(b"text\n" + b"plain\n" * 200_000 + "schön\n".encode("cp1252"))
    run(files / "c.csv", files / "out.csv", read=ReadOptions(encoding="auto"))
    assert opened == ["c.csv"]


def test_of_many_inputs_few_are_open_at_a_time(run, files, opened, monkeypatch):
    """The others are closed after their inspection, and opened again when it is their turn."""
    monkeypatch.setattr(inputs, "_MOST_OPEN", 2)
    names = [f"{number}.csv" for number in range(5)]
    for name in names:
        (files / name).write_bytes(CSV)
    reader = read_chunks(*(files / name for name in names))
    assert [text for chunk in reader for text in chunk.texts] == ["x", "xx"] * 5
    assert opened == [*names, *names[2:]]


@pytest.mark.parametrize(
    ("form", "data", "columns"),
    [
        ("csv", b"\xef\xbb\xbf" + CSV, ("id", "text")),
        ("jsonl", JSONL, ("id", "text")),
        ("lines", CSV, ("text",)),
    ],
)
@pytest.mark.parametrize("is_pipe", [False, True])
def test_what_was_looked_at_is_read(tmp_path, form, data, columns, is_pipe):
    path = tmp_path / "in"
    if is_pipe:
        write_to_pipe(path, data)
    else:
        path.write_bytes(data)
    with Source(inspect_input(str(path))) as source:
        table = open_table(source, ReadOptions(format=form))
        assert (table.columns, table.texts) == (columns, ("text",))
        assert b"".join(iter(source.read, b"")) == data


def test_a_table_holds_what_its_reader_and_a_writer_need(tmp_path):
    (tmp_path / "in.csv").write_bytes(b"\xef\xbb\xbfa report\n\nid;text\n1;x\n")
    with Source(inspect_input(str(tmp_path / "in.csv"))) as source:
        table = open_table(source, ReadOptions(skip_lines=1))
    assert (table.columns, table.places) == (("id", "text"), (1,))
    assert table.lead == b"\xef\xbb\xbfa report\n\nid;text\n"
    assert (table.dialect.delimiter, table.encoding.name) == (";", "utf-8")
    assert [message for _, message in table.notes] == [f"{tmp_path}/in.csv: read with --delimiter ';'"]


@pytest.mark.parametrize(("suffix", "target"), [("jsonl", ".csv"), ("txt", ".csv"), ("parquet", ".jsonl")])
def test_an_input_that_was_closed_is_read_as_it_was_found(run, files, monkeypatch, suffix, target):
    names = [f"a.{suffix}", f"c.{suffix}", f"a.{suffix}"]
    if suffix == "jsonl":
        (files / "c.jsonl").write_bytes(b'{"text":"x","late":1}\n')
    else:
        (files / f"c.{suffix}").write_bytes((files / f"a.{suffix}").read_bytes())
    run([files / name for name in names], files / f"all{target}")
    monkeypatch.setattr(inputs, "_MOST_OPEN", 1)
    run([files / name for name in names], files / f"few{target}")
    assert (files / f"few{target}").read_bytes() == (files / f"all{target}").read_bytes()


def test_an_end_of_file_that_a_library_did_not_expect_names_the_input(run, files, monkeypatch):
    monkeypatch.setattr("sentcli.tables.csv.read", Mock(side_effect=EOFError))
    with pytest.raises(DataError, match=r"a\.csv: damaged: it ends too early"):
        run(files / "a.csv", files / "out.csv")
