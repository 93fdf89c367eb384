"""Inputs: which of them fit together, the size of their chunks, and several inputs for one output."""

import json
import os
import time
from dataclasses import replace
from threading import Thread

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from jobs import read_chunks, write_to_pipe

from sentcli.errors import DataError, OutputError, UsageError
from sentcli.tables.chunk import CHUNK_BYTES, CHUNK_ROWS
from sentcli.tables.options import ReadOptions, RejectOptions, WriteOptions

pytestmark = pytest.mark.usefixtures("flag_names")

HEADER, ADDED = b"id,text\n", b"id,text,sentiment,sentiment_score\n"
HEADERS = {"txt": b"", "csv": b"text\n"}  # of a format read row by row, and of one read in blocks
X = b",odd,0.142857"  # of the text "x"
FIELDS = b',"sentiment":"odd","sentiment_score":0.142857}'


@pytest.mark.parametrize("suffix", HEADERS)
@pytest.mark.parametrize("line", [b"x\n", b"x" * 5000 + b"\n", b"x" * 1_000_000 + b"\n"])
def test_chunks_are_bounded_by_rows_and_bytes(tmp_path, line, suffix):
    count = min(30_000, 50_000_000 // len(line))
    (tmp_path / f"in.{suffix}").write_bytes(HEADERS[suffix] + line * count)
    chunks = list(read_chunks(tmp_path / f"in.{suffix}"))
    assert sum(len(chunk.texts) for chunk in chunks) == count
    assert max(len(chunk.texts) for chunk in chunks) == min(CHUNK_ROWS, -(-CHUNK_BYTES // len(line)))
    assert all(chunk.size < CHUNK_BYTES + len(line) for chunk in chunks)


@pytest.mark.parametrize("suffix", HEADERS)
@pytest.mark.usefixtures("small_chunks")
def test_chunks_begin_small_and_grow_with_what_was_read(tmp_path, suffix):
    """Scoring begins early; the rows read so far, of all inputs, decide the size of a chunk."""
    for number, rows in enumerate((1500, 12_000)):
        (tmp_path / f"{number}.{suffix}").write_bytes(HEADERS[suffix] + b"x\n" * rows)
    chunks = read_chunks(tmp_path / f"0.{suffix}", tmp_path / f"1.{suffix}")
    assert [len(chunk.texts) for chunk in chunks] == [512, 512, 476, 750, 1125, 1687, 2531, 3796, 2111]


def test_a_chunk_of_rejects_is_bounded_too(tmp_path):
    (tmp_path / "in.jsonl").write_bytes(b'{"text":"x"}\n' + b"bad\n" * 10_000)
    assert max(len(chunk.rejects) for chunk in read_chunks(tmp_path / "in.jsonl")) <= CHUNK_ROWS


def test_several_inputs_become_one_output(run, tmp_path):
    for name, data in {
        "a.csv": HEADER + b"1,x\n2,x",
        "b.csv": b'\xef\xbb\xbf"id","text"\r\n3,x\r\n4,x',
        "c.csv": HEADER,
        "d.csv": b"",
        "e.csv": HEADER + b"5,x\r",
        "f.csv": HEADER + b"6\n7,x",
    }.items():
        (tmp_path / name).write_bytes(data)
    summary = run([tmp_path / f"{letter}.csv" for letter in "abcdef"], tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_bytes() == ADDED + b"".join(
        [b"1,x", X, b"\n2,x", X, b"\n3,x", X, b"\r\n4,x", X, b"\r\n5,x", X, b"\r7,x", X]
    )
    entry = json.loads((tmp_path / "out.csv.rejects.jsonl").read_bytes())
    assert (entry["input"], entry["line"], entry["offset"]) == (str(tmp_path / "f.csv"), 2, 8)
    assert (summary.rows, summary.rejected) == (6, 1)


@pytest.mark.parametrize(
    ("suffix", "first", "second", "out"),
    [
        (".txt", b"x", b"x", b"odd\t0.142857\tx\nodd\t0.142857\tx"),
        (".txt", b"x\r\nx", b"x", b"odd\t0.142857\tx\r\nodd\t0.142857\tx\r\nodd\t0.142857\tx"),
        (".jsonl", b'{"text":"x"}', b'{"text":"x"}', b"\n".join([b'{"text":"x"' + FIELDS] * 2)),
    ],
)
def test_a_last_line_without_an_end_gets_one_before_the_next_input(run, tmp_path, suffix, first, second, out):
    (tmp_path / f"a{suffix}").write_bytes(first)
    (tmp_path / f"b{suffix}").write_bytes(second)
    run([tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"], tmp_path / f"out{suffix}")
    assert (tmp_path / f"out{suffix}").read_bytes() == out


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_inputs_with_other_columns_do_not_fit_one_output(run, tmp_path, suffix):
    for name, column in (("a", "id"), ("b", "di")):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({column: "1", "text": "x"}))
        run(tmp_path / f"{name}.jsonl", tmp_path / f"{name}{suffix}", write=WriteOptions(prefix=column))
    options = {"read": ReadOptions(text_column="text"), "write": WriteOptions(prefix="2")}
    with pytest.raises(DataError, match=rf"b\{suffix}: the .* differs? from the first input"):
        run([tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"], tmp_path / f"out{suffix}", **options)
    run([tmp_path / f"a{suffix}"] * 2, tmp_path / f"out{suffix}", **options)


def test_later_json_inputs_follow_the_first_and_may_have_other_keys(run, tmp_path, caplog):
    (tmp_path / "a.jsonl").write_bytes(b'{"a":"1","review":"x"}\n')
    (tmp_path / "b.jsonl").write_bytes(b'{"review":"x","a":"2"}\n{"review":"x","b":"2"}\n')
    run([tmp_path / "a.jsonl", tmp_path / "b.jsonl"], tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_bytes() == (
        b"a,review,b,sentiment,sentiment_score\n1,x," + X + b"\n2,x," + X + b"\n,x,2" + X + b"\n"
    )
    assert caplog.text == ""


def test_of_streams_only_the_first_gives_columns(run, tmp_path, monkeypatch, caplog):
    """Files add theirs, wherever they stand."""
    (tmp_path / "a.jsonl").write_bytes(b'{"a":"1","text":"x"}\n')
    (tmp_path / "b.jsonl").write_bytes(b'{"text":"x","b":"2"}\n')
    monkeypatch.chdir(tmp_path)
    options = {"read": ReadOptions(format="jsonl"), "overwrite": True}
    for inputs, header, rejected in (
        (["-", "b.jsonl"], b"a,text,b", 0),
        (["b.jsonl", "-"], b"text,b", 1),
    ):
        with (tmp_path / "a.jsonl").open() as file:
            monkeypatch.setattr("sys.stdin", file)
            assert run(inputs, "out.csv", **options).rejected == rejected
        assert (tmp_path / "out.csv").read_bytes().startswith(header + b",sentiment,")
    assert "1 row rejected: the key 'a' is not among the columns; try --keep text,b,a;" in caplog.text


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"inputs": ["a.csv", "b.jsonl"]}, UsageError, r"several formats \(csv, jsonl\) .*give -o DIR/"),
        ({"inputs": ["a.csv", "-"]}, UsageError, r"several formats \(csv, lines\) .*add --input-format"),
        ({"inputs": ["a.dat"]}, UsageError, "what format is .dat.*--input-format"),
        ({"output": "o.dat"}, UsageError, "what format is .dat.*--output-format"),
        ({"read": ReadOptions(format="xml")}, UsageError, "no format 'xml'"),
        ({"write": WriteOptions(format="xml")}, UsageError, "no format 'xml'"),
        ({"output": "o.csv.bz2"}, UsageError, "compressed with .gz or .zst only"),
        ({"rejects": RejectOptions(path="o.csv")}, UsageError, "cannot go to the output too"),
        ({"rejects": RejectOptions(path="memory://o")}, UsageError, "must name a file too"),
        ({"output": "none/o.csv"}, OutputError, "none: no such folder"),
        ({"output": "."}, OutputError, "is a folder; name a file in it"),
        (
            {"inputs": ["a.jsonl"], "read": ReadOptions(skip_lines=1)},
            UsageError,
            "--skip-lines does not apply",
        ),
        (
            {"output": "o.txt", "write": WriteOptions(prefix="my_")},
            UsageError,
            "--prefix does not apply to li",
        ),
        (
            {"output": "o.txt", "read": ReadOptions(keep=("text",))},
            UsageError,
            "--keep and --drop do not apply to lines output: o.txt",
        ),
        (
            {"read": ReadOptions(format="lines", drop=("text",))},
            UsageError,
            "--drop does not apply to lines input",
        ),
        (
            {"output": "o.jsonl", "write": WriteOptions(output_encoding="cp1252")},
            UsageError,
            "--output-delimiter and --output-encoding do not apply to jsonl output: o.jsonl",
        ),
        ({"output": "x" * 250}, OutputError, "File name too long"),
    ],
)
def test_inputs_options_and_outputs_that_do_not_fit_are_refused(
    run, tmp_path, monkeypatch, options, error, message
):
    monkeypatch.chdir(tmp_path)
    for name in ("a.csv", "b.jsonl", "a.jsonl", "a.dat"):
        (tmp_path / name).write_bytes(b"text\n")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(error, match=message):
        run(**{"inputs": "a.csv", "output": "o.csv", **options})
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("names", [("-", "b.txt"), ("b.txt", "-"), ("b.txt", "-", "b.txt")])
def test_inspecting_the_inputs_consumes_nothing_of_standard_input(run, tmp_path, monkeypatch, names):
    """Even a file can be read only once there."""
    (tmp_path / "a.txt").write_bytes(b"a\n" * 3)
    (tmp_path / "b.txt").write_bytes(b"b\n")
    monkeypatch.chdir(tmp_path)
    with (tmp_path / "a.txt").open() as file:
        monkeypatch.setattr("sys.stdin", file)
        run(names, tmp_path / "out.txt")
    texts = [line.split(b"\t")[-1] for line in (tmp_path / "out.txt").read_bytes().splitlines()]
    assert texts == [text for name in names for text in ([b"a"] * 3 if name == "-" else [b"b"])]


def test_standard_input_as_the_first_input_decides_the_text_column(run, tmp_path, monkeypatch):
    (tmp_path / "a.jsonl").write_text('{"review":"x"}\n')
    (tmp_path / "b.jsonl").write_text('{"text":"title","review":"xx"}\n')
    monkeypatch.chdir(tmp_path)
    with (tmp_path / "a.jsonl").open() as file:
        monkeypatch.setattr("sys.stdin", file)
        summary = run(["-", "b.jsonl", "a.jsonl"], "out.jsonl", read=ReadOptions(format="jsonl"))
    assert (summary.rows, summary.rejected) == (3, 0)


def test_a_later_input_with_other_columns_is_refused_before_any_output(run, tmp_path):
    (tmp_path / "a.csv").write_bytes(b"text\nx\n")
    (tmp_path / "b.csv").write_bytes(b"foo,bar\n1,2\n")
    before = {*tmp_path.iterdir()}
    with pytest.raises(DataError, match=r"b\.csv: the columns or the dialect differ"):
        run([tmp_path / "a.csv", tmp_path / "b.csv"], tmp_path / "out.csv")
    assert {*tmp_path.iterdir()} == before


def test_no_line_end_is_added_to_the_last_input(run, tmp_path):
    (tmp_path / "a.txt").write_bytes(b"x\n")
    (tmp_path / "b.txt").write_bytes(b"y" * 100)  # the greatest length: with a line end it would be rejected
    options = ReadOptions(max_row_bytes=100)
    summary = run([tmp_path / "a.txt", tmp_path / "b.txt"], tmp_path / "out.txt", read=options)
    assert (summary.rows, summary.rejected) == (2, 0)


def test_an_input_is_never_written(run, tmp_path):
    source = tmp_path / "in.csv"
    source.write_bytes(b"text\nx\n")
    (tmp_path / "link.csv").symlink_to(source)
    (tmp_path / "hard.csv").hardlink_to(source)
    for name in ("in.csv", "link.csv", "hard.csv"):
        for output, rejects in ((name, None), ("new.csv", name)):
            options = RejectOptions(path=rejects and str(tmp_path / rejects))
            with pytest.raises(OutputError, match="is the input"):
                run(source, tmp_path / output, overwrite=True, rejects=options)
    assert source.read_bytes() == b"text\nx\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hard.csv", "in.csv", "link.csv"]
    rejected = source.rename(tmp_path / "out.jsonl.rejects.jsonl")
    with pytest.raises(OutputError, match=r"rejects\.jsonl is the input"):
        run(rejected, tmp_path / "out.jsonl", read=ReadOptions(format="csv"), overwrite=True)


def test_standard_output_that_is_the_input(run, tmp_path, monkeypatch):
    (tmp_path / "in.csv").write_bytes(b"text\nx\n")
    with (tmp_path / "in.csv").open("a") as file:
        monkeypatch.setattr("sys.stdout", file)
        with pytest.raises(OutputError, match="- is the input"):
            run(tmp_path / "in.csv", "-")
    assert (tmp_path / "in.csv").read_bytes() == b"text\nx\n"


LIMITED = {  # rows 1 to 4 of which 2 is rejected; a record, a blank line and a reject are never cut
    "csv": b'id,text\n1,"x\nx"\n\n2\n3,x\n4,x\n',
    "jsonl": b'{"id":1,"text":"x"}\n\n[2]\n{"id":3,"text":"x"}\n{"id":4,"text":"x"}\n',
    "txt": b"x\n\xff\nx\nx\n",
}


@pytest.mark.parametrize("suffix", LIMITED)
def test_a_limit_ends_with_a_complete_output(run, tmp_path, suffix):
    source, target = tmp_path / f"in.{suffix}", tmp_path / f"out.{suffix}"
    source.write_bytes(LIMITED[suffix])
    read = ReadOptions(encoding="utf-8" if suffix == "txt" else None)
    run(source, tmp_path / f"all.{suffix}", read=read)
    for limit, rejected in ((1, 0), (2, 1), (3, 1), (9, 1)):
        summary = run(source, target, read=replace(read, limit=limit), overwrite=True)
        assert (summary.rows, summary.rejected) == (min(limit, 3), rejected)
        assert (tmp_path / f"all.{suffix}").read_bytes().startswith(target.read_bytes())


def test_a_limit_counts_the_rows_of_all_inputs_of_an_output(run, tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.txt").write_bytes(b"x\nxx\n")
    inputs = [tmp_path / "a.txt", tmp_path / "b.txt", tmp_path / "none.txt"]
    (tmp_path / "none.txt").write_bytes(b"\xff\xfe")  # would be refused
    run(inputs[:2], tmp_path / "3.txt", read=ReadOptions(limit=3))
    assert (tmp_path / "3.txt").read_bytes().count(b"\n") == 3
    with pytest.raises(DataError, match="the encoding is utf-16-le"):
        run(inputs, tmp_path / "4.txt", read=ReadOptions(limit=4))  # checked all the same
    chunks = read_chunks(*inputs[:2], read=ReadOptions(limit=2))
    assert [len(chunk.texts) for chunk in chunks] == [2]


@pytest.mark.parametrize("target", [".parquet", ".csv"])
def test_a_limit_of_rows_of_parquet(run, tmp_path, target):
    texts = [f"{number} " + "x" * (900 if number == 3 else 1) for number in range(1000)]
    pq.write_table(pa.table({"text": texts}), tmp_path / "in.parquet", row_group_size=300)
    for limit in (1, 5, 299, 300, 301, 999, 2000):
        out = tmp_path / f"{limit}{target}"
        read = ReadOptions(limit=limit, max_row_bytes=500)
        summary = run(tmp_path / "in.parquet", out, read=read)
        count = min(limit, 999)
        assert (summary.rows, summary.rejected) == (count, int(limit > 3))
        table = pq.read_table(out) if target == ".parquet" else pa_csv.read_csv(out)
        assert table["text"].to_pylist() == [text for text in texts if len(text) < 500][:count]


TABLE = b"id,text\n1,x\n2,x\n"
DOUBTFUL = b"rumour\tby\nit works\tan\nit broke\tbo\n"


def test_a_table_in_a_text_file_stays_a_table(convert, caplog):
    assert convert(TABLE, "in.txt") == ADDED + b"1,x" + X + b"\n2,x" + X + b"\n"
    assert "in.txt looks like CSV with the columns id, text: read as such" in caplog.text
    assert caplog.records[-1].levelname == "WARNING"
    assert convert(DOUBTFUL, "in.txt", ".jsonl", read=ReadOptions(text_column="by")).count(b'"by":') == 2
    assert caplog.records[-1].message.endswith("as such; if it is lines of text, add --input-format lines")
    assert caplog.records[-1].levelname == "NOTE"  # also with -q
    out = convert(DOUBTFUL.decode().encode("utf-16"), "in.txt", read=ReadOptions(text_column="by"))
    assert out.decode("utf-16").splitlines()[0] == "rumour\tby\tsentiment\tsentiment_score"
    assert convert(TABLE, "in.txt", read=ReadOptions(format="lines")).count(b"\t") == 6


def test_lines_that_may_be_a_table_do_not_become_one(convert, caplog):
    for target in (".csv", ".jsonl", ".parquet"):
        message = r"in\.txt may be CSV with .*: if it is, add --input-format csv; if each line .* lines$"
        with pytest.raises(UsageError, match=message):
            convert(b"id,text\n1,x\n", "in.txt", target)
    assert convert(b"x,x\nx,x\n", "in.txt", ".csv")
    assert caplog.text == ""


def test_text_files_for_one_output_are_all_lines_or_all_tables(run, tmp_path):
    files = {"table": TABLE, "other": TABLE.replace(b",", b";"), "empty": b"", "lines": b"x\n"}
    for name, data in files.items():
        (tmp_path / f"{name}.txt").write_bytes(data)
    path = {name: tmp_path / f"{name}.txt" for name in files}
    for name in ("other", "lines"):
        with pytest.raises(UsageError, match=r"table\.txt: some inputs look like CSV .*add --input-"):
            run([path["table"], path[name]], tmp_path / "no.csv")
    run([path["empty"], path["table"], path["empty"], path["table"]], tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_bytes().count(X) == 4
    run([path["lines"], path["empty"]], tmp_path / "out.txt")
    assert (tmp_path / "out.txt").read_bytes() == b"odd\t0.142857\tx\n"


def test_a_named_pipe_is_read_once(run, tmp_path):
    run(write_to_pipe(tmp_path / "in.txt", TABLE), tmp_path / "out.txt")
    assert (tmp_path / "out.txt").read_bytes().count(b"\n") == 3


def test_a_named_pipe_after_another_input_is_opened_at_its_turn(run, tmp_path):
    (tmp_path / "a.txt").write_bytes(b"one line\n")
    run([tmp_path / "a.txt", write_to_pipe(tmp_path / "b.txt", b"another line\n")], tmp_path / "out.txt")
    assert [line.split(b"\t")[-1] for line in (tmp_path / "out.txt").read_bytes().splitlines()] == [
        b"one line",
        b"another line",
    ]


@pytest.fixture
def standard_input(monkeypatch):
    """A live standard input; gives the function that writes to it, and one that closes it."""
    reading, writing = os.pipe()
    with os.fdopen(reading) as stream, os.fdopen(writing, "wb", buffering=0) as pipe:
        monkeypatch.setattr("sys.stdin", stream)
        yield pipe


@pytest.mark.parametrize(
    ("pause", "parts", "expected"),
    [
        (5, [b"id,text\n", b"1,x\n2,x\n"], ADDED),  # waits for more lines of a table
        (5, [b"id,te", b"xt\n1,x\n2,x\n"], ADDED),  # and for the end of a line
        (0.01, [b"id,text\n", b"1,x\n"], b"odd\t0.000000\tid,text\n"),  # but not for ever
        (5, [b"x\n", b"1,x\n"], b"odd\t0.142857\tx\n"),
        (5, [TABLE * 20, b""], ADDED),
    ],
)
def test_a_live_input_is_looked_at_as_it_arrives(
    run, tmp_path, monkeypatch, standard_input, pause, parts, expected
):
    monkeypatch.setattr("sentcli.tables.sniff.PAUSE", pause)
    standard_input.write(parts[0])

    def write_rest():
        time.sleep(0.2)
        standard_input.write(parts[1])
        standard_input.close()

    thread = Thread(target=write_rest)
    thread.start()
    run("-", tmp_path / "out.txt")
    thread.join()
    assert (tmp_path / "out.txt").read_bytes().startswith(expected)
    assert (tmp_path / "out.txt").read_bytes().count(b"\n") == b"".join(parts).count(b"\n")


def test_standard_input_twice_is_lines(run, tmp_path, standard_input):
    standard_input.write(TABLE)
    standard_input.close()
    run(["-", "-"], tmp_path / "out.txt")
    assert (tmp_path / "out.txt").read_bytes().count(b"\n") == 3
