"""Folders at URLs: whole objects under their names, and the same call again makes what is missing."""

import json
from pathlib import Path

import pytest
from jobs import ParityScorer, content, score_files

import sentcli
from sentcli.errors import DataError, ExistingOutputError, UsageError
from sentcli.tables.options import RejectOptions, WriteOptions

in_memory = pytest.mark.parametrize("store", ["memory"], indirect=True)
NAMES = [f"part-{number}.csv" for number in range(3)]
ROWS = b"id,text\n1,x\n2,\n3,xx\n"


@pytest.fixture
def files(tmp_path):
    """Three CSV files; the second has a rejected row."""
    (tmp_path / "in").mkdir()
    for number, name in enumerate(NAMES):
        data = ROWS + b"4\n" * (number == 1) + b"5,xxx\n" * number
        (tmp_path / "in" / name).write_bytes(data)
    return sorted(map(str, (tmp_path / "in").iterdir()))


@pytest.fixture
def whole(files, store, tmp_path):
    """Put the inputs into the store; return the outputs of a run on disk, by their names."""
    for name in NAMES:
        store["in/" + name] = (tmp_path / "in" / name).read_bytes()
    score_files(ParityScorer(), [f"{store.root}in/*.csv"], f"{tmp_path}/whole/")
    return content(tmp_path / "whole")


def run(store, scorer=None, **options):
    return score_files(scorer or ParityScorer(), [f"{store.root}in/*.csv"], f"{store.root}out/", **options)


def test_objects_have_the_bytes_of_files_and_are_not_made_again(store, whole):
    first = run(store)
    assert (first.rows, first.rejected, first.skipped, first.scored) == (12, 1, 0, 12)
    assert store.content("out/") == whole
    assert store.names("out/") == sorted([*whole, *(f".{name}.sentcli-done" for name in NAMES)])
    again = run(store)
    assert (again.skipped, again.scored) == (3, 0)
    ours = {"skipped", "scored", "seconds"}
    assert {**vars(first), **dict.fromkeys(ours)} == {**vars(again), **dict.fromkeys(ours)}
    store["in/part-0.csv"] = ROWS.replace(b"xx", b"yy")  # of the same size
    assert (run(store).failed, store.content("out/")) == (1, whole)
    updated = run(store, update=True)
    assert (updated.failed, updated.skipped, updated.scored) == (0, 2, 3)
    assert b"3,yy," in store.content("out/")["part-0.csv"]
    assert run(store).skipped == 3


def test_outputs_are_asked_for_by_one_listing(s3, tmp_path):
    for name in NAMES:
        s3["in/" + name] = ROWS + b"4\n"
    s3["out/part-1.csv.rejects.jsonl"] = b"left over"
    for skipped in (0, 3):
        s3.requests.clear()
        assert run(s3).skipped == skipped
        of_outputs = [line for line in s3.requests if "/out/" in line]
        heads = [line for line in of_outputs if line.startswith("HEAD ") and ".csv" in line]
        assert [line.partition("/out/")[2] for line in heads] == ["part-1.csv.rejects.jsonl"] * (not skipped)
        listings = [line for line in s3.requests if "list-type=2" in line and "prefix=out" in line]
        assert len(listings) <= 3  # of the folder, and whether it is a file if nothing is in it
        assert len([line for line in of_outputs if line.startswith("GET ")]) == skipped  # their records
        assert [line for line in s3.requests if line.startswith("HEAD ") and "/in/" in line] == []


def test_what_killed_runs_left_is_no_obstacle(store, whole):
    for name in ("part-0.csv.rejects.jsonl", "part-1.csv.rejects.jsonl", ".part-1.csv.sentcli-done"):
        store["out/" + name] = b"left over"
    assert run(store).failed == 0
    assert store.content("out/") == whole


