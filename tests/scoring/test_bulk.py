import io
import os
from pathlib import Path

import pytest
from runs import content, count_texts, interrupt, run

from sentcli.errors import (
    InterruptedRunError,
    OutputError,
    UsageError,
)
from sentcli.tables.options import RejectOptions, WriteOptions

pytestmark = pytest.mark.usefixtures("small_chunks")


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


def test_what_was_begun_over_an_output_that_is_there_is_left_alone_too(scorer, files, tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    out = tmp_path / "out" / "out.jsonl"
    out.write_text("old")
    with monkeypatch.context() as patch:
        interrupt(patch, after=4)
        with pytest.raises(InterruptedRunError):
            run(scorer, files[:1], out, overwrite=True)
    before = content(out.parent)
    assert len(before) > 2
    assert run(scorer, files[:1], out, skip_existing=True).skipped == 1
    assert content(out.parent) == before
    run(scorer, files[:1], out, overwrite=True, resume=True)
    run(scorer, files[:1], tmp_path / "whole.jsonl")
    assert out.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


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


def test_what_is_piped_is_read_from_its_beginning(scorer, tmp_path, monkeypatch):
    """Another run's pipe cannot be read again where the rows turn out to be others."""

    def piped(word, rows):
        lines = b"".join(b"%s film %d\n" % (word, number) for number in range(rows))
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(lines)))

    out = tmp_path / "out.txt"
    piped(b"warm", 200)
    with monkeypatch.context() as patch:
        interrupt(patch, after=4)
        with pytest.raises(InterruptedRunError):
            run(scorer, ["-"], out, skip_existing=True)
    assert (tmp_path / ".out.txt.sentcli-journal").exists()
    piped(b"dull", 300)
    assert run(scorer, ["-"], out, skip_existing=True).rows == 300
    assert out.read_bytes().count(b"\tdull film ") == 300
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.txt"]
