"""What a killed run has left beside its output."""

from pathlib import Path

import pytest

from sentcli.errors import OutputError
from sentcli.tables import open_job
from sentcli.tables.leftovers import settle
from sentcli.tables.lock import Lock
from sentcli.tables.storage import Part


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


@pytest.fixture(params=["csv", "parquet"])
def complete(source, run, tmp_path, monkeypatch, request):
    """An output that is complete; the run was interrupted when its rejects had their name."""
    publish, published = Part.publish, []

    def interrupted(part):
        if published:
            raise KeyboardInterrupt
        published.append(part)
        publish(part)

    output = tmp_path / "out" / f"out.{request.param}"
    output.parent.mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(Part, "publish", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(source, output)
    assert Path(f"{output}.rejects.jsonl").exists()
    assert not output.exists()
    return output


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
