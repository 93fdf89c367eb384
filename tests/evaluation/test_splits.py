import bz2
import errno
import gzip
import json
import lzma
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import datasets
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_sets import ROWS, csv_of, jsonl_of, parquet_of, write, write_hub_layout

import sentcli
from sentcli.errors import DataError, UsageError
from sentcli.evaluation.splits import PLAIN_CSV, CsvFormat, open_splits

pytestmark = pytest.mark.usefixtures("cache")


def rows_of(data: datasets.Dataset) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in data]


def read(spec: str, csv: CsvFormat = PLAIN_CSV) -> list[tuple[Any, ...]]:
    with open_splits(spec, csv) as splits:
        return rows_of(splits["train"])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("r.csv", csv_of(ROWS)),
        ("r.tsv", csv_of(ROWS, "\t")),
        ("r.jsonl", jsonl_of(ROWS)),
        ("r[1]*.csv", csv_of(ROWS)),
        ("R.CSV", csv_of(ROWS)),
        ("r.tab", csv_of(ROWS, "\t")),
        ("bom.csv", "\ufeff" + csv_of(ROWS)),
    ],
)
def test_a_file_is_one_split(tmp_path: Path, name: str, content: str) -> None:
    with open_splits(write(tmp_path / name, content)) as splits:
        assert [*splits] == ["train"]
        assert rows_of(splits["train"]) == ROWS


COMPRESS = {
    ".gz": gzip.compress,
    ".zst": partial(pa.Codec("zstd").compress, asbytes=True),
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
}


@pytest.mark.parametrize("compression", COMPRESS)
@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_a_compressed_file(tmp_path: Path, suffix: str, compression: str) -> None:
    content = {
        ".csv": csv_of(ROWS).encode(),
        ".tsv": csv_of(ROWS, "\t").encode(),
        ".jsonl": jsonl_of(ROWS).encode(),
        ".parquet": parquet_of(ROWS),
    }
    path = tmp_path / f"r{suffix}{compression}"
    path.write_bytes(COMPRESS[compression](content[suffix]))
    assert read(str(path)) == ROWS


@pytest.mark.parametrize("compression", COMPRESS)
def test_a_compressed_file_that_is_torn(tmp_path: Path, compression: str) -> None:
    path = tmp_path / f"r.csv{compression}"
    path.write_bytes(COMPRESS[compression](csv_of(ROWS * 50).encode())[:-9])
    with pytest.raises(DataError, match=f"r.csv{compression} cannot be read as a data set: ") as caught:
        read(str(path))
    assert "\n" not in str(caught.value)


def test_csv_files_may_be_written_otherwise(tmp_path: Path) -> None:
    content = 'text;label\n"Très, très bon; vraiment";gut\nZäh;schlecht\n'
    csv = CsvFormat(";", "cp1252")
    expected = [("Très, très bon; vraiment", "gut"), ("Zäh", "schlecht")]
    for folder, named in (("file", "reviews.csv"), ("folder", "train.csv")):
        path = tmp_path / folder / named
        path.parent.mkdir()
        path.write_bytes(content.encode("cp1252"))
        assert read(str(path if folder == "file" else path.parent), csv) == expected
    tabs = write(tmp_path / "reviews.csv", content.replace(";", "\t"))
    assert read(tabs, CsvFormat("\\t"))[1] == expected[1]
    pipes = write(tmp_path / "reviews.tsv", content.replace(";", "|"))
    assert read(pipes, CsvFormat("|"))[1] == expected[1]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_lines_before_the_header_are_left_out(tmp_path: Path, newline: str) -> None:
    content = newline.join(["Reviews as of today", "", *csv_of(ROWS).splitlines(), ""])
    path = tmp_path / "reviews.csv"
    path.write_bytes(content.encode())
    assert read(str(path), CsvFormat(skip_lines=2)) == ROWS
    with pytest.raises(DataError, match="--skip-lines"):
        read(str(path))
    with pytest.raises(DataError, match="No columns to parse from file"):
        read(str(path), CsvFormat(skip_lines=100))
    with pytest.raises(UsageError, match="--skip-lines is -1"):
        CsvFormat(skip_lines=-1)