@in_memory
@pytest.mark.parametrize(
    "at",
    ["output.Output.publish", "history.History.complete", "history.write_file", "job._Job._write_rows"],
)
def test_a_run_that_ends_while_it_publishes_is_completed(store, whole, monkeypatch, at):
    def die(*arguments, **options):
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(f"sentcli.runs.{at}", die)
        with pytest.raises(RuntimeError, match="killed"):
            run(store)
    assert store.content("out/") == {}
    assert run(store).failed == 0
    assert store.content("out/") == whole


def test_a_run_that_ends_between_rejects_and_output_is_completed(store, whole, monkeypatch):
    from sentcli.files.remote import RemoteFile

    publish = RemoteFile.publish

    def die(file):
        if file._url.endswith("out/part-1.csv"):
            raise RuntimeError("killed")
        publish(file)

    del store["in/part-0.csv"]
    with monkeypatch.context() as patch:
        patch.setattr(RemoteFile, "publish", die)
        with pytest.raises(RuntimeError, match="killed"):
            run(store)
    assert [*store.content("out/")] == ["part-1.csv.rejects.jsonl"]
    run(store)
    assert store.content("out/") == {name: data for name, data in whole.items() if name != "part-0.csv"}


@in_memory
@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (
            lambda store: store.__setitem__("in/part-0.csv", ROWS.replace(b"xx", b"yy")),
            {},
            "the input changed since",
        ),
        (lambda store: store.__setitem__("out/part-0.csv", b""), {}, "the output changed since"),
        (
            lambda store: store.__delitem__("out/.part-0.csv.sentcli-done"),
            {},
            "but was not written by this command",
        ),
        (lambda store: None, {"write": WriteOptions(prefix="x_")}, "prefix changed since"),
    ],
)
def test_what_changed_since_is_an_error_of_this_output(store, whole, change, options, message, caplog):
    run(store)
    change(store)
    before = store.content("out/")
    summary = run(store, **options)
    failed = 3 if options else 1
    assert (summary.failed, summary.skipped) == (failed, 3 - failed)
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert errors[0].startswith(f"{store.root}out/part-0.csv ")
    assert message in errors[0]
    assert store.content("out/") == before


def test_overwriting_leaves_nothing_of_the_old_outputs(store, whole):
    run(store)
    store["in/part-1.csv"] = ROWS
    summary = run(store, overwrite=True)
    assert (summary.skipped, summary.scored, summary.rejected) == (0, 11, 0)
    assert sorted(store.content("out/")) == NAMES
    assert run(store).skipped == 3


@in_memory
def test_one_file_at_a_url_is_skipped_when_it_is_finished(store, whole):
    source, target = f"{store.root}in/part-1.csv", f"{store.root}out/part-1.csv"
    store["out/part-1.csv.rejects.jsonl"] = b"left over"
    for skipped in (0, 1):
        summary = sentcli.score_file(source, target, scorer=ParityScorer())
        assert (summary.rows, summary.rejected, summary.skipped) == (4, 1, skipped)
    assert run(store).skipped == 1
    assert store.content("out/") == whole


@in_memory
def test_a_summary_at_a_url_is_no_file_of_the_run(store, whole):
    run(store, summary_file=f"{store.root}out/summary.json")
    for name in ("in/part-0.csv", "out/part-0.csv", "out/part-0.csv.rejects.jsonl"):
        with pytest.raises(UsageError, match="a file of this run; give another name"):
            run(store, summary_file=store.root + name)
    store["s.json"] = b"old"
    with pytest.raises(ExistingOutputError, match=r"s\.json exists"):
        score_files(
            ParityScorer(), [f"{store.root}in/*.csv"], f"{store.root}one", summary_file="memory://s.json"
        )


@in_memory
def test_a_named_rejects_file_of_one_output(store, whole, tmp_path):
    options = {"rejects": RejectOptions(path=str(tmp_path / "r.jsonl"))}
    source = [f"{store.root}in/part-1.csv"]
    for failed in (0, 1):
        assert score_files(ParityScorer(), source, f"{store.root}out/", **options).failed == failed
    assert (tmp_path / "r.jsonl").read_bytes() == whole["part-1.csv.rejects.jsonl"]


