"""What a killed run has left beside its output."""

import os
from pathlib import Path

import pytest

from sentcli.errors import OutputError, ResumeError
from sentcli.files.lock import Lock
from sentcli.files.storage import Part
from sentcli.runs.leftovers import give_up, settle
from sentcli.runs.opening import open_job
from sentcli.tables.options import ReadOptions, WriteOptions


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text("id,text\n1,one\n2\n3,three\n")
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def whole(source, run, tmp_path):
    """What a run leaves that was not interrupted."""

    def whole(suffix):
        folder = tmp_path / "whole"
        folder.mkdir()
        run(source, folder / f"out.{suffix}")
        return contents(folder)

    return whole


@pytest.fixture
def interrupted(source, run, tmp_path, monkeypatch):
    """An output that is complete; the run was interrupted when so many of its two files had their name."""

    def interrupted(suffix, number, **options):
        publish, published = Part.publish, []

        def publish_some(part):
            if len(published) == number:
                raise KeyboardInterrupt
            published.append(part)
            publish(part)

        output = tmp_path / "out" / f"out.{suffix}"
        output.parent.mkdir()
        with monkeypatch.context() as patch:
            patch.setattr(Part, "publish", publish_some)
            with pytest.raises(KeyboardInterrupt):
                run(source, output, **options)
        assert Path(f"{output}.rejects.jsonl").exists() == (number > 0)
        assert not output.exists()
        return output

    return interrupted


@pytest.fixture(params=["csv", "parquet"])
def complete(interrupted, request):
    return interrupted(request.param, 1)


def test_an_output_that_is_complete_gets_its_name(complete, whole):
    expected = whole(complete.suffix[1:])
    settle(complete)
    assert contents(complete.parent) == expected
    settle(complete)
    settle(complete.with_name("other.csv"))
    assert contents(complete.parent) == expected


def test_what_another_run_is_at_work_on_is_left_to_it(complete):
    before = contents(complete.parent)
    lock = Lock(complete)
    settle(complete)
    lock.release()
    assert contents(complete.parent) == before


def test_an_output_that_cannot_get_its_name_yet_can_get_it_later(complete, monkeypatch):
    def full(part):
        raise OutputError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Part, "publish", full)
        settle(complete)
    assert not complete.exists()
    settle(complete)  # the locks are free
    assert complete.exists()


@pytest.mark.parametrize("name", ["out.csv", "out.csv.rejects.jsonl"])
def test_what_somebody_else_has_put_there_is_left_alone(interrupted, source, run, name):
    output = interrupted("csv", 0)
    own = output.with_name(name)
    own.write_text("mine")
    before = contents(output.parent)
    settle(output)
    assert contents(output.parent) == before
    with pytest.raises(OutputError, match=f"{name} exists; give another name or --overwrite"):
        run(source, output, resume=True)
    assert own.read_text() == "mine"


def test_an_output_is_as_old_as_what_was_read_for_it(interrupted):
    output = interrupted("csv", 1)
    os.utime(output.with_name(".out.csv.sentcli-part"), (0, 0))
    settle(output)
    assert output.stat().st_mtime == 0


def test_what_was_moved_away_is_not_waited_for(interrupted, source, run):
    output = interrupted("csv", 1)
    for file in output.parent.glob("*.sentcli-part"):
        file.unlink()
    settle(output)
    with pytest.raises(ResumeError, match="sentcli-part is gone; start over without --resume"):
        run(source, output, resume=True)
    give_up(output)
    assert [*contents(output.parent)] == ["out.csv.rejects.jsonl"]


def test_an_output_that_is_not_complete_is_left_as_it_is(source, scored, tmp_path):
    output = tmp_path / "out" / "out.csv"
    output.parent.mkdir()
    with open_job([str(source)], str(output), commit_seconds=0) as job:
        for chunk in job:
            job.write(chunk, *scored(chunk.texts))
    before = contents(output.parent)
    assert ".out.csv.sentcli-journal" in before
    settle(output)
    assert contents(output.parent) == before


@pytest.mark.parametrize(
    "names", [(".out.csv.sentcli-lock", ".out.csv.sentcli-part"), (".out.csv.rejects.jsonl.sentcli-lock",)]
)
def test_where_the_output_is_there_locks_go(tmp_path, names):
    (tmp_path / "out.csv").write_text("rows")
    for name in names:
        (tmp_path / name).touch()
    settle(tmp_path / "out.csv")
    assert contents(tmp_path) == {"out.csv": b"rows"}


def test_the_lock_of_rejects_of_another_name_goes_too(tmp_path):
    (tmp_path / "out.csv").write_text("rows")
    (tmp_path / ".bad.jsonl.sentcli-lock").touch()
    settle(tmp_path / "out.csv", str(tmp_path / "bad.jsonl"))
    assert contents(tmp_path) == {"out.csv": b"rows"}


def test_what_another_run_is_at_work_on_is_not_given_up(complete):
    before = contents(complete.parent)
    lock = Lock(Path(f"{complete}.rejects.jsonl"))
    with pytest.raises(OutputError, match="another run of sentcli is writing it"):
        give_up(complete)
    lock.release()
    assert contents(complete.parent) == {name: data for name, data in before.items() if "lock" not in name}
    give_up(complete)  # its own lock is free


def test_a_run_into_another_format_leaves_no_ledger(source, scored, run, tmp_path):
    output = tmp_path / "out" / "scored.dat"
    output.parent.mkdir()
    options = {"read": ReadOptions(text_column="text"), "commit_seconds": 0}
    with open_job([str(source)], str(output), write=WriteOptions(format="parquet"), **options) as job:
        for chunk in job:
            job.write(chunk, *scored(chunk.texts))
    assert ".scored.dat.sentcli-ledger" in contents(output.parent)
    run(source, output, write=WriteOptions(format="csv"), **options)
    assert sorted(contents(output.parent)) == ["scored.dat", "scored.dat.rejects.jsonl"]
