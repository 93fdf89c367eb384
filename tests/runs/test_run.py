"""Several outputs in a folder: the same call again makes the missing ones and counts the finished ones."""

import gzip
import itertools
import os
from pathlib import Path

import pytest
from jobs import ParityScorer, content, score_files

import sentcli
from sentcli.config import NOTE
from sentcli.errors import InterruptedRunError, OutputError, UsageError
from sentcli.tables.options import ReadOptions, RejectOptions, WriteOptions

CHUNK = 16  # rows


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    """Chunks of a few rows, each committed."""
    monkeypatch.setattr("sentcli.tables.chunk.CHUNK_ROWS", CHUNK)
    monkeypatch.setattr("sentcli.runs.ledger.COMMIT_SECONDS", 0.0)


@pytest.fixture
def files(tmp_path):
    """Three JSON Lines files of 100 lines each, with a blank text and a line that is not JSON."""
    folder = tmp_path / "in"
    folder.mkdir()
    for number, name in enumerate("abc"):
        lines = [b'{"text": "%s"}' % (b"x" * (row % 5 + number + 1)) for row in range(100)]
        lines[10] = b'{"text": ""}'
        lines[50 + number] = b"no JSON"
        (folder / f"{name}.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    return sorted(map(str, folder.iterdir()))


def run(inputs, output, scorer=None, **options):
    return score_files(scorer or ParityScorer(), inputs, str(output), **options)


class StoppedScorer(ParityScorer):
    """Raises KeyboardInterrupt after some chunks of all outputs together."""

    def __init__(self, after):
        super().__init__()
        self._chunks = itertools.count(1)
        self._after = after

    def stream(self, chunks):
        for pair in super().stream(chunks):
            if next(self._chunks) > self._after:
                raise KeyboardInterrupt
            yield pair


def facts(summary):
    """Return the figures that a continued run shares with an uninterrupted one."""
    of_this_run = {"scored", "seconds", "rows_per_second", "skipped"}
    return {name: value for name, value in summary.to_json().items() if name not in of_this_run}


@pytest.fixture
def whole(files, tmp_path):
    """Return the summary and the files of an uninterrupted run."""
    summary = run(files, f"{tmp_path}/whole/")
    assert (summary.rows, summary.rejected, summary.blank, summary.scored) == (297, 3, 3, 297)
    assert [entry["path"] for entry in summary.inputs] == files
    return facts(summary), content(tmp_path / "whole")


@pytest.mark.parametrize("after", [0, 1, 3, 7, 8, 13, 20])
def test_a_stopped_run_continues_and_counts_the_finished_outputs(files, tmp_path, whole, after):
    with pytest.raises(InterruptedRunError):
        run(files, f"{tmp_path}/out/", StoppedScorer(after))
    finished = {path: path.stat().st_ino for path in (tmp_path / "out").glob("?.jsonl")}
    scorer = ParityScorer()
    summary = run(files, f"{tmp_path}/out/", scorer)
    assert (facts(summary), content(tmp_path / "out")) == whole
    assert all(path.stat().st_ino == inode for path, inode in finished.items())
    assert summary.skipped == len(finished) == after // 7
    assert scorer.scored == summary.scored == 297 - after * CHUNK + 13 * (after // 7) + (after % 7 > 3)
    assert sorted(path.name for path in (tmp_path / "out").glob(".*")) == [
        f".{name}.jsonl.sentcli-done" for name in "abc"
    ]


def test_a_finished_run_is_counted_again_and_nothing_is_scored(files, tmp_path, whole, caplog):
    caplog.set_level("INFO")
    scorer = ParityScorer()
    for _ in range(2):
        summary = run(files, f"{tmp_path}/whole/", scorer)
        assert facts(summary) == whole[0]
        assert (summary.skipped, summary.scored) == (3, 0)
    assert scorer.scored == 0
    assert caplog.messages[-1] == f"{tmp_path}/whole/: 3 outputs already finished, left unchanged"


def test_new_inputs_are_added_and_lost_outputs_made_again(files, tmp_path, whole):
    run(files[:2], f"{tmp_path}/out/")
    (tmp_path / "out" / "a.jsonl").unlink()
    (tmp_path / "out" / "a.jsonl.rejects.jsonl").unlink()
    summary = run(files, f"{tmp_path}/out/")
    assert (facts(summary), content(tmp_path / "out")) == whole
    assert (summary.skipped, summary.scored) == (1, 198)


@pytest.mark.parametrize("at", ["history.write_file", "ledger.Ledger.discard"])
def test_an_output_without_its_record_is_not_scored_again(files, tmp_path, whole, monkeypatch, at):
    def die(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(f"sentcli.runs.{at}", die)
        with pytest.raises((InterruptedRunError, KeyboardInterrupt)):
            run(files, f"{tmp_path}/out/")
    summary = run(files, f"{tmp_path}/out/")
    assert (facts(summary), content(tmp_path / "out")) == whole
    assert summary.scored == 198


def test_one_file_is_scored_as_in_a_folder_wherever_it_is(files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(["in/*.jsonl"], "out/")
    (tmp_path / "other").mkdir()
    monkeypatch.chdir("/")
    for source in files:
        name = Path(source).name
        target = tmp_path / "other" / name
        for skipped in (0, 1):
            summary = sentcli.score_file(source, target, name=f"in/{name}", scorer=ParityScorer())
            assert (summary.rows, summary.rejected, summary.skipped) == (99, 1, skipped)
        for end in (name, f"{name}.rejects.jsonl"):
            assert (tmp_path / "out" / end).read_bytes() == (tmp_path / "other" / end).read_bytes()
    monkeypatch.chdir(tmp_path)
    assert run(["in/*.jsonl"], "other/").skipped == 3


def test_a_finished_output_says_why_its_run_ends_as_one_with_rejects(files, tmp_path, caplog):
    caplog.set_level(NOTE)
    for _ in range(2):
        caplog.clear()
        assert run(files[:1], f"{tmp_path}/out/").rejected == 1
    out = f"{tmp_path}/out/a.jsonl"
    assert caplog.messages == [f"{out} is finished: 1 row rejected; see {out}.rejects.jsonl"]


def test_one_file_is_scored_by_the_included_model(tmp_path):
    (tmp_path / "in.txt").write_bytes(b"an absolute joy\n")
    summary = sentcli.score_file(tmp_path / "in.txt", tmp_path / "out.txt", write=WriteOptions(format="csv"))
    assert summary.labels == {"positive": 1}


def change_input(files):
    with Path(files[0]).open("ab") as file:
        file.write(b'{"text": "x"}\n')
    return {}


def change_output(files):
    with (Path(files[0]).parents[1] / "whole" / "a.jsonl").open("ab") as file:
        file.write(b'{"text": "x"}\n')
    return {}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (change_input, "a.jsonl is finished, and the input changed since"),
        (change_output, "a.jsonl is finished, and the output changed since"),
        (lambda _: {"scorer": ParityScorer(model="other")}, "is finished, and model changed since"),
        (lambda _: {"write": WriteOptions(prefix="x_")}, "is finished, and prefix changed since"),
        (lambda _: {"read": ReadOptions(text_column="text")}, "is finished, and text_column changed since"),
    ],
)
def test_a_changed_condition_of_a_finished_output_fails_by_name(
    files, tmp_path, whole, change, named, caplog
):
    options = change(files)
    before = content(tmp_path / "whole")
    summary = run(files, f"{tmp_path}/whole/", **options)
    failed = 3 if options else 1
    assert (summary.failed, summary.skipped) == (failed, 3 - failed)
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(errors) == failed
    assert named in errors[0]
    hint = (
        "make it again with update=True" if change == change_input else "give another folder, or replace it w"
    )
    assert f"; {hint}" in errors[0]
    assert content(tmp_path / "whole") == before
    summary = run(files, f"{tmp_path}/whole/", overwrite=True, **options)
    assert (summary.failed, summary.skipped, summary.scored) == (0, 0, summary.rows)


def test_an_update_makes_the_outputs_again_whose_input_changed(files, tmp_path, whole):
    finished = {path: path.stat().st_ino for path in (tmp_path / "whole").glob("[bc].jsonl")}
    for row in (b'{"text": "x"}\n', b"no JSON\n"):
        with Path(files[0]).open("ab") as file:
            file.write(row)
        summary = run(files, f"{tmp_path}/whole/", update=True)
        assert (summary.failed, summary.skipped, summary.rows, summary.scored) == (0, 2, 298, 100)
        assert "298 rows, " in summary.lines()[0]
        assert " rejected; this run scored 100 in " in summary.lines()[0]
    assert all(path.stat().st_ino == inode for path, inode in finished.items())
    run(files, f"{tmp_path}/new/")
    assert content(tmp_path / "whole") == content(tmp_path / "new")
    Path(files[0]).write_bytes(b'{"text": "x"}\n')  # no reject is left
    updated = run(files, f"{tmp_path}/whole/", update=True)
    assert (updated.rejected, updated.rejected_before) == (0, 2)  # of this run, of an earlier one
    assert not (tmp_path / "whole" / "a.jsonl.rejects.jsonl").exists()
    again = run(files, f"{tmp_path}/whole/")
    assert (again.failed, again.skipped, again.scored) == (0, 3, 0)
    assert " scored " not in again.lines()[0]


@pytest.mark.parametrize("after", [1, 3])
def test_an_update_starts_over_where_the_input_of_a_stopped_run_changed(files, tmp_path, after):
    with pytest.raises(InterruptedRunError):
        run(files, f"{tmp_path}/out/", StoppedScorer(after))
    Path(files[0]).write_bytes(b'{"text": "y"}\n' * 40)
    assert run(files, f"{tmp_path}/out/").failed == 1
    with pytest.raises(InterruptedRunError):  # the second attempt is stopped too, and continues
        run(files, f"{tmp_path}/out/", StoppedScorer(1), update=True)
    scorer = ParityScorer()
    assert run(files, f"{tmp_path}/out/", scorer, update=True).failed == 0
    assert scorer.scored <= 40
    run(files, f"{tmp_path}/new/")
    assert content(tmp_path / "out") == content(tmp_path / "new")


def test_an_update_changes_nothing_but_the_input(files, tmp_path, whole):
    before = content(tmp_path / "whole")
    change_input(files)
    options = {"update": True, "write": WriteOptions(prefix="x_")}
    assert run(files, f"{tmp_path}/whole/", **options).failed == 3
    assert content(tmp_path / "whole") == before
    with pytest.raises(UsageError, match=r"--update makes outputs of a folder again; give -o FOLDER/"):
        run(files, f"{tmp_path}/one.jsonl", update=True)


def test_an_update_names_the_outputs_whose_inputs_are_gone(files, tmp_path, whole, caplog):
    (tmp_path / "whole" / ".other.sentcli-done").write_bytes(b"{}")
    (tmp_path / "whole" / "other").write_bytes(b"")
    run(files[1:], f"{tmp_path}/whole/", update=True)
    assert "not found" not in caplog.text  # an input that this run does not name
    Path(files[0]).unlink()
    run(files[1:], f"{tmp_path}/whole/")
    assert "not found" not in caplog.text
    run(files[1:], f"{tmp_path}/whole/", update=True)
    gone = tmp_path / "whole" / "a.jsonl"
    (line,) = [line for line in caplog.messages if "not found" in line]
    assert line == f"1 output left unchanged, because the input is not found: {gone}"
    assert gone.exists()


def test_one_file_is_made_again_by_an_update(files, tmp_path):
    for rows in (99, 100):
        for skipped in (0, 1):
            options = {"scorer": ParityScorer(), "update": True}
            summary = sentcli.score_file(files[0], tmp_path / "out.jsonl", **options)
            assert (summary.rows, summary.skipped) == (rows, skipped)
        change_input(files)


@pytest.mark.parametrize("record", [None, b"", b"[]", b'{"conditions": {}}'])
def test_an_output_that_the_command_did_not_make_fails_by_name(files, tmp_path, record, caplog):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "b.jsonl").write_text("mine")
    if record is not None:
        (tmp_path / "out" / ".b.jsonl.sentcli-done").write_bytes(record)
    summary = run(files, f"{tmp_path}/out/")
    assert (summary.failed, summary.rows) == (1, 198)
    assert "b.jsonl exists but was not written by this command" in caplog.text
    assert (tmp_path / "out" / "b.jsonl").read_text() == "mine"
    assert run(files, f"{tmp_path}/out/", overwrite=True).rows == 297


def test_a_link_in_place_of_a_record_is_not_followed(files, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "out" / ".b.jsonl.sentcli-done").symlink_to(tmp_path / "precious")
    assert run(files, f"{tmp_path}/out/").rows == 297
    assert (tmp_path / "precious").read_text() == "mine"
    assert run(files, f"{tmp_path}/out/").skipped == 3


@pytest.fixture
def faulty(files, tmp_path):
    """Return inputs that fail, each for another reason, and two that do not."""
    folder = tmp_path / "in"
    data = (folder / "a.jsonl").read_bytes()
    (folder / "a.jsonl").write_bytes(b'{"a": "x", "b": "y"}\n')
    (folder / "aa.csv.gz").write_bytes(gzip.compress(b"text\n" + b"x\n" * 100)[:-9])
    (folder / "ab.dat").write_bytes(b"x\n")
    (folder / "ac.parquet").write_bytes(b"PAR1")
    (folder / "ad.jsonl").mkdir()
    (folder / "ae.jsonl").write_bytes(data + b"no JSON\n")
    (folder / "af.csv").symlink_to("af.csv")
    return [*sorted(map(str, folder.iterdir())), str(tmp_path / "gone.csv")]


def test_outputs_that_fail_do_not_stop_the_others(faulty, tmp_path, caplog):
    options = {"rejects": RejectOptions(limit="1")}
    summary = run(faulty, f"{tmp_path}/out/", **options)
    assert (summary.failed, summary.rows, summary.rejected) == (8, 198, 2)
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(errors) == 8
    for error, reason in zip(
        errors,
        [
            *("a.jsonl: which column is the text", "aa.csv.gz: cannot be read", "what format is .dat"),
            *("ac.parquet: ", "ad.jsonl is a folder", "2 of 101 rows rejected, more than", "af.csv: "),
            "gone.csv: No such file",
        ],
        strict=True,
    ):
        assert reason in error
    assert sorted(content(tmp_path / "out")) == [
        *("b.jsonl", "b.jsonl.rejects.jsonl", "c.jsonl", "c.jsonl.rejects.jsonl")
    ]
    Path(faulty[0]).write_bytes(b'{"text": "x"}\n')
    summary = run(faulty, f"{tmp_path}/out/", **options)
    assert (summary.failed, summary.skipped, summary.rows, summary.scored) == (7, 2, 199, 1)


def test_a_locked_output_does_not_stop_the_others(files, tmp_path, monkeypatch, caplog):
    from sentcli.files.atomic import Lock

    monkeypatch.setattr("sentcli.files.atomic.WAIT_SECONDS", 0.0)
    (tmp_path / "out").mkdir()
    with Lock(tmp_path / "out" / "b.jsonl"):
        summary = run(files, f"{tmp_path}/out/")
    assert (summary.failed, summary.rows) == (1, 198)
    assert "b.jsonl: another run of sentcli is writing it; try again" in caplog.text


def test_a_full_disk_ends_the_run(files, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OutputError, match=r"a\.jsonl.*: No space left"):
        run(files, f"{tmp_path}/out/")
    assert content(tmp_path / "out") == {}


@pytest.mark.parametrize("name", ["b.jsonl", "b.jsonl.rejects.jsonl"])
def test_an_output_that_is_another_ones_input_is_refused(files, tmp_path, name):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).hardlink_to(files[2])
    before = Path(files[2]).read_bytes()
    with pytest.raises(OutputError, match=rf"{name} is the input .*c\.jsonl"):
        run([*files, f"{tmp_path}/none.csv"], f"{tmp_path}/out/", overwrite=True)
    assert Path(files[2]).read_bytes() == before