def test_a_folder_is_listed_without_what_is_above_it(store, whole):
    from sentcli.files.remote import list_folder

    store["out"] = b"a file with the name of the folder"
    assert list_folder(f"{store.root}out/") == {}
    store["in/deep/a.csv"] = ROWS
    names = [*(f"in/{name}" for name in NAMES), "in/deep/a.csv"]
    assert sorted(list_folder(f"{store.root}in/")) == sorted(store.root + name for name in names)
    assert list_folder(f"{store.root}in/deep/") == {f"{store.root}in/deep/a.csv": len(ROWS)}


def test_blocks_of_inputs_and_outputs_are_bounded(s3, tmp_path):
    s3["in/a.txt"] = (b"x" * 999_999 + b"\n") * 20
    s3.requests.clear()
    score_files(ParityScorer(), [f"{s3.root}in/a.txt"], f"{s3.root}out/")
    assert len([line for line in s3.requests if "partNumber=" in line]) >= 3
    assert len([line for line in s3.requests if line.startswith("GET /") and line.endswith("/in/a.txt")]) >= 3


def test_shards_make_every_output_once(files, tmp_path):
    outputs = []
    for number in (1, 2, 3):
        summary = score_files(ParityScorer(), files[::-1], f"{tmp_path}/out/", shard=(number, 3))
        assert summary.skipped == 0
        outputs.append(len(summary.inputs))
    assert outputs == [1, 1, 1]
    assert sorted(path.name for path in (tmp_path / "out").glob("*.csv")) == NAMES
    assert score_files(ParityScorer(), files, f"{tmp_path}/out/").skipped == 3
    assert score_files(ParityScorer(), files, f"{tmp_path}/out/", shard=(7, 9)).inputs == []
    with pytest.raises(UsageError, match="--shard divides the inputs of a folder"):
        score_files(ParityScorer(), files, f"{tmp_path}/one.csv", shard=(1, 3))


def test_records_do_not_depend_on_who_made_them(files, tmp_path):
    for folder, times in (("a", 1), ("b", 2)):
        for _ in range(times):
            score_files(ParityScorer(), files, f"{tmp_path}/{folder}/")
    names = [f".{name}.sentcli-done" for name in NAMES]
    first, second = ([(tmp_path / folder / name).read_bytes() for name in names] for folder in "ab")
    assert first == second
    assert json.loads(first[0])["summary"]["seconds"] == 0


def test_other_outputs_are_made_before_a_locked_one_is_waited_for(files, tmp_path, caplog):
    import threading

    from sentcli.files.atomic import Lock

    caplog.set_level("INFO")
    (tmp_path / "out").mkdir()
    lock = Lock(tmp_path / "out" / NAMES[0])

    class Watched(ParityScorer):
        def stream(self, chunks):
            if len([*(tmp_path / "out").glob("*.csv")]) == 1:  # this is the last one that is not locked
                threading.Timer(0.2, lock.release).start()
            yield from super().stream(chunks)

    summary = score_files(Watched(), files, f"{tmp_path}/out/")
    assert (summary.failed, summary.scored) == (0, 12)
    assert [line for line in caplog.messages if "another run" in line] == [
        f"{tmp_path}/out/{NAMES[0]}: another run of sentcli is writing it; waiting up to two minutes"
    ]
    assert not [*Path(tmp_path / "out").glob(".*lock")]


def test_a_bucket_that_does_not_exist_is_named(s3, tmp_path):
    with pytest.raises(DataError, match=r"s3://nowhere/in/\*\.csv: there is no s3://nowhere$"):
        score_files(ParityScorer(), ["s3://nowhere/in/*.csv"], f"{tmp_path}/out/")
    with pytest.raises(DataError, match=r"in/\*\.csv: no such files"):
        score_files(ParityScorer(), [f"{s3.root}in/*.csv"], f"{tmp_path}/out/")
    with pytest.raises(DataError, match=r"in/\*\.csv: no such files"):
        score_files(ParityScorer(), ["memory://in/*.csv"], f"{tmp_path}/out/")
