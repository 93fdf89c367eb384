import errno
import os
import re
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentcli.errors import DataError, OutputError, SentcliError, UsageError
from sentcli.files import remote
from sentcli.files.sink import Target
from sentcli.runs.plan import plan_outputs
from sentcli.tables.options import ReadOptions


def plan(inputs, output, form=None):
    pairs, _ = plan_outputs(inputs, Target(output), ReadOptions(), form)
    return [(files, target.name) for files, target in pairs]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.csv", "b.csv", "c.jsonl", "[d].csv"):
        (tmp_path / name).touch()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.csv").touch()
    return tmp_path


def test_all_inputs_go_to_one_file(folder):
    assert plan(["b.csv", "a.csv"], "out.csv") == [(["b.csv", "a.csv"], "out.csv")]
    assert plan(["-"], "-") == [(["-"], "-")]


@pytest.mark.parametrize(
    ("inputs", "output", "is_logged"),
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
def test_one_file_for_several_inputs_is_logged_where_a_folder_may_be_meant(
    folder, caplog, inputs, output, is_logged
):
    plan(inputs, output)
    message = f"{output}: one file for all inputs; for one file each, give -o {output}/"
    assert caplog.messages == [message] * is_logged


def test_globs_return_their_files_in_order_and_once(folder):
    assert plan(["[ab].csv"], "-") == [(["a.csv", "b.csv"], "-")]
    assert plan(["**/a.csv", "c.jsonl"], "-") == [(["a.csv", "sub/a.csv", "c.jsonl"], "-")]
    assert plan([f"{folder}/?.csv"], "-") == [([f"{folder}/a.csv", f"{folder}/b.csv"], "-")]
    assert plan(["[d].csv"], "-") == [(["[d].csv"], "-")]
    assert plan([f"file://{folder}/[ab].csv"], "-") == [([f"{folder}/a.csv", f"{folder}/b.csv"], "-")]
    (folder / "sub" / "deep").mkdir()
    (folder / "sub" / "deep" / "e.csv").touch()
    assert plan(["sub/**/**/e.csv"], "-") == [(["sub/deep/e.csv"], "-")]  # once
    with pytest.raises(DataError, match=r"\*\.txt: no such files"):
        plan(["*.txt"], "-")


def deny(monkeypatch, name):
    """Let the folders of a name be unreadable, as root cannot make any."""
    listdir = os.listdir

    def list_names(path):
        if Path(path).name == name:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return listdir(path)

    monkeypatch.setattr(os, "listdir", list_names)


@pytest.mark.parametrize("pattern", ["**/*.csv", "s*/*.csv", "./**/a.csv", "*/a.csv", "s?b/**/*.csv"])
def test_a_folder_that_cannot_be_read_is_an_error_of_the_glob(folder, monkeypatch, pattern):
    deny(monkeypatch, "sub")
    with pytest.raises(DataError, match=r"^(\./)?sub/?: Permission denied; nothing in it can be scored$"):
        plan([pattern], "-")
    assert plan(["*.csv"], "-") == [(["[d].csv", "a.csv", "b.csv"], "-")]


@pytest.mark.parametrize("output", ["sub", "sub/", "new/deep/"])
def test_a_folder_gets_a_file_for_each(folder, output):
    base = output.rstrip("/")
    assert plan(["a.csv", "c.jsonl"], output) == [
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
        ("a.b.CSV.zst", "csv", "a.b.CSV.zst"),
        ("https://host/dir/a.csv?x=1/2", None, "a.csv"),
        ("noname", "csv", "noname.csv"),
        ("reviews_v1.0", "csv", "reviews_v1.0.csv"),
        ("reviews_v1.0.gz", "parquet", "reviews_v1.0.parquet"),
        ("a.csv.gz", "parquet", "a.parquet"),
        ("a.csv.gz", "xlsx", "a.xlsx"),
        ("a.csv.gz", "json", "a.json.gz"),
    ],
)
def test_names_in_a_folder(folder, name, form, expected):
    assert plan([name], "sub", form) == [([name], f"sub/{expected}")]


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
        (["a.csv", "sub/a.csv"], "s3://b/sub/", UsageError, "s3://b/sub/a.csv would be written 2 times"),
        (["a.csv", "s3://b/o/a.csv"], "s3://b/o/", UsageError, "s3://b/o/a.csv would be written 2 times"),
    ],
)
def test_outputs_that_cannot_be_planned_are_refused(folder, inputs, output, error, message):
    with pytest.raises(error, match=message):
        plan(inputs, output)


