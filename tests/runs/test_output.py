"""An output and its rejects: the row law, limits on rejected rows, and files that are not replaced."""

import json
import logging
import os
import stat
import threading
from contextlib import nullcontext

import pytest
from jobs import ParityScorer, read_chunks

from sentcli.errors import DataError, OutputError, RejectsError, SentcliError, UsageError
from sentcli.files.sink import Target
from sentcli.runs.output import Output
from sentcli.tables.options import ReadOptions, RejectOptions, WriteOptions

HEADER, ADDED = b"id,text\n", b"id,text,sentiment,sentiment_score\n"
X = b",odd,0.142857"  # of the text "x"


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def source(tmp_path):
    (tmp_path / "in.csv").write_bytes(HEADER + b"1,x\n2\n3,x\n4\n")
    return tmp_path / "in.csv"


def test_a_job_returns_a_summary_and_logs_its_rejects(run, source, tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        summary = run(source, tmp_path / "out.csv")
    assert (summary.rows, summary.rejected, summary.scored) == (2, 2, 2)
    assert summary.text_columns == ["text"]
    status = source.stat()
    assert summary.inputs == [{"path": str(source), "size": status.st_size, "mtime_ns": status.st_mtime_ns}]
    assert names(tmp_path) == ["in.csv", "out.csv", "out.csv.rejects.jsonl"]
    assert caplog.messages == [f"2 rows rejected: 1 field instead of 2; see {tmp_path}/out.csv.rejects.jsonl"]


def test_the_commonest_reason_of_rejects_is_logged_with_an_example(run, tmp_path, caplog):
    bad = ["1,\xe9t\xe9", "2,caf\xe9s", "3,\xfcber", "4,a,b", "5,a,b,c"]
    (tmp_path / "in.csv").write_bytes(HEADER + "\n".join(bad).encode("cp1252"))
    run(tmp_path / "in.csv", tmp_path / "out.csv", read=ReadOptions(encoding="utf-8"))
    reason = "byte 0xe9 is not utf-8"
    assert caplog.messages == [f"5 rows rejected, mostly: {reason}; see {tmp_path / 'out.csv.rejects.jsonl'}"]


def test_rejects_in_a_terminal_are_brief(run, tmp_path, caplog, monkeypatch, capfdbinary):
    monkeypatch.setattr("sentcli.runs.output.is_terminal", lambda stream: True)
    (tmp_path / "in.csv").write_bytes(HEADER + 30 * b"\n1\x1b\n2,x\n")
    run(tmp_path / "in.csv", "-")
    lines = capfdbinary.readouterr().err.decode().splitlines()
    assert lines == [f"{tmp_path}/in.csv, line {3 * n}: 1 field instead of 2" for n in range(1, 11)]
    assert caplog.messages == ["30 rows rejected: 1 field instead of 2; keep them with rejects.path='FILE'"]
    run(tmp_path / "in.csv", tmp_path / "out.csv")
    assert (tmp_path / "out.csv.rejects.jsonl").read_bytes().count(b"\n") == 30


@pytest.mark.parametrize("form", ["parquet", "xlsx"])
def test_a_terminal_gets_no_binary_file(run, source, monkeypatch, form):
    monkeypatch.setattr("sentcli.runs.job.is_terminal", lambda stream: True)
    with pytest.raises(UsageError, match=f"^{form} is not for a terminal; add -o OUT.{form}$"):
        run(source, "-", write=WriteOptions(form))


def test_the_row_law_is_checked_at_each_write(source, tmp_path):
    reader = read_chunks(source)
    output = Output([Target(tmp_path / "out.csv")], reader.writer, RejectOptions())
    with pytest.raises(SentcliError, match="not read to their end"):
        output.close(reader)
    (chunk,) = reader
    with pytest.raises(SentcliError, match="2 rows and 2 rejected ones were read, but 0 and 0 written"):
        output.close(reader)
    with pytest.raises(SentcliError, match="2 rows and 2 rejected ones were read, but 1 and 2 written"):
        output.write(chunk, [["odd"], [0.5]])
    output.discard()
    assert names(tmp_path) == ["in.csv"]


@pytest.mark.parametrize("output", ["out.csv", "-"])
def test_a_scorer_that_loses_the_last_chunk_fails(run, source, tmp_path, output, capfdbinary):
    class Forgetful(ParityScorer):
        def stream(self, chunks):
            *most, _ = super().stream(chunks)
            yield from most

    with pytest.raises(SentcliError, match="2 rows and 2 rejected ones were read, but 0 and 0 written"):
        run(source, output if output == "-" else tmp_path / output, scorer=Forgetful())
    assert names(tmp_path) == ["in.csv"]


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ("0", r"rejects.limit='0'; the first in .*in.csv, line 3: 1 field inste"),
        ("49.9%", "2 of 4 rows rejected, more than rejects.limit='49.9%'"),
        ("2", None),
        ("50%", None),
    ],
)
def test_too_many_rejects_stop_the_run(run, source, tmp_path, limit, message):
    with pytest.raises(RejectsError, match=message) if message else nullcontext():
        run(source, tmp_path / "out.csv", rejects=RejectOptions(limit=limit))
    assert len(names(tmp_path)) == (1 if message else 3)


