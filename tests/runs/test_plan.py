import os
from pathlib import Path

import pytest

from sentcli.errors import DataError, OutputError, UsageError
from sentcli.runs.plan import plan_outputs
from sentcli.tables.options import WriteOptions


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.csv", "b.csv", "c.jsonl", "[d].csv"):
        (tmp_path / name).touch()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.csv").touch()
    return tmp_path


def test_all_inputs_go_to_one_file(folder):
    assert plan_outputs(["b.csv", "a.csv"], "out.csv") == [(["b.csv", "a.csv"], "out.csv")]
    assert plan_outputs(["-"], "-") == [(["-"], "-")]


@pytest.mark.parametrize(
    ("inputs", "output", "is_told"),
    [
        (["a.csv", "b.csv"], "scored", True),
        (["?.csv"], "new.d/scored", True),
        (["a.csv", "b.csv"], "scored.csv", False),
        (["a.csv", "b.csv"], "scored/", False),
        (["a.csv", "b.csv"], "sub", False),
        (["a.csv", "b.csv"], "-", False),
        (["a.csv", "b.csv"], "/dev/null", False),
        (["a.csv", "b.csv"], "s3://bucket/scored", False),
        (["a.csv"], "scored", False),
    ],
)
def test_a_folder_without_its_slash_is_told(folder, caplog, inputs, output, is_told):
    plan_outputs(inputs, output)
    told = f"{output}: one file for all inputs; for one file each, give {output}/"
    assert caplog.messages == [told] * is_told


def test_globs_give_their_files_in_order(folder):
    assert plan_outputs(["[ab].csv"], "-") == [(["a.csv", "b.csv"], "-")]
    assert plan_outputs(["**/a.csv", "c.jsonl"], "-") == [(["a.csv", "sub/a.csv", "c.jsonl"], "-")]
    assert plan_outputs([f"{folder}/?.csv"], "-") == [([f"{folder}/a.csv", f"{folder}/b.csv"], "-")]
    assert plan_outputs(["[d].csv"], "-") == [(["[d].csv"], "-")]
    with pytest.raises(DataError, match=r"\*\.txt: no such files"):
        plan_outputs(["*.txt"], "-")


def test_a_glob_gives_no_file_twice(folder):
    (folder / "sub" / "deep").mkdir()
    (folder / "sub" / "deep" / "e.csv").touch()
    assert plan_outputs(["sub/**/**/e.csv"], "-") == [(["sub/deep/e.csv"], "-")]


@pytest.mark.parametrize("pattern", ["**/*.csv", "s*/*.csv", "./**/a.csv", "*/a.csv", "s?b/**/*.csv"])
def test_a_folder_that_cannot_be_looked_into_is_not_left_out(folder, monkeypatch, pattern):
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "sub" and access(path, mode))
    with pytest.raises(DataError, match=r"^(\./)?sub/?: Permission denied; nothing in it can be scored$"):
        plan_outputs([pattern], "-")
    assert plan_outputs(["*.csv"], "-") == [(["[d].csv", "a.csv", "b.csv"], "-")]


@pytest.mark.parametrize("output", ["sub", "sub/", "new/deep/"])
def test_a_folder_gets_a_file_for_each(folder, output):
    base = output.rstrip("/")
    assert plan_outputs(["a.csv", "c.jsonl"], output) == [
        (["a.csv"], f"{base}/a.csv"),
        (["c.jsonl"], f"{base}/c.jsonl"),
    ]
    assert (folder / base).is_dir()


@pytest.mark.parametrize(
    ("name", "form", "expected"),
    [
        ("a.csv", "jsonl", "a.jsonl"),
        ("a.csv.gz", "jsonl", "a.jsonl.gz"),
        ("a.ndjson", "jsonl", "a.ndjson"),
        ("a.csv.bz2", None, "a.csv"),
        ("a.b.CSV.zst", "csv", "a.b.CSV.zst"),
        ("https://host/dir/a.csv?x=1/2", None, "a.csv"),
        ("noname", "csv", "noname.csv"),
        ("reviews_v1.0", "csv", "reviews_v1.0.csv"),
        ("reviews_v1.0.gz", "parquet", "reviews_v1.0.parquet"),
        ("a.csv.gz", "parquet", "a.parquet"),
    ],
)
def test_names_in_a_folder(folder, name, form, expected):
    assert plan_outputs([name], "sub", WriteOptions(format=form)) == [([name], f"sub/{expected}")]


