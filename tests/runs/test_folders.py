"""Folders and globs: which of their files are inputs."""

import os
import shlex
from pathlib import Path

import pytest
from test_plan import deny

from sentcli.errors import DataError, OutputError, UsageError
from sentcli.files import remote
from sentcli.files.sink import Target
from sentcli.runs.plan import plan_outputs
from sentcli.tables.options import ReadOptions


@pytest.fixture
def put(tmp_path, monkeypatch):
    """Return a function that makes files."""
    monkeypatch.chdir(tmp_path)

    def put(*names, data=b""):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(data)

    return put


def plan(inputs, output="-", form=None):
    names = [inputs] if isinstance(inputs, str) else inputs
    pairs, _ = plan_outputs(names, Target(output), ReadOptions(form))
    return [(files, target.name) for files, target in pairs]


def test_a_folder_stands_for_the_tables_in_it_at_any_depth(put):
    put(
        "in/b.csv",
        "in/a.csv.gz",
        "in/deep/er/c.parquet",
        "in/deep/[x].jsonl",
        "in/.hidden/d.csv",
        "in/.e.csv",
    )
    files = ["in/a.csv.gz", "in/b.csv", "in/deep/[x].jsonl", "in/deep/er/c.parquet"]
    for name in ("in", "in/", "./in", "in//"):
        start = "./" if name[0] == "." else ""
        assert plan(name) == [([start + file for file in files], "-")]
    assert plan("in", "out/") == [([file], f"out/{file[3:]}") for file in files]


def test_a_folder_may_be_named_as_a_pattern_and_as_a_file(put):
    put("[ab]/x.csv", "a/y.csv", "spark.csv/part-0.csv", "spark.csv/_SUCCESS")
    assert plan("[ab]", "out/") == [(["[ab]/x.csv"], "out/x.csv")]
    assert plan("spark.csv", "out.csv") == [(["spark.csv/part-0.csv"], "out.csv")]


def test_what_programs_leave_beside_tables_is_left_out_quietly(put, caplog):
    markers = [
        "_SUCCESS",
        "_committed_12",
        "a.csv.crc",
        "~$a.xlsx",
        "_temporary/0/a.csv",
        "_metadata",
        "Thumbs.db",
    ]
    put("in/a.csv", *(f"in/{name}" for name in markers))
    caplog.set_level("INFO")
    for pattern in ("in", "in/**"):
        caplog.clear()
        assert plan(pattern) == [(["in/a.csv"], "-")]
        (record,) = caplog.records
        named = "Thumbs.db, _SUCCESS, _committed_12, _metadata and 3 more"
        assert (record.levelname, record.getMessage()) == ("INFO", f"{pattern}: 7 files left out: {named}")


def test_files_of_no_known_format_are_named(put, caplog):
    put("in/a.csv", "in/notes.pdf", "in/_SUCCESS", "in/x.dat", "in/page.html")
    put("in/sub/b.csv")
    assert plan("in/*") == [(["in/a.csv"], "-")]
    assert caplog.messages == ["in/*: 5 files left out: notes.pdf, page.html, sub, x.dat and 1 more"]
    (Path("in/sub/b.csv")).unlink()
    caplog.clear()
    put("in/readme.txt")
    assert plan("in") == [(["in/a.csv"], "-")]  # a text beside tables is no table
    assert caplog.messages == ["in: 5 files left out: notes.pdf, page.html, readme.txt, x.dat and 1 more"]
    assert plan("in/*") == [(["in/a.csv", "in/readme.txt"], "-")]


def test_json_without_usual_texts_is_left_out_beside_messages(put, caplog):
    put("in/a/1.json", "in/b/2.json", data=b'[{"user": "x", "text": "good thing"}]')
    put("in/a/3.json", data=b"[]")
    put("in/users.json", data=b'[{"name": "x", "profile": {"title": "head of all things"}}]')
    put("in/b/3.json", data=b'{"a": {"body": "good thing"}, "b": {"body": "bad thing"}}')
    assert plan("in")[0][0][-1] == "in/b/3.json"  # the run says how to read it
    Path("in/b/3.json").unlink()
    caplog.clear()
    assert plan("in") == [(["in/a/1.json", "in/a/3.json", "in/b/2.json"], "-")]
    assert caplog.messages == ["in: 1 file left out: users.json"]
    everything = ["in/a/1.json", "in/a/3.json", "in/b/2.json", "in/users.json"]
    for read in (ReadOptions("json"), ReadOptions(text_column="name")):
        assert plan_outputs(["in"], Target("-"), read)[0][0][0] == everything
    Path("in/a/1.json").unlink()
    Path("in/b/2.json").unlink()
    assert plan("in") == [(["in/a/3.json"], "-")]


