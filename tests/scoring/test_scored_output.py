import csv
import io
import os
import re
import signal
import sys
import threading
from collections import Counter
from importlib.metadata import version
from pathlib import Path

import orjson
import pytest
from runs import CHUNK, content, count_texts, facts, interrupt, run

from sentcli.errors import (
    InterruptedRunError,
    OutOfMemoryError,
    OutputError,
    ProcessError,
    ResumeError,
    StopRequested,
)
from sentcli.runs.job import Job
from sentcli.scoring.scorer import Scorer
from sentcli.tables.options import ReadOptions, WriteOptions

pytestmark = pytest.mark.usefixtures("small_chunks")


def test_a_summary_counts_what_the_output_shows(scorer, files, tmp_path):
    summary = run(scorer, files[:1], tmp_path / "out.jsonl")
    rows = [orjson.loads(line) for line in (tmp_path / "out.jsonl").read_bytes().splitlines()]
    labels = Counter(row["sentiment"] for row in rows)
    assert (summary.rows, summary.rejected, summary.blank) == (len(rows), 1, labels[None]) == (99, 1, 1)
    assert summary.labels == {name: labels[name] for name in ("negative", "positive")}
    assert summary.tokens == sum(scorer.score([row["text"]]).tokens for row in rows)
    assert summary.unknown >= 200
    assert summary.truncated > 0
    assert summary.scored == 99
    assert [entry["path"] for entry in summary.inputs] == files[:1]