def test_one_rejects_file_for_several_outputs_is_refused(files, tmp_path):
    with pytest.raises(UsageError, match="--rejects names one file for 3 outputs"):
        run(files, f"{tmp_path}/out/", rejects=RejectOptions(path="r.jsonl"))
    rejects = RejectOptions(path=f"file://{tmp_path}/r.jsonl")
    run(files[:1], f"file://{tmp_path}/one.jsonl", rejects=rejects)
    assert (tmp_path / "r.jsonl").read_bytes().count(b"\n") == 1


def test_a_named_input_format_is_the_output_format_in_a_folder(tmp_path):
    (tmp_path / "in.txt").write_bytes(b"text\nx\n")
    run([f"{tmp_path}/in.txt"], f"{tmp_path}/out/", read=ReadOptions(format="csv"))
    assert (tmp_path / "out" / "in.txt").read_bytes() == b"text,sentiment,sentiment_score\nx,odd,0.142857\n"


@pytest.mark.parametrize(
    ("summary", "output", "error", "message"),
    [
        ("-", "o.jsonl", UsageError, "takes the name of a file"),
        ("/dev/stdout", "-", UsageError, "standard output is for the rows"),
        ("in/a.jsonl", "o.jsonl", UsageError, "is .*a.jsonl, a file of this run"),
        ("o.jsonl", "o.jsonl", UsageError, "is .*o.jsonl, a file of this run"),
        ("r.jsonl", "o.jsonl", UsageError, "is .*r.jsonl, a file of this run"),
        ("in", "o.jsonl", OutputError, "in is a folder; name a file in it"),
        ("none/s.json", "o.jsonl", OutputError, "none: no such folder"),
        ("old", "o.jsonl", OutputError, "old exists; give another name"),
    ],
)
def test_a_summary_that_cannot_be_written_is_refused_before_the_first_row(
    files, tmp_path, monkeypatch, summary, output, error, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old").write_text("old")
    scorer = ParityScorer()
    rejects = RejectOptions(path="r.jsonl")
    with pytest.raises(error, match=message):
        run(files[:1], output, scorer, rejects=rejects, summary_file=summary)
    assert scorer.scored == 0
    run(files[:1], "o.jsonl", rejects=rejects, summary_file="old", overwrite=True)
    run(files, "out/", summary_file="old")
    run(files[:1], "p.jsonl", summary_file="/dev/null")
