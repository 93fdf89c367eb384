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
    TerminatedBySignal,
    UsageError,
)
from sentcli.scoring import Scorer
from sentcli.tables import Job, ReadOptions, RejectOptions, WriteOptions

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


def test_several_inputs_become_one_output_in_their_order(scorer, files, tmp_path):
    run(scorer, files, tmp_path / "out.jsonl")
    run(scorer, files, f"{tmp_path}/each/")
    parts = b"".join((tmp_path / "each" / Path(name).name).read_bytes() for name in files)
    assert (tmp_path / "out.jsonl").read_bytes() == parts


def test_a_file_has_one_name_with_its_protocol_and_without(scorer, files, tmp_path):
    run(scorer, files[:2], f"file://{tmp_path}/each/")
    assert sorted(path.name for path in (tmp_path / "each").glob("?.jsonl")) == ["a.jsonl", "b.jsonl"]
    before = Path(files[0]).read_bytes()
    for source, output in ((files[0], f"file://{files[0]}"), (f"file://{files[0]}", files[0])):
        with pytest.raises(OutputError, match="is the input"):
            run(scorer, [source], output, overwrite=True)
        rejects = RejectOptions(path=output)
        with pytest.raises(OutputError, match="is the input"):
            run(scorer, [source], tmp_path / "out.jsonl", rejects=rejects, overwrite=True)
    assert Path(files[0]).read_bytes() == before


def test_a_run_leaves_nothing_but_outputs_and_rejects(scorer, files, tmp_path):
    run(scorer, files, f"{tmp_path}/each/")
    names = [Path(name).name for name in files]
    assert sorted(content(tmp_path / "each")) == sorted(
        [*names, *(f"{name}.rejects.jsonl" for name in names)]
    )


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
    ("after", "said"), [(0, "or a lower --field-limit"), (2, "with fewer --workers or --processes, --resume")]
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
    with pytest.raises(ProcessError, match=r"with fewer --workers or --processes, --resume goes on$"):
        run(scorer, files[:1], tmp_path / "out.jsonl")


def test_a_mistake_in_the_program_stays_what_it_is(scorer, files, tmp_path, monkeypatch):
    interrupt(monkeypatch, 2, RuntimeError("a mistake"))
    with pytest.raises(RuntimeError, match=r"^a mistake$"):
        run(scorer, files[:1], tmp_path / "out.jsonl")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_exit_code_names_the_signal(scorer, files, tmp_path, monkeypatch, number):
    interrupt(monkeypatch, 2, TerminatedBySignal(number))
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


@pytest.mark.parametrize(
    "name",
    ["in/a.jsonl", "in/../in/a.jsonl", "link", "hard", "out.jsonl", "out.jsonl.rejects.jsonl", "bad.jsonl"],
)
def test_a_summary_in_place_of_a_file_of_the_run_is_refused(scorer, files, tmp_path, name):
    (tmp_path / "link").symlink_to(files[0])
    (tmp_path / "hard").hardlink_to(files[0])
    before = Path(files[0]).read_bytes()
    with pytest.raises(UsageError, match="a file of this run"):
        run(
            scorer,
            files,
            tmp_path / "out.jsonl",
            rejects=RejectOptions(path=f"{tmp_path}/bad.jsonl") if name == "bad.jsonl" else None,
            summary_file=tmp_path / name,
            overwrite=True,
        )
    assert Path(files[0]).read_bytes() == before


@pytest.mark.parametrize("stream", ["stdin", "stdout"])
def test_a_summary_in_place_of_a_standard_stream_is_refused(scorer, files, tmp_path, monkeypatch, stream):
    (tmp_path / "stream").write_text("mine")
    with (tmp_path / "stream").open() as file:
        monkeypatch.setattr(f"sys.{stream}", file)
        with pytest.raises(UsageError, match="standard input or output of this run"):
            run(scorer, files, tmp_path / "o.csv", summary_file=tmp_path / "stream", overwrite=True)
    assert (tmp_path / "stream").read_text() == "mine"


def test_a_summary_among_the_rows_is_refused(scorer, files):
    with pytest.raises(UsageError, match="standard output is for the rows"):
        run(scorer, files, "-", summary_file=Path("/dev/stdout"))


