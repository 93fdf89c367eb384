"""A stopped job continues from its ledger: to the same bytes, and only under the same conditions."""

import errno
import gzip
import itertools
import json
import os
import stat
import threading
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from jobs import ParityScorer, run_job
from xxhash import xxh3_64_hexdigest

from sentcli.errors import DataError, InterruptedRunError, OutputError, RejectsError, ResumeError
from sentcli.runs.history import DONE
from sentcli.runs.ledger import Ledger, parse_record
from sentcli.scoring.labels import Counts
from sentcli.tables.chunk import Position
from sentcli.tables.options import ReadOptions, RejectOptions, WriteOptions

DESCRIPTORS = Path("/proc/self/fd")

ROWS, LINES = 60, 130


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    """Chunks of a few rows, each committed."""
    monkeypatch.setattr("sentcli.tables.chunk.CHUNK_ROWS", 25)
    monkeypatch.setattr("sentcli.tables.parquet.CHUNK_ROWS", 25)
    monkeypatch.setattr("sentcli.runs.ledger.COMMIT_SECONDS", 0.0)


def stop(source, output, chunks=3, **options):
    """Stop a job after some chunks."""
    with pytest.raises(InterruptedRunError) as caught:
        run_job(source, output, scorer=ParityScorer(chunks), **options)
    return str(caught.value)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def ledger_of(output):
    return output.with_name(f".{output.name}.sentcli-ledger")


def record_of(entry, values=b""):
    """Return a line of a ledger with a valid checksum."""
    rest = entry + b"\t" + values + b"\n"
    return xxh3_64_hexdigest(rest).encode() + b"\t" + rest


@pytest.fixture
def lines(tmp_path):
    """An input, the output of a stopped job, and what it will hold."""
    source, output = tmp_path / "in.txt", tmp_path / "out.txt"
    source.write_bytes(b"".join(b"%03d\n" % number for number in range(LINES)))
    run_job(source, output)
    expected = output.read_bytes()
    output.unlink()
    stop(source, output)
    return source, output, expected


@pytest.mark.skipif(not DESCRIPTORS.is_dir(), reason="needs /proc")
def test_a_stopped_job_closes_its_input(tmp_path):
    """At once, and not when the error and its traceback are collected."""
    source = tmp_path / "in.txt"
    source.write_bytes(b"x\n" * LINES)
    with pytest.raises(InterruptedRunError) as caught:
        run_job(source, tmp_path / "out.txt", scorer=ParityScorer(1))
    opened = [descriptor.resolve() for descriptor in DESCRIPTORS.iterdir()]
    assert caught.value
    assert source.resolve() not in opened


@pytest.fixture
def case(tmp_path, request):
    """Input, output, options and the expected files for `INPUT>OUTPUT`, two suffixes."""
    source, target = request.param.split(">")
    csv = tmp_path / "first.csv"
    bad = {30, 31, 57}
    csv.write_text(
        "id,text\n" + "".join(f"{n}\n" if n in bad else f"{n},{'y' * (n % 9)}\n" for n in range(ROWS))
    )
    path = tmp_path / f"in{source}"
    if source == ".csv":
        csv.rename(path)
    else:  # with columns of its own, so that there is room for others; lines have no names for them
        write = WriteOptions(prefix="" if source.startswith(".txt") else "p")
        run_job(csv, tmp_path / f"in{source.removesuffix('.gz')}", write=write, overwrite=True)
        if source.endswith(".gz"):
            path.write_bytes(gzip.compress(path.with_suffix("").read_bytes()))
        elif source == ".jsonl":
            path.write_bytes(path.read_bytes().replace(b'{"id":"50"', b'bad\n{"late":1,"id":"50"'))
    for name in ("whole", "out"):
        (tmp_path / name).mkdir()
    read = ReadOptions(text_column=None if source.startswith(".txt") else "text")
    run_job(path, tmp_path / "whole" / f"out{target}", read=read)
    return path, tmp_path / "out" / f"out{target}", read, contents(tmp_path / "whole")


