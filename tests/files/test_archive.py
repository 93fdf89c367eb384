"""Zip archives: each table in one is an input of its own, and no name in one leads out of a folder."""

import gzip
import json
import os
import warnings
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from jobs import ParityScorer
from jobs import score_files as score_with

from sentcli.errors import DataError
from sentcli.files.sink import Target
from sentcli.files.source import Source, inspect_input
from sentcli.runs.plan import plan_outputs
from sentcli.tables.options import ReadOptions

CSV = b"id,text\n1,x\n2,xx\n"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pack(name, members, **options):
    with zipfile.ZipFile(name, "w", zipfile.ZIP_DEFLATED, **options) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of two files of one name
        for member, data in members:
            archive.writestr(member, data)


def score_files(names, output, **options):
    return score_with(ParityScorer(), names, str(output), **options)


def plan(name, output="-"):
    pairs, _ = plan_outputs([name], Target(output), ReadOptions())
    return [(files, target.name) for files, target in pairs]


def test_each_table_is_an_input(here, caplog):
    others = ["README.txt", "__MACOSX/._a.csv", "d/.b.csv", "d/b.png"]
    pack("two.zip", [("d/b.csv", CSV), ("d/", b""), ("a.csv", CSV), *((name, b"text") for name in others)])
    assert plan("two.zip") == [(["two.zip/a.csv", "two.zip/d/b.csv"], "-")]
    assert "two.zip: 4 files left out: README.txt" in caplog.text
    assert score_files(["two.zip"], here / "out.csv").rows == 4
    assert (here / "out.csv").read_bytes().count(b"id,") == 1
    score_files(["two.zip"], f"{here}/out/")
    assert sorted(str(path.relative_to(here / "out")) for path in (here / "out").rglob("[a-z]*.csv")) == [
        "a.csv",
        "d/b.csv",
    ]


def test_archives_among_other_files_keep_their_names(here):
    (here / "in").mkdir()
    pack("in/1.ZIP", [("a.csv", CSV)])
    pack("in/2.zip", [("a.csv", CSV)])
    expected = [(["in/1.ZIP/a.csv"], "out/1.ZIP/a.csv"), (["in/2.zip/a.csv"], "out/2.zip/a.csv")]
    assert plan("in", "out/") == plan("in/*", "out/") == expected


def test_a_file_in_an_archive_can_be_named(here):
    pack("two.zip", [("a.csv", CSV), ("b.csv.gz", gzip.compress(CSV))])
    for name in ("two.zip/a.csv", "two.zip/b.csv.gz"):
        score_files([name], here / "out.csv", overwrite=True)
        assert (here / "out.csv").read_bytes().splitlines()[2] == b"2,xx,even,0.285714"
    with pytest.raises(DataError, match=r"two\.zip: cannot be read: There is no item named 'c\.csv'"):
        score_files(["two.zip/c.csv"], here / "out2.csv")
    (here / "x.zip").mkdir()
    (here / "x.zip" / "a.csv").write_bytes(CSV)
    assert score_files(["x.zip/a.csv"], here / "out3.csv").rows == 2  # a folder of such a name


def test_a_table_that_is_not_read_in_order_is_copied_first(here):
    pq.write_table(pa.table({"text": ["x", "xx"]}), here / "x.parquet")
    pack("one.zip", [("x.parquet", (here / "x.parquet").read_bytes())])
    with Source(inspect_input("one.zip/x.parquet")) as source:
        copy = source.seekable()
        assert copy.read() == (here / "x.parquet").read_bytes()
    assert copy.closed
    score_files(["one.zip"], here / "out.parquet")
    assert pq.read_table(here / "out.parquet")["text"].to_pylist() == ["x", "xx"]


def test_a_new_archive_with_the_same_file_leaves_its_output_finished(here):
    pack("two.zip", [("a.csv", CSV)])
    score_files(["two.zip"], f"{here}/out/")
    pack("two.zip", [("a.csv", CSV), ("b.csv", CSV)], compresslevel=1)
    assert score_files(["two.zip"], f"{here}/out/").skipped == 1
    pack("two.zip", [("a.csv", CSV.replace(b"xx", b"yy"))])
    assert score_files(["two.zip"], f"{here}/out/").failed == 1


@pytest.mark.parametrize("name", ["d/../../evil.csv", "d/../../../evil.csv"])
def test_no_name_leads_out_of_the_output_folder(here, name, caplog):
    pack("evil.zip", [(name, CSV), ("a.csv", CSV)])
    summary = score_files(["evil.zip"], f"{here}/out/")
    assert (summary.failed, summary.rows) == (1, 2)
    assert f"evil.zip/{name}: the output folder cannot hold such a name" in caplog.text
    assert not [*here.rglob("evil.csv")]
    pack("evil.zip", [(name, CSV)])
    assert score_files(["evil.zip"], here / "out.csv").rows == 2


def encrypted(data):
    """Return an archive whose files are marked as encrypted."""
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = data.index(mark) + place
        data = data[:start] + bytes([data[start] | 1]) + data[start + 1 :]
    return data


@pytest.mark.parametrize(
    ("members", "change", "message"),
    [
        ([], None, "it has no files"),
        ([("a.csv", CSV), ("a.csv", CSV)], None, "two of its files have one name"),
        ([("a.csv", CSV), ("d/..//./a.csv", CSV)], None, "two of its files have one name"),
        ([("a.csv", CSV)], encrypted, "'a.csv' is encrypted, .*; try: unzip 'my a.zip'"),
        ([("a.csv", CSV)], lambda data: data[:-9], "cannot be read: File is not a zip file"),
        (
            [("a.csv", CSV)],
            lambda data: data.replace(b"a.csv", b"b.csv", 1),
            "File name in directory",
        ),
    ],
)
def test_an_archive_that_cannot_be_read(here, members, change, message):
    pack("my a.zip", members)
    if change:
        (here / "my a.zip").write_bytes(change((here / "my a.zip").read_bytes()))
    with pytest.raises(DataError, match=rf"my a\.zip: .*{message}"):
        score_files(["my a.zip"], here / "out.csv")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_an_archive_without_permission(here):
    pack("a.zip", [("a.csv", CSV)])
    (here / "a.zip").chmod(0)
    with pytest.raises(DataError, match=r"a\.zip: cannot be read: Permission denied"):
        score_files(["a.zip"], here / "out.csv")


def test_damage_is_found_at_the_latest_at_the_end(here):
    with zipfile.ZipFile("a.zip", "w") as archive:
        archive.writestr("a.csv", CSV)
    (here / "a.zip").write_bytes((here / "a.zip").read_bytes().replace(b"1,x", b"1,y"))
    with pytest.raises(DataError, match=r"a\.zip/a\.csv: cannot be read: Bad CRC-32"):
        score_files(["a.zip"], here / "out.csv")
    assert not (here / "out.csv").exists()


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damage_of_what_is_compressed(here, method):
    with zipfile.ZipFile("a.zip", "w", method) as archive:
        archive.writestr("a.csv", 1000 * CSV)
    data = (here / "a.zip").read_bytes()
    (here / "a.zip").write_bytes(data[:60] + bytes(byte ^ 90 for byte in data[60:80]) + data[80:])
    with pytest.raises(DataError, match=r"^a\.zip/a\.csv: cannot be read: "):
        score_files(["a.zip"], here / "out.csv")


def test_rejects_name_the_file_in_the_archive(here):
    pack("a.zip", [("a.csv", CSV + b"3\n")])
    score_files(["a.zip"], here / "out.csv")
    assert json.loads((here / "out.csv.rejects.jsonl").read_bytes())["input"] == "a.zip/a.csv"