def test_files_of_refused_formats_are_not_passed_over(put):
    put("in/a.csv", "in/b.sqlite", "in/c.xls")
    assert plan("in") == [(["in/a.csv", "in/b.sqlite", "in/c.xls"], "-")]


def test_with_a_format_only_markers_are_left_out(put):
    put("in/a", "in/b.dat", "in/_SUCCESS")
    assert plan("in", form="csv") == [(["in/a", "in/b.dat"], "-")]
    assert plan("in/*", form="csv") == [(["in/a", "in/b.dat"], "-")]


def test_where_nothing_is_known_the_format_is_asked_for(put):
    put("in/a.dat", "in/b.dat", "other/_SUCCESS", "other/x.crc")
    assert plan("in") == plan("in/*") == [(["in/a.dat", "in/b.dat"], "-")]
    assert plan("other/*") == [(["other/_SUCCESS", "other/x.crc"], "-")]


def test_markers_that_a_shell_has_named_are_left_out_beside_others(put, caplog):
    caplog.set_level("INFO")
    put("in/_SUCCESS", "in/a.csv", "in/a.csv.crc", "_x/_b.csv")
    assert plan(["in/_SUCCESS", "in/a.csv", "in/a.csv.crc", "_x/_b.csv"]) == [
        (["in/a.csv", "_x/_b.csv"], "-")
    ]
    assert caplog.messages == ["2 files left out: in/_SUCCESS, in/a.csv.crc"]
    assert plan(["in/_SUCCESS"]) == [(["in/_SUCCESS"], "-")]


def test_outputs_inside_of_the_folder_are_no_inputs(put):
    put("a.csv", "out/a.csv", "out/deep/b.csv", "outer/c.csv")
    for name in (".", os.curdir + "/", str(Path.cwd())):
        assert [target for _, target in plan(name, "out/")] == ["out/a.csv", "out/outer/c.csv"]
    with pytest.raises(OutputError, match=r"out/a\.csv is the input out/a\.csv"):
        plan("out", "out/")
    assert plan("out/deep", "out/") == [(["out/deep/b.csv"], "out/b.csv")]


def test_an_empty_folder_fails_alone(put, tmp_path):
    (tmp_path / "empty").mkdir()
    put("in/a.csv")
    assert plan(["empty", "in"]) == [(["empty", "in/a.csv"], "-")]


def test_a_folder_in_it_that_cannot_be_read_is_an_error(put, monkeypatch):
    put("in/a.csv", "in/sub/b.csv")
    deny(monkeypatch, "sub")
    with pytest.raises(DataError, match=r"^in/sub/?: Permission denied"):
        plan("in")


@pytest.mark.parametrize("name", ["in", "in/"])
def test_small_texts_are_asked_for(put, name, flag_names):
    put("in/1.txt", "in/deep/2.txt", "in/logo.png", data=b"x" * 100)
    message = (
        f"{name}: is each of its 2 small text files one text, or each line of them? Add --documents, or --inp"
    )
    with pytest.raises(UsageError, match=message.replace("?", r"\?")):
        plan(name)
    everything = ["in/1.txt", "in/deep/2.txt", "in/logo.png"]
    for form in ("lines", "documents"):
        assert plan(name, form=form) == [(everything, "-")]
    with pytest.raises(UsageError, match=r"one table of all files; give -o out\.csv$"):
        plan(name, "out/", form="documents")
    put("in/3.txt", data=b"x" * 100_000)
    assert len(plan(name)[0][0]) == 3