def test_what_is_not_csv_has_no_delimiter(tmp_path: Path) -> None:
    lines = write(tmp_path / "reviews.jsonl", '{"text": "fine", "label": "good"}\n')
    assert read(lines, CsvFormat(";", "cp1252", 1)) == [("fine", "good")]


def test_a_csv_file_that_is_written_otherwise_is_told_so(tmp_path: Path) -> None:
    path = tmp_path / "reviews.csv"
    path.write_bytes("text;label\nZäh;schlecht\n".encode("cp1252"))
    with pytest.raises(DataError, match=r"is it another --encoding\?"):
        read(str(path))
    commas = tmp_path / "commas.csv"
    commas.write_text("text;label\nlong, but good;1\n")
    with pytest.raises(DataError, match=r"is it another --delimiter or --quotechar\?"):
        read(str(commas))
    empty = tmp_path / "empty.csv"
    empty.write_text("text,label\n")
    with pytest.raises(DataError, match=r"cannot be read as a data set: no rows$"):
        read(str(empty))
    with pytest.raises(UsageError, match="--delimiter is ';;'"):
        CsvFormat(";;")
    with pytest.raises(UsageError, match="cp12520"):
        CsvFormat(encoding="cp12520")


TORN = {  # what pandas takes for other rows than are meant, and what is said of it
    'text\tlabel\n"good\tpos\nbad\tneg\nquite "nice\tpos\n': r"line 4: ' ' expected after",
    'text,label\n"ends \\"",neg\nplain,pos\n"other",neg\n': "line 4: ',' expected after",
    "label,text\npos,good\nneg\npos,fine\n": "line 3: a record has 1 fields instead of 2",
}


