"""Runs that write several outputs."""

import gzip
import shutil
from collections import Counter
from pathlib import Path

import pytest
from runs import CHUNK, content, count_texts, facts, interrupt, run

from sentcli.errors import (
    DataError,
    InterruptedRunError,
    OutputError,
    RejectsError,
    ResumeError,
    UsageError,
)
from sentcli.files.lock import Lock
from sentcli.runs import run as bulk
from sentcli.runs.finished import FinishedOutputs
from sentcli.scoring.scorer import Scorer
from sentcli.tables.options import ReadOptions, RejectOptions, WriteOptions

NONE = RejectOptions(limit="0")
WHOLE = b'{"text": "%s"}\n' % (b"warm " * 10_000) * 100

pytestmark = pytest.mark.usefixtures("small_chunks")


def interrupt_count(patch, when):
    """Stop a run when an output is counted as done, before or after that is noted."""
    real = FinishedOutputs.add

    def add(self, *arguments):
        if when == "after":
            real(self, *arguments)
        raise KeyboardInterrupt

    patch.setattr(FinishedOutputs, "add", add)


def test_the_summaries_of_several_outputs_add_up(scorer, files, tmp_path):
    total = run(scorer, files, f"{tmp_path}/each/")
    singles = [run(scorer, [name], tmp_path / f"{number}.jsonl") for number, name in enumerate(files)]
    for name in ("rows", "rejected", "blank", "truncated", "tokens", "unknown", "scored"):
        assert getattr(total, name) == sum(getattr(single, name) for single in singles)
    assert total.labels == sum((single.labels for single in singles), Counter())
    assert [entry["path"] for entry in total.inputs] == files
    assert total.seconds > 0


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


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_output_finished_when_its_run_was_killed_is_not_scored_again(
    scorer, files, tmp_path, monkeypatch, when
):
    expected = run(scorer, files, f"{tmp_path}/whole/")
    with monkeypatch.context() as patch:
        interrupt_count(patch, when)
        with pytest.raises(InterruptedRunError):
            run(scorer, files, f"{tmp_path}/resumed/")
    first = (tmp_path / "resumed" / "a.jsonl").stat().st_ino
    summary = run(scorer, files, f"{tmp_path}/resumed/", resume=True)
    assert content(tmp_path / "resumed") == content(tmp_path / "whole")
    assert (tmp_path / "resumed" / "a.jsonl").stat().st_ino == first
    assert facts(summary) == facts(expected)
    assert summary.scored == expected.rows - 99


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
    with pytest.raises(ResumeError, match="inputs changed"):
        run(scorer, files, f"{interrupted}/", resume=True)


@pytest.fixture
def damaged(files):
    """A file whose damage is found at its end only."""
    path = Path(files[2]).with_suffix(".jsonl.gz")
    path.write_bytes(gzip.compress(WHOLE)[:-8])
    return path


def test_a_damaged_input_can_be_mended(scorer, files, tmp_path, damaged):
    names = [*files[:2], str(damaged)]
    with pytest.raises(DataError, match=r"c\.jsonl\.gz: cannot be read.*--resume goes on$"):
        run(scorer, names, f"{tmp_path}/out/")
    first = (tmp_path / "out" / "a.jsonl").stat().st_ino
    damaged.write_bytes(gzip.compress(WHOLE))
    run(scorer, names, f"{tmp_path}/out/", resume=True)
    assert (tmp_path / "out" / "a.jsonl").stat().st_ino == first
    assert {path.name for path in (tmp_path / "out").iterdir()} >= {"a.jsonl", "b.jsonl", damaged.name}