def test_quotes_in_csv_change_no_score(scorer, tmp_path):
    texts = ['"fine"', 'a "fine" film', "a fine film", 'so"fine', '""', '"', "fine, or not"] * 10
    with (tmp_path / "in.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["text"], *([text] for text in texts)])
    run(scorer, [str(tmp_path / "in.csv")], tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = [*csv.DictReader(file)]
    result = scorer.score(texts)
    assert [row["text"] for row in rows] == texts
    assert [row["sentiment"] for row in rows] == [label or "" for label in result.labels]
    expected = ["" if score is None else f"{score:.6f}" for score in result.scores]
    assert [row["sentiment_score"] for row in rows] == expected


def test_threads_take_quick_turns_as_long_as_a_run_lasts(scorer, files, tmp_path, monkeypatch):
    usual = sys.getswitchinterval()
    write, seen = Job.write, set()

    def look(self, *arguments):
        seen.add(sys.getswitchinterval() < usual)
        write(self, *arguments)

    monkeypatch.setattr(Job, "write", look)
    run(scorer, files[:1], tmp_path / "out.jsonl")
    assert seen == {True}
    assert sys.getswitchinterval() == usual
    interrupt(monkeypatch, after=1)
    with pytest.raises(InterruptedRunError):
        run(scorer, files[:1], tmp_path / "more.jsonl")
    assert sys.getswitchinterval() == usual


@pytest.mark.parametrize("after", [0, 1, 3, 6])
def test_an_interrupted_run_goes_on_to_the_same_bytes_and_summary(
    scorer, files, tmp_path, monkeypatch, after
):
    (tmp_path / "whole").mkdir()
    (tmp_path / "resumed").mkdir()
    expected = run(scorer, files[:1], tmp_path / "whole" / "a.jsonl")
    with monkeypatch.context() as patch:
        interrupt(patch, after)
        with pytest.raises(
            InterruptedRunError, match=f"stopped after {after * CHUNK - (after > 3)} rows"
        ) as caught:
            run(scorer, files[:1], tmp_path / "resumed" / "a.jsonl")
    assert caught.value.exit_code == 130
    assert ("--resume" in str(caught.value)) == (after > 0)
    assert not (tmp_path / "resumed" / "a.jsonl").exists()
    counted = count_texts(monkeypatch)
    summary = run(scorer, files[:1], tmp_path / "resumed" / "a.jsonl", resume=True)
    assert content(tmp_path / "resumed") == content(tmp_path / "whole")
    assert facts(summary) == facts(expected)
    assert counted["texts"] == summary.scored == expected.rows - (after * CHUNK - (after > 3))


@pytest.mark.parametrize(
    ("after", "said"),
    [(0, "or a lower --max-row-bytes"), (2, "with fewer --workers, --resume")],
)
def test_short_memory_says_what_to_do_and_that_resume_goes_on(
    scorer, files, tmp_path, monkeypatch, after, said
):
    expected = run(scorer, files[:1], tmp_path / "whole.jsonl")
    with monkeypatch.context() as patch:
        interrupt(patch, after, MemoryError())
        with pytest.raises(OutOfMemoryError, match=f"^memory is short; .*{said}"):
            run(scorer, files[:1], tmp_path / "out.jsonl")
    summary = run(scorer, files[:1], tmp_path / "out.jsonl", resume=True)
    assert (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert summary.scored == expected.rows - after * CHUNK


def test_a_thread_that_cannot_be_started_says_what_to_do(scorer, files, tmp_path):
    before = threading.stack_size(1 << 46)  # more than there are addresses
    try:
        with pytest.raises(ProcessError, match=r"^another thread cannot be started; try fewer --workers"):
            run(scorer, files[:1], tmp_path / "out.jsonl")
    finally:
        threading.stack_size(before)
    assert [*tmp_path.glob("*out*")] == []


def test_a_thread_that_cannot_be_started_later_says_that_resume_goes_on(scorer, files, tmp_path, monkeypatch):
    interrupt(monkeypatch, 2, RuntimeError("can't start new thread"))  # as another process sends it
    with pytest.raises(ProcessError, match=r"with fewer --workers, --resume goes on$"):
        run(scorer, files[:1], tmp_path / "out.jsonl")


def test_a_mistake_in_the_program_stays_what_it_is(scorer, files, tmp_path, monkeypatch):
    interrupt(monkeypatch, 2, RuntimeError("a mistake"))
    with pytest.raises(RuntimeError, match=r"^a mistake$"):
        run(scorer, files[:1], tmp_path / "out.jsonl")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_exit_code_names_the_signal(scorer, files, tmp_path, monkeypatch, number):
    interrupt(monkeypatch, 2, StopRequested(number))
    with pytest.raises(InterruptedRunError) as caught:
        run(scorer, files[:1], tmp_path / "out.jsonl")
    assert caught.value.exit_code == 128 + number


def test_a_full_disk_says_that_resume_goes_on(scorer, files, tmp_path, monkeypatch):
    interrupt(monkeypatch, 2, OutputError("out.jsonl: No space left on device"))
    with pytest.raises(OutputError, match="No space left on device; the same command with --resume"):
        run(scorer, files[:1], tmp_path / "out.jsonl")


def test_what_cannot_be_written_is_said_with_the_name_of_the_output(scorer, files, tmp_path):
    (tmp_path / "in" / "a.csv").write_text('text|id\n"warm"|1\n')
    read, write = ReadOptions(delimiter="|", quotechar=""), WriteOptions(prefix="a|b")
    with pytest.raises(OutputError, match=r"out\.csv: '.*a\|bsentiment.*' cannot be written without quotes"):
        run(scorer, [f"{tmp_path}/in/a.csv"], tmp_path / "out.csv", read=read, write=write)


def test_a_label_that_cannot_be_written_is_said_before_a_row_has_it(scorer, files, tmp_path):
    (tmp_path / "in" / "a.csv").write_text("textpid\ndullp1\n")
    read = ReadOptions(delimiter="p", quotechar="")
    with pytest.raises(OutputError, match=r"positive.* cannot be written without quotes"):
        run(scorer, [f"{tmp_path}/in/a.csv"], tmp_path / "out.csv", read=read)


def test_a_run_that_cannot_be_resumed_is_not_told_to_resume(scorer, files, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        interrupt(patch, 2)
        with pytest.raises(InterruptedRunError):
            run(scorer, files[:1], tmp_path / "out.jsonl")
    path = Path(files[0])
    times = path.stat().st_atime_ns, path.stat().st_mtime_ns
    path.write_bytes(path.read_bytes().replace(b"warm", b"mraw"))
    os.utime(path, ns=times)
    with pytest.raises(
        ResumeError, match=r"out\.jsonl: .*a\.jsonl was changed .*; start over without --resume$"
    ):
        run(scorer, files[:1], tmp_path / "out.jsonl", resume=True)


def test_uncertain_rows_are_counted_as_a_label(trained, files, tmp_path):
    with Scorer(trained, workers=1, uncertain=(0.5, 1)) as scorer:
        summary = run(scorer, files[:1], tmp_path / "out.jsonl")
    rows = [orjson.loads(line) for line in (tmp_path / "out.jsonl").read_bytes().splitlines()]
    inside = [row for row in rows if row["sentiment"] and row["sentiment_score"] >= 0.5]
    assert inside
    assert {row["sentiment"] for row in inside} == {"uncertain"}
    assert summary.labels["uncertain"] == len(inside)
    assert f"uncertain {len(inside) / 98:.1%}" in summary.lines()[1]


def test_a_run_with_another_backend_is_not_gone_on_with(scorer, trained, files, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        interrupt(patch, 2)
        with pytest.raises(InterruptedRunError):
            run(scorer, files[:1], tmp_path / "out.jsonl")
    with (
        Scorer(trained, workers=1, backend="torch") as other,
        pytest.raises(ResumeError, match="backend, runtime changed since the interrupted run"),
    ):
        run(other, files[:1], tmp_path / "out.jsonl", resume=True)


@pytest.mark.parametrize("runtime", ["onnxruntime 1.0.0", "torch 2.13.0 on cuda"])
def test_a_run_with_another_library_or_device_is_not_gone_on_with(
    scorer, files, tmp_path, monkeypatch, runtime
):
    with monkeypatch.context() as patch:
        interrupt(patch, 2)
        with pytest.raises(InterruptedRunError):
            run(scorer, files[:1], tmp_path / "out.jsonl")
    assert scorer.runtime == f"onnxruntime {version('onnxruntime')}"
    with monkeypatch.context() as patch:
        patch.setattr(scorer, "runtime", runtime)
        with pytest.raises(ResumeError, match="runtime changed since the interrupted run"):
            run(scorer, files[:1], tmp_path / "out.jsonl", resume=True)
    run(scorer, files[:1], tmp_path / "out.jsonl", resume=True)


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("bands", [(None, (0.4, 0.6)), ((0.4, 0.6), (0.3, 0.6)), ((0.4, 0.6), None)])
def test_a_run_with_another_band_is_not_gone_on_with(trained, files, tmp_path, monkeypatch, bands, several):
    inputs, output = (files, f"{tmp_path}/out/") if several else (files[:1], tmp_path / "out.jsonl")
    before, after = bands
    with monkeypatch.context() as patch, Scorer(trained, workers=1, uncertain=before) as scorer:
        interrupt(patch, 2)
        with pytest.raises(InterruptedRunError):
            run(scorer, inputs, output)
    with (
        Scorer(trained, workers=1, uncertain=after) as scorer,
        pytest.raises(ResumeError, match="uncertain changed since the interrupted run"),
    ):
        run(scorer, inputs, output, resume=True)
    with Scorer(trained, workers=1, uncertain=before) as scorer:
        run(scorer, inputs, output, resume=True)


def test_what_was_begun_with_another_model_starts_over(scorer, trained, files, tmp_path, monkeypatch, caplog):
    with monkeypatch.context() as patch:
        interrupt(patch, after=3)
        with pytest.raises(InterruptedRunError):
            run(scorer, files[:1], tmp_path / "out.jsonl", skip_existing=True)
    with Scorer(trained, uncertain=(0.4, 0.6)) as other:
        summary = run(other, files[:1], tmp_path / "out.jsonl", skip_existing=True)
    assert summary.scored == 99
    assert "begun on other conditions, or of another input; it starts over" in caplog.text


def test_where_stderr_is_no_terminal_a_line_now_and_then_tells_how_far_a_run_is(
    scorer, files, tmp_path, monkeypatch, caplog
):
    caplog.set_level("INFO", "sentcli")
    output = tmp_path / "out.jsonl"

    def told(target=output, **options):
        caplog.clear()
        run(scorer, files[:2], target, overwrite=True, **options)
        return [message for message in caplog.messages if "rows/s" in message]

    assert told(show_progress=True) == []
    monkeypatch.setattr("sentcli.runs.single._SILENCE", 0.0)
    assert told(show_progress=False) == []
    lines = told(show_progress=True)
    assert len(lines) == 14
    assert re.fullmatch(rf"{output}: 16 rows, [\d,]+ rows/s, 50% of the bytes", lines[0])
    assert re.fullmatch(rf"{output}: 198 rows, [\d,]+ rows/s, 100% of the bytes", lines[-1])
    assert re.match(f"{tmp_path}/out/b.jsonl: 99 rows,", told(f"{tmp_path}/out/", show_progress=True)[-1])


def test_a_log_is_told_once_in_a_while_however_many_outputs_there_are(
    scorer, files, tmp_path, monkeypatch, caplog
):
    caplog.set_level("INFO", "sentcli")
    times = iter(range(0, 100_000, 100))
    monkeypatch.setattr("sentcli.runs.single.time.perf_counter", lambda: float(next(times)))
    run(scorer, files, f"{tmp_path}/out/", show_progress=True)
    assert sum("rows/s" in message for message in caplog.messages) in (4, 5)


def test_a_terminal_gets_a_bar_that_is_gone_at_the_end(scorer, files, tmp_path, monkeypatch, caplog):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr("sentcli.runs.single._SILENCE", 0.0)
    caplog.set_level("INFO", "sentcli")
    monkeypatch.setattr(sys, "stderr", Terminal())
    run(scorer, files[:1], tmp_path / "out.jsonl", show_progress=True)
    drawn = sys.stderr.getvalue().split("\r")
    assert any("B/s" in line for line in drawn)
    assert drawn[-1] == ""
    assert "rows/s" not in caplog.text
    monkeypatch.setattr(sys, "stderr", Terminal())
    run(scorer, files[:1], tmp_path / "more.jsonl")
    assert sys.stderr.getvalue() == ""