@pytest.mark.parametrize("compression", ["", *COMPRESS])
@pytest.mark.parametrize(("content", "told"), TORN.items())
def test_rows_that_would_be_others_are_refused(
    tmp_path: Path, content: str, told: str, compression: str
) -> None:
    suffix = ".tsv" if "\t" in content else ".csv"
    in_bytes = COMPRESS[compression](content.encode()) if compression else content.encode()
    for name in (f"r{suffix}{compression}", f"data/train{suffix}{compression}"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(in_bytes)
    specs = [f"r{suffix}{compression}", "data"]
    for spec in specs[:1] if compression == ".zst" else specs:  # which is not read in folders
        with pytest.raises(DataError, match=rf"cannot be read as a data set: {told}.* --quotechar"):
            read(str(tmp_path / spec))


@pytest.mark.parametrize("compression", ["", ".gz", ".xz"])
def test_tabs_and_quotes_in_a_folder_are_those_of_its_files(tmp_path: Path, compression: str) -> None:
    content = b'text, en\tlabel\n"good"\tpos\n"bad, really"\tneg\n'
    path = tmp_path / f"train.tsv{compression}"
    path.write_bytes(COMPRESS[compression](content) if compression else content)
    assert read(str(tmp_path)) == [("good", "pos"), ("bad, really", "neg")]


def test_a_folder_may_say_how_its_files_are_written(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_bytes('text;label\n"so; \xe9";pos\n"an \\" it";neg\n'.encode("latin-1"))
    said = {"config_name": "default", "data_files": "data.csv", "sep": ";", "encoding": "latin-1"}
    said |= {"escapechar": "\\"}
    (tmp_path / "README.md").write_text(f"---\nconfigs:\n- {json.dumps(said)}\n---\n")
    assert read(str(tmp_path)) == [("so; \xe9", "pos"), ('an " it', "neg")]
    (tmp_path / "data.csv").write_text("text  label\nfine  pos\n")
    said = {"config_name": "default", "data_files": "data.csv", "sep": " +", "engine": "python"}
    (tmp_path / "README.md").write_text(f"---\nconfigs:\n- {json.dumps(said)}\n---\n")
    assert read(str(tmp_path)) == [("fine", "pos")]


def test_an_archive_in_a_folder_is_opened_by_the_library(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "train.csv.zip", "w") as archive:
        archive.writestr("train.csv", csv_of(ROWS))
    assert read(str(tmp_path)) == ROWS


def test_skipped_lines_are_records_and_a_mark_is_none(tmp_path: Path) -> None:
    path = tmp_path / "reviews.csv"
    path.write_text('"exported\nby us",on,a,day\n\ntext,label\ngood,pos\n')
    assert read(str(path), CsvFormat(skip_lines=2)) == [("good", "pos")]
    path.write_text('"text, en","label"\n"good",pos\n', "utf-8-sig")
    for encoding in (None, "utf-8", "utf-8-sig"):
        assert read(str(path), CsvFormat(encoding=encoding)) == [("good", "pos")]


def test_of_several_files_the_torn_one_is_named(tmp_path: Path) -> None:
    for number, rows in enumerate(["good,pos", "good"]):
        (tmp_path / f"train-{number}.csv").write_text(f"text,label\nbad,neg\n{rows}\n")
    with pytest.raises(DataError, match=r"split train .*: train-1\.csv, line 3: a record has 1 fields"):
        read(str(tmp_path))


def test_quotes_may_be_others_or_mean_nothing(tmp_path: Path) -> None:
    plain = write(tmp_path / "reviews.tsv", 'text\tlabel\n"good\tpos\nbad "\tneg\n')
    assert read(plain, CsvFormat(quotechar="")) == [('"good', "pos"), ('bad "', "neg")]
    content = "x\ntext,label\n'good, really',pos\n\n'it''s bad\n\n\"',neg\n"
    single = write(tmp_path / "reviews.csv", content)
    expected = [("good, really", "pos"), ("it's bad\n\n\"", "neg")]
    assert read(single, CsvFormat(skip_lines=1, quotechar="'")) == expected
    with pytest.raises(UsageError, match="--quotechar is 'ab'"):
        CsvFormat(quotechar="ab")
    for delimiter in (",", "\t"):
        with pytest.raises(UsageError, match="--delimiter and --quotechar are both"):
            CsvFormat(quotechar=delimiter)


def test_a_column_of_a_type_that_data_sets_do_not_have_is_to_be_left_out(tmp_path: Path) -> None:
    of_maps = pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64()))
    pq.write_table(pa.table({"text": ["x"], "label": ["good"], "more": of_maps}), tmp_path / "r.parquet")
    with pytest.raises(DataError, match=r"map<string, int64 .* equivalent\.; leave that column out"):
        read(str(tmp_path / "r.parquet"))


def test_a_field_may_be_long(tmp_path: Path) -> None:
    text = "long " * 100_000
    assert read(write(tmp_path / "reviews.csv", f'text,label\n"{text}",pos\n')) == [(text, "pos")]


def test_values_of_a_csv_file_stay_as_they_are(tmp_path: Path) -> None:
    texts = ["NA", "", "null", " 1e5 ", "001", "a\r\nb", "TRUE", "né \U0001f600"]
    labels = ["NA", "001", "1", "nan", "None", "1.50", "-0", "True"]
    path = write(tmp_path / "r.csv", csv_of(list(zip(texts, labels, strict=True))))
    assert read(path) == [*zip(texts, labels, strict=True)]


def test_hub_layout_in_a_folder(tmp_path: Path, cache: Path) -> None:
    with open_splits(write_hub_layout(tmp_path / "reviews")) as splits:
        assert [*splits] == ["train", "test", "unsupervised"]
        assert rows_of(splits["train"]) == [("fine 0", 1), ("fine 1", 0), ("fine 2", 1)]
        assert splits["test"].features["label"].names == ["neg", "pos"]
    assert not any(cache.iterdir())