def test_a_folder_at_a_url_is_not_created(folder):
    assert plan(["a.csv", "s3://b/in/c.jsonl"], "s3://b/out/") == [
        (["a.csv"], "s3://b/out/a.csv"),
        (["s3://b/in/c.jsonl"], "s3://b/out/c.jsonl"),
    ]
    assert not (folder / "s3:").exists()
    assert plan(["**/?.csv"], "s3://b/out/")[-1] == (["sub/a.csv"], "s3://b/out/sub/a.csv")


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
def test_outputs_in_a_folder_keep_the_folders_below_the_first_wildcard(folder, pattern, expected, caplog):
    for name in ("day=1/a.csv", "day=2/a.csv", "day=2/deep/a.csv"):
        (folder / "ds" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "ds" / name).touch()
    for prefix in ("", f"{folder}/"):
        if expected is None:  # `..` could lead out of the folder
            assert plan([prefix + pattern], "out/") == []
            assert re.search(r"ds/.*\.csv: the output folder cannot hold such a name", caplog.messages[-1])
            continue
        planned = plan([prefix + pattern], "out/")
        assert {output for _, output in planned} == {f"out/{name}" for name in expected}
        assert all(source.endswith(output.removeprefix("out/")) for (source,), output in planned)
    assert all((folder / "out" / name).parent.is_dir() for name in expected or ())


def test_a_glob_that_finds_outputs_of_an_earlier_run_is_refused(folder):
    for name in ("days/a.csv", "scored/days/a.csv"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    for output in ("scored/", f"{folder}/scored/"):
        with pytest.raises(OutputError, match=r"scored/days/a\.csv is the input scored/days/a\.csv; give"):
            plan(["**/*.csv"], output)
    assert not (folder / "scored" / "scored").exists()
    assert plan(["days/*.csv"], "scored/") == [(["days/a.csv"], "scored/a.csv")]
    jsonl = plan(["scored/days/*.csv", "b.csv"], "scored/days", "jsonl")
    assert [output for _, output in jsonl] == ["scored/days/a.jsonl", "scored/days/b.jsonl"]


def test_two_outputs_that_links_make_one_file_are_refused(folder):
    (folder / "out").mkdir()
    for name in ("a.csv", "b.jsonl"):
        (folder / "out" / name).symlink_to(folder / "store")
    with pytest.raises(UsageError, match="store would be written 2 times in this run"):
        plan(["a.csv", "b.jsonl"], "out/")
    for day in (1, 2):
        (folder / "ds" / str(day)).mkdir(parents=True)
        (folder / "ds" / str(day) / "a.csv").touch()
    (folder / "days" / "1").mkdir(parents=True)
    (folder / "days" / "2").symlink_to("1")
    with pytest.raises(UsageError, match=r"days/1/a\.csv would be written 2 times in this run"):
        plan(["ds/*/a.csv"], "days/")


def test_files_and_folders_named_like_standard_streams_are_files_and_folders(folder):
    (folder / "deep").mkdir()
    (folder / "deep" / "-").touch()
    assert plan(["deep/*"], "out.csv") == [(["deep/-"], "out.csv")]
    (folder / "-").mkdir()
    assert plan(["a.csv"], "-") == [(["a.csv"], "-")]
    assert plan(["a.csv"], "./-") == [(["a.csv"], "-/a.csv")]
    (folder / "-").rmdir()
    (folder / "-").touch()
    assert plan(["[-]"], "out.csv") == [(["./-"], "out.csv")]


_PARTS = ("", ".", "..", "...", "a.csv", "b", "~", "*", "\\", "%2f", "\0", "\n", "\u202e", "a" * 300)
_HOSTILE = st.lists(st.sampled_from(_PARTS) | st.text("./\\a\0#?", max_size=6), max_size=5).map("/".join)


@given(keys=st.lists(_HOSTILE, min_size=1, max_size=3, unique=True))
def test_no_key_of_a_bucket_leads_out_of_the_output_folder(keys):
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        files = [f"s3://bucket/in/{key}" for key in keys]
        patch.setattr(remote, "expand", lambda pattern: files)
        output = Path(folder, "deep", "out")
        with suppress(SentcliError):
            pairs = plan(["s3://bucket/in/**/*"], f"{output}/")
            assert {file for (file,), _ in pairs} <= {*files}
            assert all(output.resolve() in Path(target).resolve().parents for _, target in pairs)
        assert {path.name for path in Path(folder).iterdir()} <= {"deep"}
        assert {path.name for path in Path(folder, "deep").glob("*")} <= {"out"}


def test_a_key_that_is_absolute_below_the_wildcard_is_refused_by_name(tmp_path, monkeypatch, caplog):
    key = f"s3://bucket/in/{tmp_path}/new/evil.csv"
    monkeypatch.setattr(remote, "expand", lambda pattern: [key])
    assert plan(["s3://bucket/in/**/*.csv"], f"{tmp_path}/out/") == []
    assert f"{key}: the output folder cannot hold such a name" in caplog.text
    assert not [*tmp_path.glob("*/*")]
