"""One output: what its errors say, how far it is, and runs that meet each other."""

import io
import os
import re
import sys
import threading
from collections import Counter

import invented
import orjson
import pytest
from jobs import ParityScorer, run_job

from sentcli.errors import InterruptedRunError, LockedError, OutputError
from sentcli.files.lock import Lock
from sentcli.runs import summary as telling
from sentcli.runs.job import JobOptions, score_output
from sentcli.runs.summary import Progress
from sentcli.scoring.scorer import Scorer
from sentcli.tables.options import ReadOptions, RejectOptions, WriteOptions


@pytest.fixture
def source(tmp_path):
    (tmp_path / "in.txt").write_bytes(b"x\n" * 100)
    return tmp_path / "in.txt"


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr("sentcli.tables.chunk.CHUNK_ROWS", 16)


def test_a_summary_counts_what_the_output_shows(trained, tmp_path):
    texts = [text for text, _ in invented.reviews(100, seed=0)]
    lines = [orjson.dumps({"text": text}) for text in ["", "warm zzz " * 200, *texts]]
    (tmp_path / "in.jsonl").write_bytes(b"\n".join([*lines, b"no JSON"]) + b"\n")
    with Scorer(trained, workers=1, uncertain=(0.5, 1)) as scorer:
        names = [str(tmp_path / "in.jsonl")]
        summary = score_output(scorer, names, str(tmp_path / "out.jsonl"), JobOptions(), Progress())
        tokens = sum(scorer.score([text]).tokens for text in ["warm zzz " * 200, *texts])
    rows = [orjson.loads(line) for line in (tmp_path / "out.jsonl").read_bytes().splitlines()]
    labels = Counter(row["sentiment"] for row in rows)
    assert (summary.rows, summary.rejected, summary.blank) == (len(rows), 1, labels.pop(None)) == (102, 1, 1)
    assert summary.labels == labels
    assert labels["uncertain"] == sum(1 for row in rows if (row["sentiment_score"] or 0) >= 0.5) > 0
    assert summary.tokens == tokens
    assert summary.unknown >= 200
    assert summary.truncated > 0
    assert summary.scored == 102
    assert summary.seconds > 0


def test_threads_take_quick_turns_as_long_as_a_run_lasts(source, tmp_path):
    usual, seen = sys.getswitchinterval(), set()

    class Watching(ParityScorer):
        def stream(self, chunks):
            seen.add(sys.getswitchinterval() < usual)
            yield from super().stream(chunks)

    run_job(source, tmp_path / "out.txt", scorer=Watching())
    with pytest.raises(InterruptedRunError):
        run_job(source, tmp_path / "more.txt", scorer=Watching(0))
    assert seen == {True}
    assert sys.getswitchinterval() == usual


@pytest.mark.usefixtures("small_chunks")
def test_a_stop_in_the_first_second_leaves_nothing(source, tmp_path):
    with pytest.raises(InterruptedRunError, match=r"out\.txt: stopped after 32 rows$") as caught:
        run_job(source, tmp_path / "out.txt", scorer=ParityScorer(2))
    assert caught.value.exit_code == 143
    assert [*tmp_path.iterdir()] == [source]


def test_a_stream_that_is_stopped_has_no_name(source, capfdbinary):
    with pytest.raises(InterruptedRunError, match=r"^stopped after 0 rows$"):
        run_job(source, "-", scorer=ParityScorer(0))


@pytest.mark.parametrize("error", [RuntimeError("a mistake"), MemoryError()])
def test_a_mistake_in_the_program_stays_what_it_is(source, tmp_path, error):
    class Wrong(ParityScorer):
        def stream(self, chunks):
            raise error
            yield

    with pytest.raises(type(error)) as caught:
        run_job(source, tmp_path / "out.txt", scorer=Wrong())
    assert caught.value is error
    assert [*tmp_path.iterdir()] == [source]


def test_what_cannot_be_written_is_said_with_the_name_of_the_output(tmp_path):
    (tmp_path / "in.csv").write_text('text|id\n"warm"|1\n')
    options = {"read": ReadOptions(delimiter="|", quotechar=""), "write": WriteOptions(prefix="a|b")}
    with pytest.raises(OutputError, match=r"out\.csv: '.*a\|bsentiment.*' cannot be written without quotes"):
        run_job(tmp_path / "in.csv", tmp_path / "out.csv", **options)


def test_two_runs_at_once_leave_one_result(tmp_path):
    (tmp_path / "in.txt").write_bytes(b"x\n" * 20_000)
    for _ in range(5):
        children = []
        for _ in range(2):
            child = os.fork()
            if not child:
                try:
                    run_job(tmp_path / "in.txt", tmp_path / "out.txt")
                    os._exit(0)
                except OutputError:
                    os._exit(3)
                finally:
                    os._exit(9)
            children.append(child)
        codes = sorted(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)
        assert codes == [0, 3]  # the second waits, and finds the output of the first
        assert (tmp_path / "out.txt").read_bytes() == b"odd\t0.142857\tx\n" * 20_000
        assert sorted(path.name for path in tmp_path.iterdir()) == ["in.txt", "out.txt"]
        (tmp_path / "out.txt").unlink()


@pytest.mark.parametrize("output", ["out.txt", "-"])
def test_a_rejects_file_has_a_lock_too(source, tmp_path, monkeypatch, output):
    monkeypatch.setattr("sentcli.files.lock.WAIT_SECONDS", 0.0)
    rejects = RejectOptions(path=str(tmp_path / "r.jsonl"))
    output = output if output == "-" else tmp_path / output
    with Lock(tmp_path / "r.jsonl"), pytest.raises(LockedError, match=r"r\.jsonl: another run"):
        run_job(source, output, rejects=rejects)
    assert [*tmp_path.iterdir()] == [source]


def test_a_run_that_waited_continues_what_the_other_has_left(source, tmp_path, monkeypatch, small_chunks):
    monkeypatch.setattr("sentcli.runs.ledger.COMMIT_SECONDS", 0.0)
    lock = Lock(tmp_path / "out.txt")
    threading.Timer(0.3, lock.release).start()
    with pytest.raises(InterruptedRunError):
        run_job(source, tmp_path / "out.txt", scorer=ParityScorer(2))
    assert run_job(source, tmp_path / "out.txt").scored == 68


def shown(source, output, **options):
    progress = Progress(**options)
    score_output(ParityScorer(), [str(source)], str(output), JobOptions(overwrite=True), progress)


@pytest.mark.usefixtures("small_chunks")
def test_a_log_gets_a_line_now_and_then(source, tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO", "sentcli")
    shown(source, tmp_path / "out.txt", shown=True)
    monkeypatch.setattr(telling, "_SILENCE", 0.0)
    shown(source, tmp_path / "out.txt", shown=False)
    assert caplog.messages == []
    shown(source, tmp_path / "out.txt", shown=True)
    assert len(caplog.messages) == 7
    assert re.fullmatch(r".*/out\.txt: 16 rows, [\d,]+ rows/s, 100% of the bytes", caplog.messages[0])


@pytest.mark.usefixtures("small_chunks")
def test_a_terminal_gets_a_bar_that_is_gone_at_the_end(source, tmp_path, monkeypatch, caplog):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(telling, "_SILENCE", 0.0)
    monkeypatch.setattr(sys, "stderr", Terminal())
    shown(source, tmp_path / "out.txt", shown=True)
    drawn = sys.stderr.getvalue().split("\r")
    assert any("B/s" in line for line in drawn)
    assert drawn[-1] == ""
    assert "rows/s" not in caplog.text