def test_a_summary_may_go_to_a_descriptor_of_a_file(scorer, files, tmp_path):
    with (tmp_path / "log").open("w") as file:
        run(scorer, files, tmp_path / "out.jsonl", summary_file=Path(f"/dev/fd/{file.fileno()}"))
    assert (tmp_path / "out.jsonl").exists()


def test_a_summary_that_could_not_be_written_is_refused_at_once(scorer, files, tmp_path):
    (tmp_path / "old.json").write_text("mine")
    for path, message in (
        (tmp_path / "old.json", "exists"),
        (tmp_path / "nowhere" / "s.json", "no folder"),
        (Path("-"), "standard output"),
        (tmp_path, "is a folder"),
        (tmp_path / ("s" * 250), "File name too long"),  # with what its temporary name has more
    ):
        with pytest.raises((OutputError, UsageError), match=message):
            run(scorer, files, tmp_path / "out.jsonl", summary_file=path)
    assert not (tmp_path / "out.jsonl").exists()
    run(scorer, files, tmp_path / "out.jsonl", summary_file=tmp_path / "old.json", overwrite=True)


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


def test_what_has_its_output_already_can_be_left_out(scorer, files, tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO", "sentcli")
    run(scorer, files[:1], f"{tmp_path}/out/", skip_existing=True)
    assert "there already" not in caplog.text
    (tmp_path / "out/b.jsonl").write_text("of somebody else")
    counted = count_texts(monkeypatch)
    summary = run(scorer, files, f"{tmp_path}/out/", skip_existing=True)
    assert "there already, and left alone: 2 outputs" in caplog.text
    assert (tmp_path / "out/b.jsonl").read_text() == "of somebody else"
    assert (summary.skipped, summary.to_json()["skipped"]) == (2, 2)
    assert summary.rows == summary.scored == counted["texts"] > 0
    assert [entry["path"] for entry in summary.inputs] == files[2:]
    run(scorer, files, f"{tmp_path}/whole/")
    whole, out = content(tmp_path / "whole"), content(tmp_path / "out")
    del whole["b.jsonl.rejects.jsonl"]
    assert out == {**whole, "b.jsonl": b"of somebody else"}
    again = run(scorer, files, f"{tmp_path}/out/", skip_existing=True)
    assert (again.skipped, again.rows, content(tmp_path / "out")) == (3, 0, out)


def test_a_single_output_that_is_there_already_can_be_left_alone(scorer, files, tmp_path):
    out = tmp_path / "out.jsonl"
    assert run(scorer, files[:1], out, skip_existing=True).skipped == 0
    found = out.stat().st_ino
    summary = run(scorer, files[:1], out, skip_existing=True)
    assert (summary.skipped, summary.rows, out.stat().st_ino) == (1, 0, found)


@pytest.mark.parametrize("output", ["out/", "out.jsonl"])
def test_what_was_interrupted_goes_on_where_existing_outputs_are_left_out(
    scorer, files, tmp_path, monkeypatch, output
):
    inputs = files if output == "out/" else files[:1]
    with monkeypatch.context() as patch:
        interrupt(patch, after=10 if output == "out/" else 3)
        with pytest.raises(InterruptedRunError, match=r"; the same command goes on from there$"):
            run(scorer, inputs, f"{tmp_path}/{output}", skip_existing=True)
    counted = count_texts(monkeypatch)
    run(scorer, inputs, f"{tmp_path}/{output}", skip_existing=True)
    assert counted["texts"] == (3 * 99 - 99 - 48 if output == "out/" else 99 - 48)
    run(scorer, inputs, f"{tmp_path}/whole/")
    result = tmp_path / "out" if output == "out/" else tmp_path
    names = {path.name: path for path in result.iterdir() if path.is_file()}
    whole = content(tmp_path / "whole")
    renamed = {name.replace("out.", "a."): path.read_bytes() for name, path in names.items()}
    assert renamed == whole


def test_what_was_begun_with_another_model_starts_over(scorer, trained, files, tmp_path, monkeypatch, caplog):
    with monkeypatch.context() as patch:
        interrupt(patch, after=3)
        with pytest.raises(InterruptedRunError):
            run(scorer, files[:1], tmp_path / "out.jsonl", skip_existing=True)
    with Scorer(trained, uncertain=(0.4, 0.6)) as other:
        summary = run(other, files[:1], tmp_path / "out.jsonl", skip_existing=True)
    assert summary.scored == 99
    assert "begun on other conditions, or of another input; it starts over" in caplog.text


def test_existing_outputs_are_left_out_without_being_asked_to_go_on(scorer, files, tmp_path):
    with pytest.raises(UsageError, match=r"--skip-existing goes on by itself .*; leave out --resume"):
        run(scorer, files, f"{tmp_path}/out/", skip_existing=True, resume=True)


def test_an_output_of_several_inputs_is_not_left_out(scorer, files, tmp_path):
    with pytest.raises(UsageError, match=r"--skip-existing is for outputs of one input each"):
        run(scorer, files, tmp_path / "out.jsonl", skip_existing=True)


def test_overwriting_reaches_what_stands_beside_an_output_that_is_gone(scorer, files, tmp_path):
    run(scorer, files[:2], f"{tmp_path}/out/")
    (tmp_path / "out/a.jsonl").unlink()
    found = (tmp_path / "out/b.jsonl").stat().st_ino
    with pytest.raises(OutputError, match=r"a\.jsonl\.rejects\.jsonl exists; .*--overwrite"):
        run(scorer, files[:2], f"{tmp_path}/out/", skip_existing=True)
    summary = run(scorer, files[:2], f"{tmp_path}/out/", skip_existing=True, overwrite=True)
    assert (summary.skipped, summary.scored) == (1, 99)
    assert (tmp_path / "out/b.jsonl").stat().st_ino == found


def test_an_input_that_is_newer_than_its_output_is_told_of(scorer, files, tmp_path, caplog):
    run(scorer, files, f"{tmp_path}/out/")
    caplog.clear()
    run(scorer, files, f"{tmp_path}/out/", skip_existing=True)
    assert "changed" not in caplog.text
    for name in files[1:]:
        os.utime(name, (2**31, 2**31))
    run(scorer, files, f"{tmp_path}/out/", skip_existing=True)
    assert f"changed since its output was made, which is left alone: {files[1]}, and 1 more" in caplog.text
    os.utime(files[2], (0, 0))
    run(scorer, files, f"{tmp_path}/out/", skip_existing=True)
    assert caplog.messages[-1].endswith(files[1])


def test_rejects_of_this_run_are_no_inputs(scorer, files, tmp_path):
    folder = Path(files[0]).parent
    into_parquet = {"write": WriteOptions(format="parquet"), "skip_existing": True}
    run(scorer, [f"{folder}/*.jsonl"], folder, **into_parquet)
    with pytest.raises(OutputError, match=r"a\.parquet\.rejects\.jsonl is the input"):
        run(scorer, [f"{folder}/*.jsonl"], folder, **into_parquet)


def test_inputs_are_not_taken_for_outputs_that_are_there_already(scorer, files, tmp_path):
    before = content(Path(files[0]).parent)
    with pytest.raises(OutputError, match=r"is the input .*give another name"):
        run(scorer, files, Path(files[0]).parent, skip_existing=True)
    assert content(Path(files[0]).parent) == before


def test_a_device_is_not_taken_for_an_output_that_is_there_already(scorer, files):
    assert run(scorer, files[:1], "/dev/null", skip_existing=True).rows == 99


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
    monkeypatch.setattr("sentcli.bulk._SILENCE", 0.0)
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
    monkeypatch.setattr("sentcli.bulk.time.perf_counter", lambda: float(next(times)))
    run(scorer, files, f"{tmp_path}/out/", show_progress=True)
    assert sum("rows/s" in message for message in caplog.messages) in (4, 5)


def test_a_terminal_gets_a_bar_that_is_gone_at_the_end(scorer, files, tmp_path, monkeypatch, caplog):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr("sentcli.bulk._SILENCE", 0.0)
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