def test_many_small_texts_that_are_not_a_folder_are_lines_with_a_hint(put, caplog):
    names = [f"in/{number}.txt" for number in range(10)]
    put(*names, data=b"x")
    for inputs in ("in/*.txt", names):
        caplog.clear()
        assert plan(inputs) == [(names, "-")]
        assert caplog.messages == [
            "10 small text files: each line is a text; if each file is one, add --documents"
        ]
    caplog.clear()
    plan(names[1:])
    plan(names, form="lines")
    put("in/9.txt", data=b"x" * 200_000)
    plan([*names, "none.txt"])
    assert caplog.text == ""


def test_one_small_text_is_lines(put):
    put("in/1.txt", data=b"x")
    assert plan("in") == [(["in/1.txt"], "-")]


def test_a_folder_at_a_url_is_listed(monkeypatch, caplog):
    listed = {f"s3://b/in/{name}": 1 for name in ("z.csv", "x/y.csv", "_SUCCESS", ".a.csv.sentcli-done")}
    monkeypatch.setattr(remote, "list_folder", lambda url: listed if url == "s3://b/in/" else {})
    files = ["s3://b/in/x/y.csv", "s3://b/in/z.csv"]
    assert plan("s3://b/in/", "-") == [(files, "-")]
    assert plan("s3://b/in/", "s3://b/in/x/") == [(["s3://b/in/z.csv"], "s3://b/in/x/z.csv")]
    assert caplog.text == ""
    listed.update({"s3://b/in/a.txt": 1, "s3://b/in/b.txt": 1})
    del listed["s3://b/in/z.csv"], listed["s3://b/in/x/y.csv"]
    assert len(plan("s3://b/in/")[0][0]) == 2


LAKES = {
    "delta": (["t/_delta_log/00.json"], "t/day=1/a.parquet", "delta_scan($$t$$)", "Delta"),
    "iceberg": (
        ["t/metadata/v9.metadata.json", "t/metadata/v10.metadata.json"],
        "t/data/a.orc",
        "iceberg_scan($$t/metadata/v10.metadata.json$$)",
        "Iceberg",
    ),
}


@pytest.mark.parametrize(("log", "stored", "scan", "kind"), LAKES.values(), ids=LAKES)
def test_a_table_with_a_log_is_refused_with_the_command_that_reads_it(
    put, monkeypatch, log, stored, scan, kind
):
    put(*log, stored, "t/it's/a.parquet", "other/a.parquet")
    for name in ("t", "t/**/*.parquet", stored, f"{stored[0]}*/**/*.parquet"):
        with pytest.raises(UsageError) as error:
            plan([name, "other/a.parquet"], "out/")
        said, _, command = str(error.value).partition("; try: ")
        assert said == f"t is a table of {kind}: only its log shows which files are current"
        program, option, query, *then = shlex.split(command)
        assert (program, option, query) == ("duckdb", "-c", f"COPY (FROM {scan}) TO $$OUT.parquet$$")
        assert then == ["&&", "sentcli", "score", "OUT.parquet", "-o", "SCORED.parquet"]
    monkeypatch.chdir(Path(stored).parent)
    with pytest.raises(UsageError, match=f"is a table of {kind}"):
        plan(Path(stored).name)
    monkeypatch.undo()


def test_other_files_beside_such_a_log_are_inputs(put):
    put("t/_delta_log/00.json", "t/a.csv", "t/metadata.json")
    assert plan("t/a.csv") == [(["t/a.csv"], "-")]
    put("u/metadata/readme.json", "u/a.parquet")
    assert plan("u/*.parquet") == [(["u/a.parquet"], "-")]


def test_a_table_with_a_log_at_a_url_is_refused(monkeypatch):
    found = {
        "s3://b/t/*.parquet": ["s3://b/t/a.parquet"],
        "s3://b/t/_delta_log/*.json": ["s3://b/t/_delta_log/0"],
    }
    monkeypatch.setattr(remote, "expand", lambda pattern: found[pattern])
    with pytest.raises(UsageError, match="s3://b/t is a table of Delta"):
        plan("s3://b/t/*.parquet")

    def fail(pattern):
        if pattern in found:
            return found[pattern]
        raise DataError("no listing")

    del found["s3://b/t/_delta_log/*.json"]
    monkeypatch.setattr(remote, "expand", fail)
    assert plan("s3://b/t/*.parquet") == [(["s3://b/t/a.parquet"], "-")]