def test_a_damaged_input_can_be_left_out(scorer, files, tmp_path, damaged):
    with pytest.raises(DataError):
        run(scorer, [*files[:2], str(damaged)], f"{tmp_path}/out/")
    summary = run(scorer, files[:2], f"{tmp_path}/out/", resume=True)
    assert (summary.rows, summary.scored) == (198, 0)
    run(scorer, files[:2], f"{tmp_path}/whole/")
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_of_two_inputs_the_damaged_one_can_be_left_out(scorer, files, tmp_path, damaged, caplog):
    with pytest.raises(DataError):
        run(scorer, [files[0], str(damaged)], f"{tmp_path}/out/")
    summary = run(scorer, files[:1], f"{tmp_path}/out/", resume=True)
    assert (summary.rows, summary.scored) == (99, 0)
    assert "--resume would have gone on" not in caplog.text
    run(scorer, files[:1], f"{tmp_path}/whole/")
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_outputs_that_were_begun_in_another_order_are_given_up_too(scorer, files, tmp_path, monkeypatch):
    a, b, c = files
    for names, after, resume in (([a, b, c], 9, False), ([a, c, b], 4, True)):
        with monkeypatch.context() as patch:
            interrupt(patch, after)
            with pytest.raises(InterruptedRunError):
                run(scorer, names, f"{tmp_path}/out/", resume=resume)
    run(scorer, [a], f"{tmp_path}/out/", resume=True)
    run(scorer, [a], f"{tmp_path}/whole/")
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_outputs_through_links_leave_nothing_where_they_lie(scorer, files, tmp_path, monkeypatch):
    for name in ("real", "out"):
        (tmp_path / name).mkdir()
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / "out" / name).symlink_to(tmp_path / "real" / name)
    with monkeypatch.context() as patch:
        interrupt_count(patch, "after")
        with pytest.raises(InterruptedRunError):
            run(scorer, files, f"{tmp_path}/out/")
    with monkeypatch.context() as patch:
        interrupt(patch, 2)
        with pytest.raises(InterruptedRunError):
            run(scorer, files, f"{tmp_path}/out/", resume=True)
    assert len(content(tmp_path / "real")) > 2
    run(scorer, files[:1], f"{tmp_path}/out/", resume=True)
    assert sorted(content(tmp_path / "real")) == ["a.jsonl", "a.jsonl.rejects.jsonl"]


def test_an_output_that_was_begun_goes_on_in_another_order_too(scorer, files, tmp_path, monkeypatch):
    a, b, c = files
    with monkeypatch.context() as patch:
        interrupt(patch, 12)  # chunks, of seven an output
        with pytest.raises(InterruptedRunError):
            run(scorer, files, f"{tmp_path}/out/")
    summary = run(scorer, [a, c, b], f"{tmp_path}/out/", resume=True)
    assert (summary.rows, summary.scored < 2 * 99 - 16) == (3 * 99, True)
    run(scorer, files, f"{tmp_path}/whole/")
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_what_another_run_of_the_same_names_has_begun_is_left_alone(scorer, files, tmp_path, monkeypatch):
    """Each name of an output is one in the folder of the run, wherever it is called from."""
    for place in ("x", "y"):
        (tmp_path / place).mkdir()
        monkeypatch.chdir(tmp_path / place)
        with monkeypatch.context() as patch:
            interrupt(patch, 4)
            with pytest.raises(InterruptedRunError):
                run(scorer, files, "out/")
    before = content(tmp_path / "y" / "out")
    run(scorer, files[1:], f"{tmp_path}/x/out/", resume=True)
    assert content(tmp_path / "y" / "out") == before
    run(scorer, files[1:], f"{tmp_path}/whole/")
    assert content(tmp_path / "x" / "out") == content(tmp_path / "whole")


def test_nothing_is_given_up_before_a_run_is_refused(scorer, files, interrupted):
    (interrupted / "a.jsonl").unlink()
    before = content(interrupted)
    with pytest.raises(ResumeError, match=r"a\.jsonl was finished and is gone"):
        run(scorer, [files[0], files[2]], f"{interrupted}/", resume=True)
    assert content(interrupted) == before


def test_a_run_of_too_many_rejects_goes_on_with_a_higher_limit(scorer, files, tmp_path):
    limit = RejectOptions(limit="0")
    with pytest.raises(RejectsError, match=r"1 of .* with a higher --max-rejects, --resume goes on$"):
        run(scorer, files, f"{tmp_path}/out/", rejects=limit)
    run(scorer, files, f"{tmp_path}/out/", resume=True)
    run(scorer, files, f"{tmp_path}/whole/")
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_a_disk_that_is_full_as_an_output_begins_says_that_resume_goes_on(
    scorer, files, tmp_path, monkeypatch
):
    with monkeypatch.context() as patch:
        interrupt(patch, 7, OutputError("No space left on device"))  # the second output has nothing yet
        with pytest.raises(OutputError, match=r"out/b\.jsonl: No space left on device; .*--resume goes on"):
            run(scorer, files, f"{tmp_path}/out/")
    run(scorer, files, f"{tmp_path}/out/", resume=True)
    run(scorer, files, f"{tmp_path}/whole/")
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_an_input_without_texts_is_found_before_the_first_row(scorer, files, tmp_path, monkeypatch):
    bad = tmp_path / "d.csv"
    bad.write_text("foo,bar\n1,2\n")
    counted = count_texts(monkeypatch)
    with pytest.raises(DataError, match=r"d\.csv: which column is the text\?"):
        run(scorer, [*files, str(bad)], f"{tmp_path}/out/")
    assert counted["texts"] == 0
    assert content(tmp_path / "out") == {}


