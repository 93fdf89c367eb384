"""One output: its summary, its errors, its progress, and concurrent runs."""

import io
import re
import sys
import threading
from collections import Counter

import invented
import orjson
import pytest
from jobs import ParityScorer, run_job

from sentcli.errors import InterruptedRunError, LockedError
from sentcli.files.atomic import Lock
from sentcli.files.sink import Target
from sentcli.runs import summary as summaries
from sentcli.runs.job import JobOptions, score_output
from sentcli.runs.summary import Progress
from sentcli.scoring.scorer import Scorer
from sentcli.tables.options import RejectOptions


@pytest.fixture
def source(tmp_path):
    (tmp_path / "in.txt").write_bytes(b"x\n" * 100)
    return tmp_path / "in.txt"


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr("sentcli.tables.chunk.CHUNK_ROWS", 16)


def test_a_summary_counts_the_rows_of_the_output(trained, tmp_path):
    texts = [text for text, _ in invented.reviews(100, seed=0)]
    lines = [orjson.dumps({"text": text}) for text in ["", "warm zzz " * 200, *texts]]
    (tmp_path / "in.jsonl").write_bytes(b"\n".join([*lines, b"no JSON"]) + b"\n")
    with Scorer(trained, workers=1, neutral=(0.5, 1)) as scorer:
        names = [str(tmp_path / "in.jsonl")]
        summary = score_output(scorer, names, Target(tmp_path / "out.jsonl"), JobOptions())
        tokens = sum(scorer.score([text]).counts.tokens for text in ["warm zzz " * 200, *texts])
    rows = [orjson.loads(line) for line in (tmp_path / "out.jsonl").read_bytes().splitlines()]
    labels = Counter(row["sentiment"] for row in rows)
    assert (summary.rows, summary.rejected, summary.blank) == (len(rows), 1, labels.pop(None)) == (102, 1, 1)
    assert summary.labels == labels
    assert labels["neutral"] == sum(1 for row in rows if (row["sentiment_score"] or 0) >= 0.5) > 0
    assert summary.tokens == tokens
    assert summary.unknown >= 200
    assert summary.truncated > 0
    assert summary.scored == 102
    assert summary.seconds > 0


@pytest.mark.usefixtures("small_chunks")
def test_a_stop_in_the_first_second_leaves_nothing(source, tmp_path):
    with pytest.raises(InterruptedRunError, match=r"out\.txt: stopped after 32 rows$") as caught:
        run_job(source, tmp_path / "out.txt", scorer=ParityScorer(2))
    assert caught.value.exit_code == 143
    assert [*tmp_path.iterdir()] == [source]


def test_a_stream_that_is_stopped_has_no_name(source, capfdbinary):
    with pytest.raises(InterruptedRunError, match=r"^stopped after 0 rows$"):
        run_job(source, "-", scorer=ParityScorer(0))


def test_a_programming_error_is_raised_unchanged(source, tmp_path):
    error = RuntimeError("a mistake")

    class Wrong(ParityScorer):
        def stream(self, chunks):
            raise error
            yield

    with pytest.raises(type(error)) as caught:
        run_job(source, tmp_path / "out.txt", scorer=Wrong())
    assert caught.value is error
    assert [*tmp_path.iterdir()] == [source]


@pytest.mark.parametrize("output", ["out.txt", "-"])
def test_a_rejects_file_is_locked(source, tmp_path, monkeypatch, output):
    monkeypatch.setattr("sentcli.files.atomic.WAIT_SECONDS", 0.0)
    rejects = RejectOptions(path=str(tmp_path / "r.jsonl"))
    output = output if output == "-" else tmp_path / output
    with Lock(tmp_path / "r.jsonl"), pytest.raises(LockedError, match=r"r\.jsonl: another run"):
        run_job(source, output, rejects=rejects)
    assert [*tmp_path.iterdir()] == [source]


def test_a_run_that_waited_for_a_lock_continues_the_work_of_the_other(
    source, tmp_path, monkeypatch, small_chunks
):
    monkeypatch.setattr("sentcli.runs.ledger.COMMIT_SECONDS", 0.0)
    lock = Lock(tmp_path / "out.txt")
    threading.Timer(0.3, lock.release).start()
    with pytest.raises(InterruptedRunError):
        run_job(source, tmp_path / "out.txt", scorer=ParityScorer(2))
    assert run_job(source, tmp_path / "out.txt").scored == 68


def show_progress(source, output, **options):
    job = JobOptions(overwrite=True, progress=Progress(**options))
    score_output(ParityScorer(), [str(source)], Target(output), job)


@pytest.mark.usefixtures("small_chunks")
def test_a_log_gets_lines_of_progress_unless_quiet(source, tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO", "sentcli")
    show_progress(source, tmp_path / "out.txt", shown=True)
    monkeypatch.setattr(summaries, "_SILENCE", 0.0)
    show_progress(source, tmp_path / "out.txt", shown=False)
    assert caplog.messages == []
    show_progress(source, tmp_path / "out.txt", shown=True)
    assert len(caplog.messages) == 7
    assert re.fullmatch(r".*/out\.txt: 16 rows, [\d,]+ rows/s, 100% of the bytes", caplog.messages[0])


@pytest.mark.usefixtures("small_chunks")
def test_a_terminal_gets_a_bar_that_is_erased_at_the_end(source, tmp_path, monkeypatch, caplog):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(summaries, "_SILENCE", 0.0)
    monkeypatch.setattr(sys, "stderr", Terminal())
    show_progress(source, tmp_path / "out.txt", shown=True)
    drawn = sys.stderr.getvalue().split("\r")
    assert any("B/s" in line for line in drawn)
    assert drawn[-1] == ""
    assert "rows/s" not in caplog.text