CASES = (
    *(".csv>.csv", ".csv>.csv.gz", ".csv>.parquet", ".jsonl>.jsonl", ".jsonl>.csv"),
    *(".txt.gz>.txt.zst", ".parquet>.parquet", ".parquet>.csv", ".json>.json", ".xlsx>.xlsx", ".xlsx>.csv"),
)
each_case = pytest.mark.parametrize("case", CASES, indirect=True)


def test_values_of_any_type_come_back(tmp_path):
    chunk = SimpleNamespace(texts=["a", "b", "c"], whole=True, position=Position(0, 9, 3, 0, "f"))
    results = [[1, None, 2**62], [0.1 + 0.2, None, 1e-300], ["é\t\n", None, ""], ['[["x", 1.5]]', None, "[]"]]
    ledger = Ledger(tmp_path / "out", overwrite=False)
    ledger.begin({"run": {}, "overwrite": False})
    ledger.add(chunk, results, Counts())
    ledger.close()
    (replayed,) = Ledger(tmp_path / "out", overwrite=False).replay(iter([chunk]), ["in"])
    assert replayed == (chunk, results, Counts())
    assert repr(replayed[1]) == repr(results)  # 1 is not 1.0


@each_case
def test_a_stopped_job_continues_to_the_same_bytes(case):
    source, output, read, expected = case
    said = stop(source, output, 1, read=read)
    assert "what was scored so far is kept, and the same command continues" in said
    assert [path.name for path in output.parent.iterdir()] == [f".{output.name}.sentcli-ledger"]
    stop(source, output, 1, read=read)
    scorer = ParityScorer()
    summary = run_job(source, output, scorer=scorer, read=read)
    assert contents(output.parent) == expected
    assert scorer.scored == summary.scored < summary.rows - 25
    whole = run_job(source, output, read=read, overwrite=True)
    assert (summary.rows, summary.rejected, summary.blank, summary.labels) == (
        *(whole.rows, whole.rejected, whole.blank, whole.labels),
    )


@each_case
@pytest.mark.parametrize(
    ("name", "code"), [("write", errno.ENOSPC), ("fsync", errno.EIO), ("replace", errno.EIO)]
)
def test_after_a_failed_call_to_the_disk_the_job_continues_to_the_same_bytes(case, monkeypatch, name, code):
    source, output, read, expected = case
    for number in itertools.count(1):
        output.write_bytes(b"old")
        message = None
        with monkeypatch.context() as patch:
            fail_at(number, name, code, patch)
            try:
                run_job(source, output, read=read, overwrite=True)
            except OutputError as error:
                message = str(error)
        if message is None:
            break
        assert os.strerror(code) in message
        assert str(output.parent) in message
        if name != "fsync":  # the last one, of the folder, comes after the rename
            assert output.read_bytes() == b"old"
        run_job(source, output, read=read, overwrite=not ledger_of(output).exists())
        assert contents(output.parent) == expected
    assert number > 1
    assert contents(output.parent) == expected


def fail_at(number, name, code, patch):
    """Let the call of this number, and all later ones of its kind, fail."""
    count, real = itertools.count(1), getattr(os, name)

    def call(*arguments, **options):
        if next(count) >= number:
            raise OSError(code, os.strerror(code), *map(str, arguments[:1]))
        return real(*arguments, **options)

    patch.setattr(os, name, call)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"scorer": ParityScorer(model="other")}, "model"),
        ({"scorer": ParityScorer(probabilities=True)}, "probabilities"),
        ({"read": ReadOptions(max_row_bytes=1000)}, "max_row_bytes"),
        ({"write": WriteOptions(format="csv")}, "write.format"),
        ({"rejects": RejectOptions(path="other.jsonl")}, "rejects.path"),
    ],
)
def test_a_changed_condition_is_refused_by_name(lines, options, what):
    source, output, expected = lines
    before = contents(output.parent)
    with pytest.raises(ResumeError, match=rf"out\.txt: {what} changed since the interrupted run\. What was"):
        run_job(source, output, **options)
    assert contents(output.parent) == before
    run_job(source, output)
    assert output.read_bytes() == expected


def test_other_inputs_and_another_version_are_refused(lines, monkeypatch):
    source, output, _ = lines
    with pytest.raises(ResumeError, match="inputs changed since"):
        run_job([source, source], output)
    monkeypatch.setattr("sentcli.runs.job.__version__", "9.9")
    with pytest.raises(ResumeError, match="version of sentcli changed since"):
        run_job(source, output)