def test_changed_options_are_refused_by_name(scorer, files, interrupted):
    with pytest.raises(ResumeError, match=r"read\.text_column changed"):
        run(scorer, files, f"{interrupted}/", resume=True, read=ReadOptions(text_column="text"))


def test_changed_options_are_refused_between_two_outputs_too(scorer, files, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        interrupt(patch, 7)  # chunks: the first output is finished, the second has nothing yet
        with pytest.raises(InterruptedRunError):
            run(scorer, files, f"{tmp_path}/out/")
    for options, name in (
        ({"read": ReadOptions(text_column="text")}, "read.text_column"),
        ({"write": WriteOptions(prefix="my_")}, "write.prefix"),
    ):
        with pytest.raises(ResumeError, match=rf"{name} changed"):
            run(scorer, files, f"{tmp_path}/out/", resume=True, **options)
    monkeypatch.setattr("sentcli.runs.run.__version__", "9.9")
    with pytest.raises(ResumeError, match="sentcli changed"):
        run(scorer, files, f"{tmp_path}/out/", resume=True)


def test_another_model_is_refused(trained_three, files, interrupted):
    with Scorer(trained_three, workers=1) as other, pytest.raises(ResumeError, match="model changed"):
        run(other, files, f"{interrupted}/", resume=True)


def test_a_run_that_is_given_up_is_told_of(scorer, files, interrupted, caplog):
    run(scorer, files, f"{interrupted}/", overwrite=True)
    assert f"{interrupted}: an interrupted run is given up; --resume would have gone on" in caplog.text


def test_what_is_there_already_says_what_can_be_done(scorer, files, interrupted):
    with pytest.raises(OutputError, match=r"--resume goes on with .*, --skip-existing makes what"):
        run(scorer, files, f"{interrupted}/")
    run(scorer, files[1:], f"{interrupted}/", skip_existing=True)  # as it says
    with pytest.raises(OutputError, match=r"--overwrite; --skip-existing leaves it alone$"):
        run(scorer, files, f"{interrupted}/")
    (interrupted / "a.jsonl").unlink()
    with pytest.raises(OutputError, match=r"a\.jsonl\.rejects\.jsonl exists; .* --overwrite$"):
        run(scorer, files, f"{interrupted}/", skip_existing=True)


def test_to_resume_is_no_way_out_where_an_output_is_in_the_way(scorer, files, tmp_path, monkeypatch):
    """Of a run that skipped existing outputs, others than it had are there."""
    run(scorer, files[:1], f"{tmp_path}/out/")
    with monkeypatch.context() as patch:
        interrupt(patch, 3)
        with pytest.raises(InterruptedRunError):
            run(scorer, files, f"{tmp_path}/out/", skip_existing=True)
    with pytest.raises(OutputError, match=r"a\.jsonl exists; .*; --skip-existing leaves it alone$"):
        run(scorer, files, f"{tmp_path}/out/", resume=True)
    run(scorer, files, f"{tmp_path}/out/", skip_existing=True)
    run(scorer, files, f"{tmp_path}/whole/")
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_an_output_that_comes_before_the_run_has_its_folder_is_left_alone(
    scorer, files, tmp_path, monkeypatch
):
    (tmp_path / "out").mkdir()
    check = bulk.check_job

    def meanwhile(*arguments):
        (tmp_path / "out/a.jsonl").write_text("of another run")
        check(*arguments)

    monkeypatch.setattr(bulk, "check_job", meanwhile)
    summary = run(scorer, files, f"{tmp_path}/out/", skip_existing=True)
    assert (summary.skipped, summary.rows) == (1, 2 * 99)
    assert (tmp_path / "out/a.jsonl").read_text() == "of another run"


def test_a_finished_output_that_is_gone_is_refused(scorer, files, interrupted):
    (interrupted / "a.jsonl").unlink()
    with pytest.raises(ResumeError, match=r"a\.jsonl was finished and is gone"):
        run(scorer, files, f"{interrupted}/", resume=True)


def test_a_finished_output_that_was_changed_is_refused(scorer, files, interrupted):
    with (interrupted / "a.jsonl").open("ab") as file:
        file.write(b"\n")
    before = content(interrupted)
    with pytest.raises(ResumeError, match="finished outputs changed"):
        run(scorer, files, f"{interrupted}/", resume=True)
    assert content(interrupted) == before


def test_an_output_that_had_its_name_before_its_input_changed_is_not_made_anew(
    scorer, files, tmp_path, monkeypatch
):
    with monkeypatch.context() as patch:
        interrupt_count(patch, "before")
        with pytest.raises(InterruptedRunError):
            run(scorer, files, f"{tmp_path}/out/")
    before = content(tmp_path / "out")
    with Path(files[0]).open("ab") as file:
        file.write(b'{"text": "warm"}\n')
    for _ in range(2):
        with pytest.raises(ResumeError, match=r"a\.jsonl: cannot resume: inputs\..* changed"):
            run(scorer, files, f"{tmp_path}/out/", resume=True)
    assert content(tmp_path / "out") == before
    run(scorer, files, f"{tmp_path}/out/", resume=True, overwrite=True)
    run(scorer, files, f"{tmp_path}/whole/")
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_a_partition_that_is_gone_with_its_outputs_stops_no_run(scorer, files, tmp_path, monkeypatch):
    for number, file in enumerate(files):
        (tmp_path / "ds" / str(number)).mkdir(parents=True)
        Path(file).rename(tmp_path / "ds" / str(number) / "data.jsonl")
    pattern = f"{tmp_path}/ds/**/*.jsonl"
    with monkeypatch.context() as patch:
        interrupt(patch, after=9)
        with pytest.raises(InterruptedRunError, match=r"out/1/data\.jsonl: stopped"):
            run(scorer, [pattern], f"{tmp_path}/out/")
    for folder in ("ds/1", "out/1"):
        shutil.rmtree(tmp_path / folder)
    assert run(scorer, [pattern], f"{tmp_path}/out/", resume=True).rows == 2 * 99
    assert sorted(content(tmp_path / "out/2")) == ["data.jsonl", "data.jsonl.rejects.jsonl"]


@pytest.mark.parametrize("after", [3, 7, 8])
def test_partitions_of_a_data_set_keep_their_folders(scorer, files, tmp_path, monkeypatch, after):
    for number, file in enumerate(files):
        folder = tmp_path / "ds" / f"day={number}"
        folder.mkdir(parents=True)
        (folder / "data.jsonl").write_bytes(Path(file).read_bytes())
    pattern = f"{tmp_path}/ds/**/*.jsonl"
    with monkeypatch.context() as patch:
        interrupt(patch, after)
        with pytest.raises(InterruptedRunError):
            run(scorer, [pattern], f"{tmp_path}/out/")
    run(scorer, [pattern], f"{tmp_path}/out/", resume=True)
    for number, file in enumerate(files):
        run(scorer, [file], tmp_path / "single.jsonl", overwrite=True)
        found = tmp_path / "out" / f"day={number}" / "data.jsonl"
        assert found.read_bytes() == (tmp_path / "single.jsonl").read_bytes()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["day=0", "day=1", "day=2"]


def test_a_file_that_came_meanwhile_is_not_replaced(scorer, files, interrupted):
    (interrupted / "c.jsonl").write_text("mine")
    with pytest.raises(OutputError, match=r"c\.jsonl exists.*--overwrite"):
        run(scorer, files, f"{interrupted}/", resume=True)
    assert (interrupted / "c.jsonl").read_text() == "mine"


def test_options_that_mean_nothing_for_a_later_input_are_refused_before_the_first_row(
    scorer, files, tmp_path, monkeypatch
):
    first = tmp_path / "0.csv"
    first.write_text("text\nwarm\n")
    counted = count_texts(monkeypatch)
    with pytest.raises(UsageError, match="--delimiter means nothing for jsonl"):
        run(scorer, [str(first), *files], f"{tmp_path}/out/", read=ReadOptions(delimiter=";"))
    assert counted["texts"] == 0
    assert content(tmp_path / "out") == {}


def test_without_resume_a_finished_output_is_in_the_way(scorer, files, interrupted):
    with pytest.raises(OutputError, match=r"a\.jsonl exists.*--overwrite; --resume goes on with"):
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


@pytest.mark.parametrize("name", ["b.jsonl", "b.jsonl.rejects.jsonl"])
def test_an_output_that_is_another_ones_input_is_refused(scorer, files, tmp_path, monkeypatch, name):
    before = content(tmp_path / "in")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).symlink_to(files[2])
    counted = count_texts(monkeypatch)
    with pytest.raises(OutputError, match=rf"{name} is the input .*c\.jsonl"):
        run(scorer, files, f"{tmp_path}/out/", overwrite=True)
    assert content(tmp_path / "in") == before
    assert counted["texts"] == 0