def test_a_share_of_rejects_stops_a_long_run_early_but_not_at_its_first_rows(run, tmp_path):
    (tmp_path / "in.jsonl").write_bytes(b"bad\n" * 100 + b'{"text":"x"}\n' * 9_000 + b"bad\n" * 30_000)
    with pytest.raises(DataError, match=r"of 1[0-9],[0-9]{3} rows rejected, more than rejects.limit='10%'"):
        run(tmp_path / "in.jsonl", tmp_path / "out.jsonl", rejects=RejectOptions(limit="10%"))


def test_existing_files_need_overwrite(run, source, tmp_path):
    for name in ("out.csv", "out.csv.rejects.jsonl"):
        (tmp_path / name).write_bytes(b"old")
        with pytest.raises(OutputError, match=rf"{name} exists; give another name, or .* overwrite=True"):
            run(source, tmp_path / "out.csv")
        assert (tmp_path / name).read_bytes() == b"old"
        (tmp_path / name).unlink()
    (tmp_path / "out.csv").write_bytes(b"old")
    run(source, tmp_path / "out.csv", overwrite=True)
    assert (tmp_path / "out.csv").read_bytes().startswith(ADDED)
    source.write_bytes(HEADER + b"1,x\n")  # the rejects of the earlier run go with its output
    run(source, tmp_path / "out.csv", overwrite=True)
    assert names(tmp_path) == ["in.csv", "out.csv"]


@pytest.mark.parametrize("name", ["out.csv", "out.csv.rejects.jsonl"])
def test_a_file_created_during_the_run_is_not_replaced(run, source, tmp_path, name):
    class Slow(ParityScorer):
        def stream(self, chunks):
            yield from super().stream(chunks)
            (tmp_path / name).write_text("mine")

    with pytest.raises(OutputError, match=f"{name} exists"):
        run(source, tmp_path / "out.csv", scorer=Slow())
    assert (tmp_path / name).read_text() == "mine"
    (tmp_path / name).unlink()
    scorer = ParityScorer()
    run(source, tmp_path / "out.csv", scorer=scorer)
    assert scorer.scored == 0
    assert names(tmp_path) == ["in.csv", "out.csv", "out.csv.rejects.jsonl"]


def test_rejects_can_have_a_file_of_their_own(run, source, tmp_path):
    (tmp_path / "bad").mkdir()
    run(source, tmp_path / "out.csv", rejects=RejectOptions(path=str(tmp_path / "bad" / "r.jsonl")))
    assert len((tmp_path / "bad" / "r.jsonl").read_bytes().splitlines()) == 2
    assert (names(tmp_path), names(tmp_path / "bad")) == (["bad", "in.csv", "out.csv"], ["r.jsonl"])


@pytest.mark.parametrize("output", ["-", "out.csv"])
def test_a_rejects_file_that_cannot_be_written_is_refused_before_the_first_row(run, source, tmp_path, output):
    output = output if output == "-" else tmp_path / output
    for rejects, message in ((tmp_path, "is a folder"), (tmp_path / "no" / "r.jsonl", r"such folder$")):
        with pytest.raises(OutputError, match=message):
            run(source, output, rejects=RejectOptions(path=str(rejects)))
    assert names(tmp_path) == ["in.csv"]


def test_rejects_among_the_rows_are_refused(run, source):
    for output in ("-", "/dev/stdout"):
        with pytest.raises(UsageError, match="the rejected rows cannot go to the output too"):
            run(source, output, rejects=RejectOptions(path="/dev/fd/1"))