def test_overwrite_starts_over(lines):
    source, output, expected = lines
    scorer = ParityScorer()
    run_job(source, output, scorer=scorer, overwrite=True)
    assert scorer.scored == LINES
    assert contents(output.parent) == {source.name: source.read_bytes(), output.name: expected}


def test_a_job_stopped_with_overwrite_continues_without_it(lines):
    source, output, expected = lines
    output.write_bytes(b"old")
    with pytest.raises(OutputError, match=r"out\.txt exists"):
        run_job(source, output)
    stop(source, output, overwrite=True)
    assert output.read_bytes() == b"old"
    run_job(source, output)
    assert output.read_bytes() == expected


@pytest.mark.parametrize("data", [b"000\n" * LINES, b"000\n", b""])
def test_a_change_in_the_bytes_that_were_read_is_refused(lines, data):
    source, output, expected = lines
    before = source.read_bytes()
    source.write_bytes(data)
    with pytest.raises(ResumeError, match=r"in\.txt changed since the interrupted run read it"):
        run_job(source, output)
    source.write_bytes(before)
    run_job(source, output)
    assert output.read_bytes() == expected


@pytest.mark.parametrize("tail", [b"", b"x\n" * 200, b"x\n" * 20])
def test_a_change_in_the_bytes_after_them_is_scored(lines, tail):
    source, output, _ = lines
    source.write_bytes(source.read_bytes()[: 4 * 75] + tail)
    run_job(source, output)
    result = output.read_bytes()
    run_job(source, output, overwrite=True)
    assert output.read_bytes() == result


@pytest.mark.parametrize("number", [0, 1])
def test_a_new_key_after_them_is_a_column(tmp_path, number):
    inputs = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    for path in inputs:
        path.write_bytes(b'{"text":"x"}\n' * 130)
    stop(inputs, tmp_path / "out.csv")
    with inputs[number].open("ab") as file:
        file.write(b'{"text":"x","new":1}\n')
    run_job(inputs, tmp_path / "out.csv")
    result = (tmp_path / "out.csv").read_bytes()
    assert result.startswith(b"text,new,sentiment")
    run_job(inputs, tmp_path / "out.csv", overwrite=True)
    assert (tmp_path / "out.csv").read_bytes() == result


def test_an_input_that_became_empty_is_refused(tmp_path):
    (tmp_path / "in.csv").write_bytes(b"text\n" + b"x\n" * 100)
    stop(tmp_path / "in.csv", tmp_path / "out.csv")
    (tmp_path / "in.csv").write_bytes(b"")
    with pytest.raises(ResumeError, match=r"in\.csv changed since"):
        run_job(tmp_path / "in.csv", tmp_path / "out.csv")


def test_a_job_stopped_by_a_damaged_input_continues_once_it_is_repaired(tmp_path):
    data = b"".join(b"%d\n" % number**9 for number in range(60_000))
    packed = gzip.compress(data)
    read = ReadOptions(encoding="utf-8")  # else so small a file is read to its end before
    (tmp_path / "in.txt.gz").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(DataError, match=r"cannot be read: .*and the same command continues"):
        run_job(tmp_path / "in.txt.gz", tmp_path / "out.txt", read=read)
    (tmp_path / "in.txt.gz").write_bytes(packed)
    summary = run_job(tmp_path / "in.txt.gz", tmp_path / "out.txt", read=read)
    assert summary.scored < summary.rows == 60_000


def test_a_job_stopped_by_rejects_continues_with_a_higher_limit(tmp_path):
    (tmp_path / "in.csv").write_bytes(b"text\n" + b"x\n" * 100 + b'"a" b\n' * 2 + b"x\n" * 10)
    with pytest.raises(RejectsError, match=r"2 of 100 rows rejected|2 of .* rows rejected, more than"):
        run_job(tmp_path / "in.csv", tmp_path / "out.csv", rejects=RejectOptions(limit="1"))
    summary = run_job(tmp_path / "in.csv", tmp_path / "out.csv", rejects=RejectOptions(limit="2"))
    assert (summary.rows, summary.rejected) == (110, 2)
    assert summary.scored < 110