def test_a_folder_in_the_place_of_a_later_output_is_found_before_the_first_row(
    scorer, files, tmp_path, monkeypatch
):
    (tmp_path / "each" / Path(files[-1]).name).mkdir(parents=True)
    counted = count_texts(monkeypatch)
    with pytest.raises(OutputError, match="is there, and is no file"):
        run(scorer, files, f"{tmp_path}/each/", overwrite=True)
    assert not counted["texts"]


def test_a_name_that_is_too_long_for_the_files_of_a_run_is_found_before_the_first_row(
    scorer, files, tmp_path, monkeypatch
):
    long = Path(files[0]).with_name("x" * 230 + ".jsonl")
    long.write_bytes(Path(files[0]).read_bytes())
    counted = count_texts(monkeypatch)
    with pytest.raises(OutputError, match="File name too long"):
        run(scorer, [*files, str(long)], f"{tmp_path}/each/")
    assert not counted["texts"]


def test_a_missing_input_is_found_before_the_first_row(scorer, files, tmp_path):
    with pytest.raises(DataError, match=r"nothing\.jsonl"):
        run(scorer, [*files, f"{tmp_path}/nothing.jsonl"], f"{tmp_path}/out/")
    assert content(tmp_path / "out") == {}


def test_one_rejects_file_for_several_outputs_is_refused(scorer, files, tmp_path):
    with pytest.raises(UsageError, match="--rejects"):
        run(scorer, files, f"{tmp_path}/out/", rejects=RejectOptions(path=f"{tmp_path}/r.jsonl"))