def test_rejects_of_a_stream(run, source, tmp_path, capfdbinary):
    run(source, "-")
    out, error = capfdbinary.readouterr()
    assert out == ADDED + b"1,x" + X + b"\n3,x" + X + b"\n"
    assert [json.loads(line)["line"] for line in error.splitlines()] == [3, 5]
    options = RejectOptions(path=str(tmp_path / "r.jsonl"))
    run(source, "-", rejects=options)
    assert len((tmp_path / "r.jsonl").read_bytes().splitlines()) == 2
    with pytest.raises(OutputError, match=r"r\.jsonl exists"):
        run(source, "-", rejects=options)
    source.write_bytes(HEADER + b"1,x\n")
    run(source, "-", rejects=options, overwrite=True)
    run(source, "-")
    assert names(tmp_path) == ["in.csv"]


def test_a_pipe_is_not_replaced_by_rejects(run, source, tmp_path, capfdbinary):
    pipe = RejectOptions(path=str(tmp_path / "pipe"))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="must name a file too"):
        run(source, tmp_path / "out.csv", rejects=pipe, overwrite=True)
    got = []
    reader = threading.Thread(target=lambda: got.extend((tmp_path / "pipe").read_bytes().splitlines()))
    reader.start()
    run(source, "-", rejects=pipe)
    reader.join()
    assert [json.loads(line)["line"] for line in got] == [3, 5]
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_links_are_followed_to_the_files_that_are_written(run, source, tmp_path, capfdbinary):
    (tmp_path / "real").mkdir()
    (tmp_path / "out.csv").symlink_to(tmp_path / "real" / "file.csv")
    run(source, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").is_symlink()
    assert names(tmp_path / "real") == ["file.csv", "file.csv.rejects.jsonl"]
    (tmp_path / "r.jsonl").symlink_to("old")
    run(source, "-", rejects=RejectOptions(path=str(tmp_path / "r.jsonl")))
    assert len((tmp_path / "old").read_bytes().splitlines()) == 2


@pytest.mark.parametrize(
    ("suffix", "start", "bad"),
    [
        (".csv", HEADER, b"1\n"),
        (".csv", HEADER, b"1," + b"y" * 150 + b"\n"),
        (".jsonl", b'{"text":"x"}\n', b"bad\n"),
        (".txt", b"x\n", b"\xff\n"),
    ],
)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_rejected_row_is_where_its_offset_says_and_counts_once(run, tmp_path, suffix, start, bad, mark):
    data = mark + start + bad + start
    (tmp_path / f"in{suffix}").write_bytes(data)
    read = ReadOptions(max_row_bytes=100, encoding="utf-8" if suffix == ".txt" else None)
    summary = run(tmp_path / f"in{suffix}", tmp_path / "out", read=read)
    entries = [json.loads(line) for line in (tmp_path / "out.rejects.jsonl").read_bytes().splitlines()]
    entry = entries[0]
    assert data[entry["offset"] :].startswith(bad[:100])
    assert entry["line"] == 2
    assert (summary.rows, summary.rejected) == (1 if suffix == ".csv" else 2, 1)


def test_rejects_are_ascii_whatever_the_row_holds(run, tmp_path):
    (tmp_path / "in.jsonl").write_bytes(b'{"text":"x"}\n' + "\x1b[2J\x7f\u202e\x9b\n".encode())
    run(tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    line = (tmp_path / "out.jsonl.rejects.jsonl").read_bytes()
    assert all(byte == 10 or 32 <= byte < 127 for byte in line)
    assert json.loads(line)["raw"] == "\x1b[2J\x7f\u202e\x9b\n"


def test_a_header_that_cannot_be_written_is_refused_and_leaves_nothing(run, tmp_path):
    (tmp_path / "in.csv").write_text('text|id\n"warm"|1\n')
    options = {"read": ReadOptions(delimiter="|", quotechar=""), "write": WriteOptions(prefix="a|b")}
    with pytest.raises(OutputError, match=r"out\.csv: '.*a\|bsentiment.*' cannot be written without quotes"):
        run(tmp_path / "in.csv", tmp_path / "out.csv", **options)
    assert names(tmp_path) == ["in.csv"]


def test_lines_warn_of_the_columns_they_leave_out(run, source, tmp_path, caplog):
    run(source, tmp_path / "out.txt")
    assert "lines hold only the new columns and the text; other columns are left out" in caplog.text
    assert (tmp_path / "out.txt").read_bytes() == b"odd\t0.142857\tx\nodd\t0.142857\tx\n"