@pytest.fixture
def pipe(monkeypatch):
    """Replace standard input by a pipe; returns a function that sends pieces with pauses between them."""

    with ExitStack() as stack:
        yield partial(_send, monkeypatch, stack)


def _send(monkeypatch, stack, *pieces):
    read_end, write_end = os.pipe()
    monkeypatch.setattr("sys.stdin", stack.enter_context(os.fdopen(read_end)))

    def write():
        with os.fdopen(write_end, "wb", buffering=0) as file:
            for piece in pieces:
                file.write(piece)
                time.sleep(0.2)

    threading.Thread(target=write).start()


def test_a_pipe_continues_wherever_it_pauses(tmp_path, pipe, lines):
    source, _, expected = lines
    data = source.read_bytes()
    pipe(data[:18], data[18:])
    stop("-", tmp_path / "piped.txt", 3)  # chunks of 4, 21 and 25 rows, and with them two records
    pipe(data[:122], data[122:130], data[130:])
    scorer = ParityScorer()
    run_job("-", tmp_path / "piped.txt", scorer=scorer)
    assert (tmp_path / "piped.txt").read_bytes() == expected
    assert scorer.scored == LINES - 50


@pytest.mark.parametrize("kept", [4, 130, 396])
def test_a_pipe_with_other_bytes_is_refused(tmp_path, pipe, lines, kept):
    data = lines[0].read_bytes()
    pipe(data)
    stop("-", tmp_path / "piped.txt", 4)
    pipe(data[:kept], b"other\n")
    with pytest.raises(ResumeError, match=r"^- changed since the interrupted run read it"):
        run_job("-", tmp_path / "piped.txt")


def test_a_partial_record_of_the_ledger_is_ignored(lines):
    source, output, expected = lines
    ledger = ledger_of(output)
    whole = ledger.read_bytes()
    rows = []
    for length in range(0, len(whole), 7):
        ledger.write_bytes(whole[:length])
        rows.append(Ledger(output, overwrite=False).rows)
    assert {*rows} == {0, 25, 50}
    assert rows == sorted(rows)
    ledger.write_bytes(whole[:-9] + bytes(40))
    assert run_job(source, output).scored == LINES - 50
    assert output.read_bytes() == expected


def test_a_damaged_ledger_is_an_error(lines):
    source, output, expected = lines
    ledger = ledger_of(output)
    data = bytearray(ledger.read_bytes())
    data[40] ^= 1
    ledger.write_bytes(data)
    with pytest.raises(ResumeError, match="sentcli-ledger is damaged; start over with overwrite=True"):
        run_job(source, output)
    run_job(source, output, overwrite=True)
    assert output.read_bytes() == expected


@pytest.mark.parametrize(
    "record",
    [
        *(b'{"a": 1}', b"[]", b"1", b"null", b"\xff", b"[" * 100_000, b"9" * 5000),
        *(b'{"run": [], "overwrite": false}', b'{"run": {}, "overwrite": 1}', b'{"sizes": [1, 2]}'),
    ],
)
def test_a_ledger_of_another_program_is_an_error(lines, record):
    source, output, _ = lines
    ledger_of(output).write_bytes(record_of(record))
    with pytest.raises(ResumeError, match="sentcli-ledger is damaged; start over with overwrite=True"):
        run_job(source, output)


@pytest.mark.parametrize(
    "record",
    [
        *(b'{"run": {}, "overwrite": true}', b'{"sizes": 1}', b"[" * 100_000),
        b'{"position": {"input": "0", "offset": 9, "rows": 25, "rejected": 0, "xxh3": ""}, "counts": {}}',
    ],
)
def test_a_record_of_another_program_ends_the_ledger(lines, record):
    source, output, expected = lines
    first, *_ = ledger_of(output).read_bytes().splitlines(keepends=True)
    ledger_of(output).write_bytes(first + record_of(record))
    assert run_job(source, output).scored == LINES
    assert output.read_bytes() == expected