def test_folder_of_csv_files_has_splits_and_plain_strings(tmp_path: Path) -> None:
    write(tmp_path / "train.csv", "text,label\nNA,001\nb,1\n")
    write(tmp_path / "test.csv", "text,label\n007,1\n")
    with open_splits(str(tmp_path)) as splits:
        assert rows_of(splits["train"]) == [("NA", "001"), ("b", "1")]
        assert rows_of(splits["test"]) == [("007", "1")]


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_splits_of_a_folder_may_have_other_columns(tmp_path, suffix):
    rows = {"train": [{"text": "x", "label": "a"}] * 2, "test": [{"id": "1", "text": "x"}]}
    for name, of in rows.items():
        frame = pd.DataFrame(of)
        if suffix == "csv":
            frame.to_csv(tmp_path / f"{name}.csv", index=False)
        else:
            frame.to_json(tmp_path / f"{name}.jsonl", orient="records", lines=True)
    with open_splits(str(tmp_path)) as splits:
        assert [*splits] == ["train", "test"]
        assert {name: [*split] for name, split in splits.items()} == rows
    (tmp_path / f"test.{suffix}").write_bytes(b"\xff\n{")
    with open_splits(str(tmp_path)) as splits:  # what is damaged elsewhere does not matter
        assert [*splits["train"]] == rows["train"]
        with pytest.raises(DataError, match="split test cannot be read as a data set: "):
            splits["test"]


def test_folder_named_like_a_builder_is_that_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "csv" / "train.jsonl", jsonl_of(ROWS))
    write(tmp_path / "other.csv", "text,label\nnot this,1\n")
    monkeypatch.chdir(tmp_path)
    assert len(read("csv")) == 3


@pytest.mark.parametrize("name", ["data[1]", "v*", "some?/data"])
def test_a_folder_whose_name_is_a_pattern_is_not_taken_for_others(tmp_path: Path, name: str) -> None:
    write(tmp_path / name / "train.csv", csv_of(ROWS))
    write(tmp_path / "data1" / "train.csv", csv_of(ROWS[:1]))
    with pytest.raises(DataError, match=r"a folder with \*, \? or \[ in its name or path"):
        read(str(tmp_path / name))
    assert len(read(str(tmp_path / name / "train.csv"))) == len(ROWS)