@pytest.mark.parametrize(
    ("inputs", "output", "error", "message"),
    [
        ([], "-", UsageError, "no input"),
        (["a.csv"], "", UsageError, "-o is empty"),
        (["a.csv", "sub/a.csv"], "sub/", UsageError, "sub/a.csv would be written 2 times in this run"),
        (
            ["a.jsonl", "a.jsonl.rejects.jsonl"],
            "sub/",
            UsageError,
            "a.jsonl.rejects.jsonl would be written 2 times",
        ),
        (["-"], "sub/", UsageError, "standard input has no name"),
        (["a.csv"], "b.csv/", OutputError, "b.csv/: File exists"),
    ],
)
def test_what_cannot_be_planned(folder, inputs, output, error, message):
    with pytest.raises(error, match=message):
        plan_outputs(inputs, output)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("ds/**/*.csv", {"day=1/a.csv", "day=2/a.csv", "day=2/deep/a.csv"}),
        ("ds//**//*.csv", {"day=1/a.csv", "day=2/a.csv", "day=2/deep/a.csv"}),
        ("ds/day=*/a.csv", {"day=1/a.csv", "day=2/a.csv"}),
        ("ds/day=[2]/**/a.csv", {"day=2/a.csv", "day=2/deep/a.csv"}),
        ("ds/day=2/*.csv", {"a.csv"}),
        ("*/day=2/a.csv", {"ds/day=2/a.csv"}),
        ("ds/*/../day=1/a.*", None),
        ("ds/*/../../[ab].csv", None),
    ],
)
def test_in_a_folder_what_a_glob_finds_keeps_the_folders_below_its_first_wildcard(folder, pattern, expected):
    for name in ("day=1/a.csv", "day=2/a.csv", "day=2/deep/a.csv"):
        (folder / "ds" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "ds" / name).touch()
    for prefix in ("", f"{folder}/"):
        if expected is None:  # up again: it could lead out of the folder
            with pytest.raises(UsageError, match=r"would be written 2 times in this run"):
                plan_outputs([prefix + pattern], "out/")
            continue
        planned = plan_outputs([prefix + pattern], "out/")
        assert {output for _, output in planned} == {f"out/{name}" for name in expected}
        assert all(source.endswith(output.removeprefix("out/")) for (source,), output in planned)
    assert all((folder / "out" / name).parent.is_dir() for name in expected or ())


def test_outputs_of_an_earlier_run_that_a_glob_finds_too_are_refused(folder):
    for name in ("days/a.csv", "scored/days/a.csv"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    for output in ("scored/", f"{folder}/scored/"):
        with pytest.raises(
            UsageError,
            match=r"scored/days/a\.csv is an input, and also the output of days/a\.csv; narrow the glob",
        ):
            plan_outputs(["**/*.csv"], output)
    assert not (folder / "scored" / "scored").exists()
    assert plan_outputs(["days/*.csv"], "scored/") == [(["days/a.csv"], "scored/a.csv")]
    jsonl = plan_outputs(["scored/days/*.csv", "b.csv"], "scored/days", WriteOptions(format="jsonl"))
    assert [output for _, output in jsonl] == ["scored/days/a.jsonl", "scored/days/b.jsonl"]


def test_two_outputs_that_are_one_file_through_links_are_refused(folder):
    (folder / "out").mkdir()
    for name in ("a.csv", "b.jsonl"):
        (folder / "out" / name).symlink_to(folder / "store")
    with pytest.raises(UsageError, match="store would be written 2 times in this run"):
        plan_outputs(["a.csv", "b.jsonl"], "out/")
    for day in (1, 2):
        (folder / "ds" / str(day)).mkdir(parents=True)
        (folder / "ds" / str(day) / "a.csv").touch()
    (folder / "days" / "1").mkdir(parents=True)
    (folder / "days" / "2").symlink_to("1")
    with pytest.raises(UsageError, match=r"days/1/a\.csv would be written 2 times in this run"):
        plan_outputs(["ds/*/a.csv"], "days/")


def test_a_file_that_is_called_as_standard_input_is_is_not_taken_for_it(folder):
    (folder / "deep").mkdir()
    (folder / "deep" / "-").touch()
    assert plan_outputs(["deep/*"], "out.csv") == [(["deep/-"], "out.csv")]
    (folder / "-").touch()
    assert plan_outputs(["[-]"], "out.csv") == [(["./-"], "out.csv")]


def test_a_folder_called_as_standard_output_is_is_not_taken_for_it(folder):
    (folder / "-").mkdir()
    assert plan_outputs(["a.csv"], "-") == [(["a.csv"], "-")]
    assert plan_outputs(["a.csv"], "./-") == [(["a.csv"], "-/a.csv")]


def test_a_file_has_one_name_with_its_protocol_and_without(folder):
    assert plan_outputs([f"file://{folder}/[ab].csv"], "-") == [([f"{folder}/a.csv", f"{folder}/b.csv"], "-")]


def test_a_folder_behind_a_url_is_refused(folder):
    with pytest.raises(UsageError, match="s3://bucket/scored/: a URL cannot be a folder"):
        plan_outputs(["a.csv", "b.csv"], "s3://bucket/scored/")
