import os
import signal
from collections import Counter
from functools import partial
from pathlib import Path

import invented
import orjson
import pytest

from sentcli import bulk
from sentcli.bulk import Summary, score_files
from sentcli.errors import DataError, InterruptedRunError, OutputError, TerminatedBySignal, UsageError
from sentcli.scoring import Scorer
from sentcli.tables import ReadOptions, RejectOptions, WriteOptions
from sentcli.tables.lock import Lock

CHUNK = 16  # rows


@pytest.fixture
def scorer(trained):
    with Scorer(trained, workers=1) as scorer:
        yield scorer


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch):
    """Chunks of a few rows, each committed, so that a small run can be interrupted at many places."""
    monkeypatch.setattr("sentcli.tables.chunk.CHUNK_ROWS", CHUNK)
    monkeypatch.setattr(bulk, "open_job", partial(bulk.open_job, commit_seconds=0))


@pytest.fixture
def files(tmp_path):
    """Three JSON Lines files of 100 rows each, with blank texts, long ones and lines that are no JSON."""
    folder = tmp_path / "in"
    folder.mkdir()
    for number, name in enumerate("abc"):
        lines = [orjson.dumps({"text": text}) for text, _ in invented.reviews(100, seed=number)]
        lines[10] = b'{"text": ""}'
        lines[30] = orjson.dumps({"text": "warm zzz " * 200})
        lines[50 + number] = b"no JSON"
        (folder / f"{name}.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    return sorted(map(str, folder.iterdir()))


def run(scorer, inputs, output, *, read=None, rejects=None, **options):
    return score_files(
        scorer,
        inputs,
        str(output),
        read=read or ReadOptions(),
        write=WriteOptions(),
        rejects=rejects or RejectOptions(),
        **options,
    )


def interrupt(monkeypatch, after, error=KeyboardInterrupt):
    """Let a signal come after so many chunks, of all outputs together."""
    stream, given = Scorer.stream, 0

    def interrupted(self, chunks):
        nonlocal given
        for pair in stream(self, chunks):
            if given == after:
                raise error
            given += 1
            yield pair

    monkeypatch.setattr(Scorer, "stream", interrupted)


def count_texts(monkeypatch):
    """Count the texts that are scored from now on."""
    submit, counted = Scorer._submit, Counter()

    def counting(self, texts):
        counted["texts"] += len(texts)
        return submit(self, texts)

    monkeypatch.setattr(Scorer, "_submit", counting)
    return counted


def content(folder):
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def facts(summary):
    """What a run that was interrupted has to have in common with one that was not."""
    of_this_run = {"scored", "seconds", "rows_per_second"}
    return {name: value for name, value in summary.to_json().items() if name not in of_this_run}


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


def test_a_summary_for_people():
    summary = Summary(1234, 5, 6, 7, 200, 3, Counter(positive=3, negative=1), scored=1234, seconds=2.0)
    assert summary.lines() == [
        "1,234 rows, 5 rejected, 6 blank, 7 truncated, 1.5% of the words unknown to the model",
        "negative 25.0%, positive 75.0%",
        "617 rows/s, 2.0 s",
    ]
    assert Summary(rows=1, tokens=4, labels=Counter(positive=1), scored=1, seconds=0.5).lines() == [
        "1 row, 0.0% of the words unknown to the model",
        "positive 100.0%",
        "2 rows/s, 0.5 s",
    ]
    assert Summary(seconds=0.1).lines() == ["0 rows"]


def test_several_inputs_become_one_output_in_their_order(scorer, files, tmp_path):
    run(scorer, files, tmp_path / "out.jsonl")
    run(scorer, files, f"{tmp_path}/each/")
    parts = b"".join((tmp_path / "each" / Path(name).name).read_bytes() for name in files)
    assert (tmp_path / "out.jsonl").read_bytes() == parts


def test_the_summaries_of_several_outputs_add_up(scorer, files, tmp_path):
    total = run(scorer, files, f"{tmp_path}/each/")
    singles = [run(scorer, [name], tmp_path / f"{number}.jsonl") for number, name in enumerate(files)]
    for name in ("rows", "rejected", "blank", "truncated", "tokens", "unknown", "scored"):
        assert getattr(total, name) == sum(getattr(single, name) for single in singles)
    assert total.labels == sum((single.labels for single in singles), Counter())
    assert [entry["path"] for entry in total.inputs] == files
    assert total.seconds > 0


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


@pytest.mark.parametrize("after", [3, 7, 8, 13, 20])
def test_an_interrupted_run_of_several_outputs_goes_on_behind_the_finished_ones(
    scorer, files, tmp_path, monkeypatch, after
):
    expected = run(scorer, files, f"{tmp_path}/whole/")
    with monkeypatch.context() as patch:
        interrupt(patch, after)
        with pytest.raises(InterruptedRunError, match="--resume"):
            run(scorer, files, f"{tmp_path}/resumed/")
    finished = {path: path.stat().st_ino for path in (tmp_path / "resumed").glob("?.jsonl")}
    assert len(finished) == after // 7
    counted = count_texts(monkeypatch)
    summary = run(scorer, files, f"{tmp_path}/resumed/", resume=True)
    assert content(tmp_path / "resumed") == content(tmp_path / "whole")
    assert all(path.stat().st_ino == inode for path, inode in finished.items())
    assert facts(summary) == facts(expected)
    assert counted["texts"] == summary.scored < expected.rows - 99 * len(finished) + 1


def test_a_run_may_be_interrupted_again_and_again(scorer, files, tmp_path, monkeypatch):
    expected = run(scorer, files, f"{tmp_path}/whole/")
    for _ in range(20):
        with monkeypatch.context() as patch:
            interrupt(patch, 2)
            try:
                summary = run(scorer, files, f"{tmp_path}/resumed/", resume=(tmp_path / "resumed").exists())
                break
            except InterruptedRunError:
                pass
    assert content(tmp_path / "resumed") == content(tmp_path / "whole")
    assert facts(summary) == facts(expected)


def test_a_kill_between_an_output_and_the_note_of_it_loses_nothing(scorer, files, tmp_path, monkeypatch):
    expected = run(scorer, files, f"{tmp_path}/whole/")
    with monkeypatch.context() as patch:
        patch.setattr("sentcli.finished.FinishedOutputs.add", interrupted_add)
        with pytest.raises(KeyboardInterrupt):
            run(scorer, files, f"{tmp_path}/resumed/")
    assert (tmp_path / "resumed" / "a.jsonl").exists()
    summary = run(scorer, files, f"{tmp_path}/resumed/", resume=True)
    assert content(tmp_path / "resumed") == content(tmp_path / "whole")
    assert facts(summary) == facts(expected)


def interrupted_add(self, notes):
    raise KeyboardInterrupt


@pytest.fixture
def interrupted(scorer, files, tmp_path, monkeypatch):
    """A folder of outputs in which the first of three is finished."""
    with monkeypatch.context() as patch:
        interrupt(patch, 9)
        with pytest.raises(InterruptedRunError):
            run(scorer, files, f"{tmp_path}/out/")
    return tmp_path / "out"


def test_a_changed_input_of_a_finished_output_is_refused(scorer, files, interrupted):
    path = Path(files[0])
    path.write_bytes(path.read_bytes() + b'{"text": "warm"}\n')
    with pytest.raises(OutputError, match="inputs changed"):
        run(scorer, files, f"{interrupted}/", resume=True)


def test_changed_options_are_refused_by_name(scorer, files, interrupted):
    with pytest.raises(OutputError, match=r"read\.text_column changed"):
        run(scorer, files, f"{interrupted}/", resume=True, read=ReadOptions(text_column="text"))


def test_another_model_is_refused(trained_three, files, interrupted):
    with Scorer(trained_three, workers=1) as other, pytest.raises(OutputError, match="model changed"):
        run(other, files, f"{interrupted}/", resume=True)


def test_a_finished_output_that_is_gone_is_refused(scorer, files, interrupted):
    (interrupted / "a.jsonl").unlink()
    with pytest.raises(OutputError, match=r"a\.jsonl was finished and is gone"):
        run(scorer, files, f"{interrupted}/", resume=True)


def test_without_resume_a_finished_output_is_in_the_way(scorer, files, interrupted):
    with pytest.raises(OutputError, match=r"a\.jsonl exists.*--overwrite"):
        run(scorer, files, f"{interrupted}/")
    summary = run(scorer, files, f"{interrupted}/", overwrite=True)
    assert summary.scored == summary.rows == 297


@pytest.mark.parametrize("name", ["c.jsonl", "c.jsonl.rejects.jsonl"])
def test_an_output_that_is_in_the_way_is_found_before_the_first_row(
    scorer, files, tmp_path, monkeypatch, name
):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text("mine")
    counted = count_texts(monkeypatch)
    with pytest.raises(OutputError, match=name):
        run(scorer, files, f"{tmp_path}/out/")
    assert content(tmp_path / "out") == {name: b"mine"}
    assert counted["texts"] == 0


def test_a_missing_input_is_found_before_the_first_row(scorer, files, tmp_path):
    with pytest.raises(DataError, match=r"nothing\.jsonl"):
        run(scorer, [*files, f"{tmp_path}/nothing.jsonl"], f"{tmp_path}/out/")
    assert content(tmp_path / "out") == {}


def test_one_rejects_file_for_several_outputs_is_refused(scorer, files, tmp_path):
    with pytest.raises(UsageError, match="--rejects"):
        run(scorer, files, f"{tmp_path}/out/", rejects=RejectOptions(path=f"{tmp_path}/r.jsonl"))


def test_two_runs_on_one_folder_do_not_meet(scorer, files, tmp_path):
    (tmp_path / "out").mkdir()
    lock = Lock(tmp_path / "out" / "all outputs")
    with pytest.raises(OutputError, match="another run"):
        run(scorer, files, f"{tmp_path}/out/")
    lock.release()
    run(scorer, files, f"{tmp_path}/out/")


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


def test_a_run_that_cannot_be_resumed_is_not_told_to_resume(scorer, files, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        interrupt(patch, 2)
        with pytest.raises(InterruptedRunError):
            run(scorer, files[:1], tmp_path / "out.jsonl")
    path = Path(files[0])
    times = path.stat().st_atime_ns, path.stat().st_mtime_ns
    path.write_bytes(path.read_bytes().replace(b"warm", b"mraw"))
    os.utime(path, ns=times)
    with pytest.raises(OutputError, match=r"start over without --resume$"):
        run(scorer, files[:1], tmp_path / "out.jsonl", resume=True)


@pytest.mark.parametrize("name", ["in/a.jsonl", "in/../in/a.jsonl", "link", "hard", "out.jsonl"])
def test_a_summary_in_place_of_a_file_of_the_run_is_refused(scorer, files, tmp_path, name):
    (tmp_path / "link").symlink_to(files[0])
    (tmp_path / "hard").hardlink_to(files[0])
    before = Path(files[0]).read_bytes()
    with pytest.raises(UsageError, match="a file of this run"):
        run(scorer, files, tmp_path / "out.jsonl", summary_file=tmp_path / name, overwrite=True)
    assert Path(files[0]).read_bytes() == before


def test_a_summary_that_could_not_be_written_is_refused_at_once(scorer, files, tmp_path):
    (tmp_path / "old.json").write_text("mine")
    for path, message in (
        (tmp_path / "old.json", "exists"),
        (tmp_path / "nowhere" / "s.json", "no folder"),
        (Path("-"), "standard output"),
    ):
        with pytest.raises((OutputError, UsageError), match=message):
            run(scorer, files, tmp_path / "out.jsonl", summary_file=path)
    assert not (tmp_path / "out.jsonl").exists()
    run(scorer, files, tmp_path / "out.jsonl", summary_file=tmp_path / "old.json", overwrite=True)