@pytest.mark.parametrize(
    ("early", "late"),
    [
        ({"label": "a", "reply": None}, {"label": "b", "reply": "thanks"}),
        ({"label": "a"}, {"label": "b", "reply": "thanks"}),
        ({"label": 1}, {"label": "b"}),
    ],
)
def test_json_values_may_have_other_types_after_the_first_megabytes(
    tmp_path: Path, early: dict[str, object], late: dict[str, object]
) -> None:
    filler = "a word " * 100_000
    rows = [early | {"text": filler}] * 17 + [late | {"text": "the last"}]  # 12 MB
    with open_splits(write(tmp_path / "r.jsonl", "".join(json.dumps(row) + "\n" for row in rows))) as splits:
        data = splits["train"][:]
    assert data["text"] == [filler] * 17 + ["the last"]
    assert [str(label) for label in data["label"]] == [str(early["label"])] * 17 + ["b"]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_an_edit_that_keeps_size_and_time_is_seen(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "train.csv"
    path = write(file, "text,label\nold,0\nrow,1\n") if kind == "file" else str(tmp_path)
    write(file, "text,label\nold,0\nrow,1\n")
    os.utime(file, ns=(10**18, 10**18))
    assert read(path) == [("old", "0"), ("row", "1")]
    write(file, "text,label\nnew,0\nrow,1\n")
    os.utime(file, ns=(10**18, 10**18))
    assert read(path) == [("new", "0"), ("row", "1")]


def test_hub_id_comes_from_the_cache_when_offline(tmp_path: Path, cache: Path) -> None:
    datasets.load_dataset(write_hub_layout(tmp_path / "reviews"), cache_dir=str(cache))
    shutil.move(cache / "reviews", cache / "owner___reviews")
    with open_splits("owner/reviews") as splits:
        assert splits["train"]["text"][:] == ["fine 0", "fine 1", "fine 2"]
        assert splits["train"].features["label"].names == ["neg", "pos"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("r.csv", b"", "No columns"),
        ("r.csv", b"text,label\n", "no rows"),
        ("r.csv", b"text,label\na,1\nb,2,3\n", "line 3"),
        ("r.csv", b"text,label\na,1,x\nb,2,y\n", "does not match"),
        ("r.csv", b'text,label\n"a,1\n', "EOF inside string"),
        ("r.csv", b"text,label\na\xff,1\n", "utf-8"),
        ("r.csv.gz", gzip.compress(csv_of(ROWS).encode(), mtime=0)[:-9], "ended before"),
        ("r.csv.gz", csv_of(ROWS).encode(), "gzip"),
        ("r.jsonl", b'{"text": "a", "label": 1}\n{"text"', "JSON"),
        ("r.jsonl", b"", "no rows|at least one example"),
        ("r.parquet", b"PAR1 no", "[Pp]arquet"),
        ("r.PQ.zst", b"PAR1 no", "ZSTD"),
        ("r.xlsx", b"", r"unknown format; known are \.csv, \.tsv"),
        ("folder/readme.txt", b"", "no such file or folder"),
    ],
)
def test_damaged_inputs(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(content)
    path = tmp_path / name if "folder" not in name else tmp_path / "missing"
    with pytest.raises(DataError, match=message) as caught:
        read(str(path))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("spec", ["imdb", "csv", "data/missing.csv", "../missing", "a/b/c", ""])
def test_neither_path_nor_hub_id(tmp_path: Path, spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "work" / "here.csv", csv_of(ROWS))  # what `load_dataset("csv")` would pick up
    monkeypatch.chdir(tmp_path / "work")
    with pytest.raises(DataError, match="no such file or folder, nor a hub id such as stanfordnlp/imdb"):
        read(spec)


def test_hub_out_of_reach() -> None:
    with pytest.raises(DataError, match="'owner/unknown' on the Hub"):
        read("owner/unknown")


SCRIPT = """
import sys
from sentcli.errors import DataError
from sentcli.evaluation.datasets import load_split
load_split("good.csv", "train", None, None)
try:
    load_split("bad.parquet", "train", None, None)
except DataError as error:
    sys.exit(f"{error} {'torch' in sys.modules}")
"""


def test_a_failure_is_one_line(tmp_path: Path) -> None:
    """In a process of its own: the libraries take hold of stderr when they are imported."""
    write(tmp_path / "bad.parquet", "no")
    write(tmp_path / "good.csv", csv_of(ROWS))
    environment = {
        **os.environ,
        "HF_HOME": str(tmp_path / "hf"),
        "PYTHONPATH": str(Path(sentcli.__file__).parents[1]),
    }
    command = [sys.executable, "-c", SCRIPT]
    process = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert process.returncode == 1
    assert process.stdout == ""
    assert re.fullmatch(r"bad\.parquet cannot be read as a data set: [^\n]+ False\n", process.stderr)
    assert not (tmp_path / "hf").exists()


@pytest.mark.parametrize("full", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_folder_for_copies_is_told_from_a_damaged_file(
    tmp_path: Path, full: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise OSError(full, os.strerror(full))

    (tmp_path / "r.csv.gz").write_bytes(gzip.compress(csv_of(ROWS).encode()))
    monkeypatch.setattr(shutil, "copyfileobj", fails)
    hint = re.escape(f"{os.strerror(full)}; {tempfile.gettempdir()} is full; TMPDIR names another folder")
    with pytest.raises(DataError, match=hint):
        read(str(tmp_path / "r.csv.gz"))


def test_a_full_folder_for_converted_rows_is_told_as_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = write(tmp_path / "r.csv", csv_of(ROWS))
    monkeypatch.setattr(datasets.arrow_writer.ArrowWriter, "finalize", fails)
    with pytest.raises(DataError, match=r"is full; TMPDIR names another folder"):
        read(path)
    monkeypatch.setattr(datasets, "load_dataset_builder", fails)
    with pytest.raises(DataError, match=r"the cache of the hub is full; HF_HOME names another folder"):
        read("owner/reviews")