def test_in_a_folder_what_the_input_is_said_to_be_the_output_is_too(scorer, tmp_path):
    (tmp_path / "a.txt").write_text("id,text\n7,warm\n")
    (tmp_path / "b.log").write_text("id,text\n8,dull\n")
    inputs = [str(tmp_path / name) for name in ("a.txt", "b.log")]
    run(scorer, inputs, f"{tmp_path}/out/", read=ReadOptions(format="csv"))
    found = content(tmp_path / "out")
    assert {name: data.split(b",")[:4] for name, data in found.items()} == {
        "a.txt": [b"id", b"text", b"sentiment", b"sentiment_score\n7"],
        "b.log": [b"id", b"text", b"sentiment", b"sentiment_score\n8"],
    }


def test_an_output_may_be_called_as_the_journal_of_all(scorer, files, tmp_path):
    Path(files[0]).rename(tmp_path / "in" / "all outputs")
    inputs = [str(tmp_path / "in" / "all outputs"), files[1]]
    run(scorer, inputs, f"{tmp_path}/out/", read=ReadOptions(format="jsonl"))
    names = ["all outputs", "all outputs.rejects.jsonl", "b.jsonl", "b.jsonl.rejects.jsonl"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names


def test_two_runs_on_one_folder_do_not_meet(scorer, files, tmp_path):
    (tmp_path / "out").mkdir()
    lock = Lock(tmp_path / "out" / "all outputs", "folder-lock")
    with pytest.raises(OutputError, match=r"out: another run of sentcli is writing it"):
        run(scorer, files, f"{tmp_path}/out/")
    lock.release()
    run(scorer, files, f"{tmp_path}/out/")


# Going on where an input cannot be read.


@pytest.fixture
def faulty(files):
    """The files, of which only the second has a line that is no JSON, and what mends it."""
    whole = [Path(name).read_bytes().replace(b"no JSON", b'{"text": "a warm film"}') for name in files]
    for name, content_of_it in zip(files[::2], whole[::2], strict=True):
        Path(name).write_bytes(content_of_it)
    return files, lambda: Path(files[1]).write_bytes(whole[1])


def told(caplog):
    return [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]


def test_other_outputs_are_made_where_one_fails(scorer, faulty, tmp_path, monkeypatch, caplog):
    inputs, mend = faulty
    partly = run(scorer, inputs, f"{tmp_path}/out/", keep_going=True, rejects=NONE)
    (error,) = told(caplog)
    assert error.startswith(f"{inputs[1]}: 1 of ")
    assert "--resume" not in error
    assert (partly.failed, partly.rows) == (1, 200)
    assert not (tmp_path / "out/b.jsonl").exists()
    assert {"a.jsonl", "c.jsonl", ".all outputs.sentcli-folder-journal"} <= content(tmp_path / "out").keys()
    mend()
    expected = run(scorer, inputs, f"{tmp_path}/whole/", rejects=NONE)
    counted = count_texts(monkeypatch)
    summary = run(scorer, inputs, f"{tmp_path}/out/", resume=True, rejects=NONE)
    assert counted["texts"] == summary.scored == 100 - 3 * CHUNK  # what had been scored was kept
    assert content(tmp_path / "out") == content(tmp_path / "whole")
    assert sorted(map(str, summary.inputs)) == sorted(map(str, expected.inputs))
    summary.inputs = expected.inputs
    assert facts(summary) == facts(expected)


@pytest.mark.parametrize("after", [11, 14])
def test_what_failed_comes_last_when_an_interrupted_run_goes_on(
    scorer, faulty, tmp_path, monkeypatch, caplog, after
):
    inputs, mend = faulty
    with monkeypatch.context() as patch:
        interrupt(patch, after)
        with pytest.raises(InterruptedRunError, match="--resume"):
            run(scorer, inputs, f"{tmp_path}/out/", keep_going=True, rejects=NONE)
    assert len(told(caplog)) == 1
    assert not (tmp_path / "out/c.jsonl").exists()
    with pytest.raises(RejectsError, match=r"b\.jsonl"):
        run(scorer, inputs, f"{tmp_path}/out/", resume=True, rejects=NONE)
    assert (tmp_path / "out/c.jsonl").exists()
    assert run(scorer, inputs, f"{tmp_path}/out/", resume=True, keep_going=True, rejects=NONE).failed == 1
    mend()
    run(scorer, inputs, f"{tmp_path}/out/", resume=True, rejects=NONE)
    run(scorer, inputs, f"{tmp_path}/whole/")
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_of_several_that_failed_each_is_made_once_it_is_mended(scorer, files, tmp_path):
    good = {name: Path(name).read_bytes() for name in files}
    for name in files[:2]:
        Path(name).write_bytes(b'{"other": 1}\n')
    assert run(scorer, files, f"{tmp_path}/out/", keep_going=True).failed == 2
    Path(files[1]).write_bytes(good[files[1]])
    assert run(scorer, files, f"{tmp_path}/out/", keep_going=True, resume=True).failed == 1
    Path(files[0]).write_bytes(good[files[0]])
    assert run(scorer, files, f"{tmp_path}/out/", keep_going=True, resume=True).failed == 0
    run(scorer, files, f"{tmp_path}/whole/")
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_what_is_mended_where_it_was_read_already_is_scored_from_its_beginning(
    scorer, faulty, tmp_path, caplog
):
    inputs, mend = faulty
    run(scorer, inputs, f"{tmp_path}/out/", keep_going=True, rejects=NONE)
    mend()
    Path(inputs[1]).write_bytes(b'{"text": "another"}\n' + Path(inputs[1]).read_bytes())
    summary = run(scorer, inputs, f"{tmp_path}/out/", resume=True, rejects=NONE)
    assert summary.scored == 101
    assert "b.jsonl: begun on other conditions, or of another input; it starts over" in caplog.text
    assert "--resume would have gone on" not in caplog.text
    run(scorer, inputs, f"{tmp_path}/whole/")
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_an_input_that_is_gone_keeps_no_other_output_from_being_made(scorer, files, tmp_path, caplog):
    content_of_b = Path(files[1]).read_bytes()
    Path(files[1]).unlink()
    assert run(scorer, files, f"{tmp_path}/out/", keep_going=True).failed == 1
    assert told(caplog) == [f"{files[1]}: No such file or directory"]
    Path(files[1]).write_bytes(content_of_b)
    run(scorer, files, f"{tmp_path}/out/", resume=True)
    run(scorer, files, f"{tmp_path}/whole/")
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_what_is_no_table_keeps_no_other_output_from_being_made(scorer, files, tmp_path, caplog):
    folder = Path(files[0]).parent
    (folder / "notes.xlsx").write_bytes(b"PK")
    (folder / "README").write_text("about these files")
    (folder / "done").mkdir()
    with pytest.raises(DataError, match=r"done is a folder; give its files"):
        run(scorer, [f"{folder}/[!R]*"], f"{tmp_path}/out/")
    with pytest.raises(UsageError, match=r"notes\.xlsx: \.xlsx is no format here"):
        run(scorer, [f"{folder}/*.*"], f"{tmp_path}/out/")
    assert run(scorer, [f"{folder}/*"], f"{tmp_path}/out/", keep_going=True).failed == 3
    assert [message.split(": ")[0].split(" is ")[0] for message in told(caplog)] == [
        f"{folder}/{name}" for name in ("README", "done", "notes.xlsx")
    ]
    run(scorer, files, f"{tmp_path}/out/", resume=True)
    run(scorer, files, f"{tmp_path}/whole/")
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_folders_among_the_inputs_are_told_of_whatever_lies_in_their_place(scorer, files, tmp_path, caplog):
    folder = Path(files[0]).parent
    (folder / "sub").mkdir()
    Path(files[1]).rename(folder / "sub/b.jsonl")
    options = {"keep_going": True, "skip_existing": True}
    for skipped in (0, 3):  # the first run makes a folder for what is in it
        caplog.clear()
        summary = run(scorer, [f"{folder}/**"], f"{tmp_path}/out/", **options)
        assert (summary.failed, summary.skipped) == (2, skipped)
        assert sorted(message.split(" is a")[0] for message in told(caplog)) == [
            f"{folder}/",
            f"{folder}/sub",
        ]
    for name in ("a.jsonl", "sub/b.jsonl", "c.jsonl"):
        assert (tmp_path / "out" / name).is_file()


def test_an_input_of_a_format_that_options_do_not_fit_stops_no_other(scorer, files, tmp_path, caplog):
    folder = Path(files[0]).parent
    (folder / "notes.txt").write_text("about these files\n")
    options = {"read": ReadOptions(text_column="text")}
    message = rf"--text-column means nothing for lines input; {folder}/notes\.txt is of that format"
    with pytest.raises(UsageError, match=message):
        run(scorer, [f"{folder}/*"], f"{tmp_path}/out/", **options)
    assert run(scorer, [f"{folder}/*"], f"{tmp_path}/out/", keep_going=True, **options).failed == 1
    assert len(told(caplog)) == 1
    assert (tmp_path / "out/c.jsonl").exists()


def test_a_run_goes_on_behind_too_many_rejects_of_one_output(scorer, files, tmp_path, caplog):
    assert run(scorer, files, f"{tmp_path}/out/", keep_going=True, rejects=NONE).failed == 3
    assert len(told(caplog)) == 3


def test_what_cannot_be_written_ends_a_run_that_keeps_going(scorer, files, tmp_path, monkeypatch):
    interrupt(monkeypatch, after=8, error=OutputError("no space left"))
    with pytest.raises(OutputError, match="no space left"):
        run(scorer, files, f"{tmp_path}/out/", keep_going=True)
    assert not (tmp_path / "out/c.jsonl").exists()


def test_keeping_on_is_for_several_outputs(scorer, files, tmp_path):
    with pytest.raises(UsageError, match="--keep-going is for a folder"):
        run(scorer, files, tmp_path / "out.jsonl", keep_going=True)


def test_an_input_that_changed_before_its_turn_is_known_as_it_was_read(scorer, files, tmp_path, monkeypatch):
    stream, given = Scorer.stream, 0

    def changing(self, chunks):
        nonlocal given
        for pair in stream(self, chunks):
            given += 1
            if given == 1:
                with Path(files[1]).open("ab") as file:
                    file.write(b'{"text": "late"}\n')
            if given == 16:
                raise KeyboardInterrupt
            yield pair

    with monkeypatch.context() as patch:
        patch.setattr(Scorer, "stream", changing)
        with pytest.raises(InterruptedRunError):
            run(scorer, files, f"{tmp_path}/out/")
    run(scorer, files, f"{tmp_path}/out/", resume=True)
    run(scorer, files, f"{tmp_path}/whole/")
    assert content(tmp_path / "out") == content(tmp_path / "whole")