def test_a_ledger_of_an_input_that_is_not_there_does_not_match(lines):
    source, output, _ = lines
    first, second, *_ = ledger_of(output).read_bytes().splitlines(keepends=True)
    _, entry, values = second.rstrip().split(b"\t")
    record = json.loads(entry)
    record["position"] |= {"input": 7, "xxh3": "no"}
    ledger_of(output).write_bytes(first + record_of(json.dumps(record).encode(), values))
    with pytest.raises(ResumeError, match=r"in\.txt changed since the interrupted run"):
        run_job(source, output)


@pytest.mark.parametrize(
    "record",
    [
        *(b"", b"{}", b"[" * 100_000, b"\xff", b"null"),
        *(b'{"facts":[],"summary":[]}', b'{"facts":{},"summary":1}'),
        *(b'{"facts":{},"summary":{"rows":"1"}}', b'{"facts":{},"summary":{"other":1}}'),
        b'{"facts":{},"summary":{"rows":%s}}' % (b"9" * 5000),
    ],
)
def test_a_record_of_another_program_is_no_record(record):
    assert parse_record(record, DONE) is None


def test_the_ledger_of_a_private_file_is_private(lines):
    source, output, _ = lines
    output.write_text("old")
    output.chmod(0o600)
    stop(source, output, overwrite=True)
    assert stat.S_IMODE(ledger_of(output).stat().st_mode) == 0o600


def test_a_link_in_place_of_a_ledger_is_not_followed(lines):
    source, output, _ = lines
    precious = ledger_of(output).rename(output.with_name("precious"))
    before = precious.read_bytes()
    ledger_of(output).symlink_to(precious)
    with pytest.raises(OutputError, match="Too many levels of symbolic links"):
        run_job(source, output)
    assert precious.read_bytes() == before


def stop_publishing(monkeypatch, source, output, at):
    """Let a job die between two renames: at the first, the second, or after them."""
    replace, count = os.replace, itertools.count()

    def die(*arguments, **options):
        if next(count) == at:
            os._exit(9)
        replace(*arguments, **options)

    child = os.fork()
    if not child:
        try:
            monkeypatch.setattr(os, "replace", die)
            monkeypatch.setattr("sentcli.runs.ledger.Ledger.discard", lambda self: os._exit(9))
            run_job(source, output)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


@pytest.fixture
def csv(tmp_path):
    """An input with rejects, the output's name, and the expected files."""
    (tmp_path / "out").mkdir()
    source = tmp_path / "in.csv"
    source.write_bytes(b"id,text\n" + b"1,x\n" * 60 + b"2\n" + b"3,xx\n" * 20)
    run_job(source, tmp_path / "out" / "out.csv")
    expected = contents(tmp_path / "out")
    for path in (tmp_path / "out").iterdir():
        path.unlink()
    return source, tmp_path / "out" / "out.csv", expected


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_job_that_died_between_its_renames_gets_the_missing_ones(csv, monkeypatch, at):
    source, output, expected = csv
    stop_publishing(monkeypatch, source, output, at)
    scorer = ParityScorer()
    summary = run_job(source, output, scorer=scorer)
    assert (summary.rows, summary.rejected, summary.scored, scorer.scored) == (80, 1, 0, 0)
    assert contents(output.parent) == expected


@pytest.mark.parametrize("at", [0, 1])
@pytest.mark.parametrize("gone", ["out.csv", "out.csv.rejects.jsonl"])
def test_a_file_lost_before_its_rename_is_written_again_without_scoring(csv, monkeypatch, at, gone):
    source, output, expected = csv
    stop_publishing(monkeypatch, source, output, at)
    for path in (output.with_name(f".{gone}.sentcli-part"), output.with_name(gone)):
        path.unlink(missing_ok=True)
    scorer = ParityScorer()
    run_job(source, output, scorer=scorer)
    assert scorer.scored == 0
    assert contents(output.parent) == expected


@pytest.mark.parametrize("name", ["out.csv", "out.csv.rejects.jsonl"])
def test_a_file_created_before_a_rename_is_not_replaced(csv, monkeypatch, name):
    source, output, expected = csv
    stop_publishing(monkeypatch, source, output, 0)
    mine = output.with_name(name)
    mine.write_text("mine")
    with pytest.raises(OutputError, match=f"{name} exists"):
        run_job(source, output)
    assert mine.read_text() == "mine"
    mine.unlink()
    run_job(source, output)
    assert contents(output.parent) == expected
