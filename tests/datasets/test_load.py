"""Labeled texts of files and folders: a file is read as `sentcli score` reads it."""

import gzip
import io
import json
import sys
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter
from data_sets import ROWS, csv_of, jsonl_of, parquet_of, write, write_hub_layout

from sentcli.config import DataSet
from sentcli.datasets.labels import class_names
from sentcli.datasets.load import load_split
from sentcli.errors import DataError, MissingExtraError
from sentcli.tables.options import ReadOptions

COMPRESS = {
    "": bytes,
    ".gz": gzip.compress,
    ".zst": partial(pa.Codec("zstd").compress, asbytes=True),
}


def xlsx_of(rows):
    data = io.BytesIO()
    with xlsxwriter.Workbook(data) as workbook:
        sheet = workbook.add_worksheet()
        for number, row in enumerate([("text", "label"), *rows]):
            sheet.write_row(number, 0, row)
    return data.getvalue()


CONTENT = {
    ".csv": csv_of(ROWS).encode(),
    ".tsv": csv_of(ROWS, "\t").encode(),
    ".tab": csv_of(ROWS, "\t").encode(),
    ".jsonl": jsonl_of(ROWS).encode(),
    ".json": json.dumps([json.loads(line) for line in jsonl_of(ROWS).splitlines()], indent=1).encode(),
    ".xlsx": xlsx_of(ROWS),
    ".parquet": parquet_of(ROWS),
}


def read(path, *columns, split="train", **options):
    data = load_split(DataSet(str(path), *columns), split, ReadOptions(**options))
    return [*zip(data.texts, data.labels, strict=True)]


@pytest.mark.parametrize("compression", COMPRESS)
@pytest.mark.parametrize("suffix", CONTENT)
def test_a_file_is_any_split(tmp_path, suffix, compression):
    path = tmp_path / f"r[1]*{suffix}{compression}"
    path.write_bytes(COMPRESS[compression](CONTENT[suffix]))
    assert read(path) == read(path, split="test") == ROWS


def test_csv_options(tmp_path):
    path = tmp_path / "r.csv"
    path.write_bytes("Of today\n\ntext;label\n'Très; bon';gut\nZäh;schlecht\n".encode("cp1252"))
    options = {"delimiter": ";", "encoding": "cp1252", "skip_lines": 2, "quotechar": "'"}
    assert read(path, **options) == [("Très; bon", "gut"), ("Zäh", "schlecht")]
    lines = write(tmp_path / "r.jsonl", '{"text": "é", "label": "good"}\n')
    assert read(lines, **options) == [("é", "good")]  # they mean nothing there


def test_further_headers_are_no_rows(tmp_path):
    (tmp_path / "data.csv").write_text("text,label\nText,Label\na,x\nb,y\n")
    assert read(tmp_path / "data.csv", skip_rows=1) == [("a", "x"), ("b", "y")]


def test_labels_of_a_csv_file_stay_as_they_are(tmp_path):
    texts = ["NA", "", "null", " 1e5 ", "001", "a\r\nb", "TRUE", "né \U0001f600"]
    rows = [*zip(texts, ["NA", "001", "1", "1e5", "None", "1.50", "-0", "True"], strict=True)]
    assert read(write(tmp_path / "r.csv", csv_of(rows))) == rows


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "r.csv",
            b"text,label\na,1\nb,2,3\n",
            r"r\.csv: 1 of 2 rows .*: 3 fields instead of 2 \(1 row, first line 3\); more than 1%",
        ),
        ("r.csv", b"text;label\na;1;2\n", "is it another delimiter"),
        ("r.csv", b"", "no rows"),
        ("r.csv", b"text,label\n", "no rows"),
        ("r.csv.gz", gzip.compress(CONTENT[".csv"], mtime=0)[:-9], "cannot be read"),
        ("r.jsonl", b'{"text": "a", "label": 1}\n{"text"', "1 of 2 rows cannot be used.*not JSON.* line 2"),
        ("r.jsonl", b"", "no rows"),
        ("r.parquet", b"PAR1 no", "[Pp]arquet"),
        ("r.xlsx", b"", "not a workbook that can be read"),
        ("r.odt", b"", r"unknown format; known are \.csv, \.tsv"),
    ],
)
def test_files_that_cannot_be_read(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)


def test_labels_of_whole_numbers_are_the_same_in_each_format(tmp_path):
    """Where one was missing, pandas writes them with a point."""
    values, names = [1.0, 0.0, -1.0, 10.0, 2.5], ["1", "0", "-1", "10", "2.5"]
    rows = [(f"text {number}", value) for number, value in enumerate(values)]
    (tmp_path / "r.parquet").write_bytes(parquet_of(rows))
    paths = write(tmp_path / "r.csv", csv_of(rows)), write(tmp_path / "r.jsonl", jsonl_of(rows))
    for path in (*paths, tmp_path / "r.parquet"):
        assert [label for _, label in read(path)] == names


@pytest.mark.usefixtures("cache")
def test_parquet_may_state_names_of_classes(tmp_path):
    import datasets

    kinds = {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["2.0", "neg", "1.0"])}
    rows = {"text": ["a", "b", "c"], "label": [0, 1, 2]}
    path = str(tmp_path / "r.parquet")
    datasets.Dataset.from_dict(rows, features=datasets.Features(kinds)).to_parquet(path)
    data = load_split(DataSet(path), "train")
    assert data.labels == ["2", "negative", "1"]
    assert class_names(data) == ("2", "negative", "1")


@pytest.mark.parametrize(
    ("header", "text", "label"),
    [
        ("id,review,sentiment", "review", "sentiment"),
        ("body,id,stars", "body", "stars"),
        ("id,Review,title,Label", "Review", "Label"),
        (" TEXT ,title,Sentiment ", " TEXT ", "Sentiment "),
        ("Text,text,LABEL,label", "text", "label"),
    ],
)
def test_columns_are_found(tmp_path, header, text, label):
    row = ",".join(f"{name} 0" for name in header.split(","))
    assert read(write(tmp_path / "r.csv", f"{header}\n{row}\n")) == [(f"{text} 0", f"{label} 0")]


def test_named_columns_go_before_found_ones(tmp_path):
    path = write(tmp_path / "r.csv", "text,label,note,grade\na,1,b,2\n")
    assert read(path, "note", "grade") == [("b", "2")]


def test_nested_fields_are_named_by_their_path(tmp_path):
    records = [
        {"id": 1, "data": {"body": "fine", "about": {"stars": 5}}},
        {"id": 2, "data": {"body": "dull", "about": {"stars": 1}}, "more": 1, "data.body": "whole"},
    ]
    path = write(tmp_path / "a.jsonl", "\n".join(map(json.dumps, records)))
    assert read(path, "data.body", "data.about.stars") == [("fine", "5"), ("whole", "1")]
    table = pa.table({"text": ["x"], "about": [{"stars": 4}]})
    pq.write_table(table, tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet", None, "about.stars") == [("x", "4")]


@pytest.mark.parametrize(
    ("text", "label", "message"),
    [
        ("missing", "b", r"no column 'missing'; the columns are 'a', 'b', 'n'; try another text_column$"),
        ("a", "missing", r"no column 'missing'; the columns are 'a', 'b', 'n'; try label_column"),
        ("a", None, r"which column has the labels\?; the columns are 'a', 'b', 'n'"),
        (None, "n", r"which column is the text\? Add text_column="),
        ("n", "a", r"'n' is a number, not a string"),
        ("a", "a", r"the column 'a' has the labels; .* text_column"),
    ],
)
def test_missing_columns(tmp_path, text, label, message):
    with pytest.raises(DataError, match=message):
        read(write(tmp_path / "r.jsonl", '{"a": "x", "b": "y", "n": 1}\n'), text, label)


@pytest.mark.parametrize(
    ("rows", "names"),
    [
        ('{"text": "a", "label": 10}\n{"text": "b", "label": 9}\n', ("9", "10")),
        ('{"text": "a", "label": -1}\n{"text": "b", "label": 1}\n', ("-1", "1")),
        ('{"text": "a", "label": 2.0}\n{"text": "b", "label": 1.0}\n', ("1", "2")),
        ('{"text": "a", "label": "pos"}\n{"text": "b", "label": "neg"}\n', ("negative", "positive")),
        ('{"text": "a", "label": "10"}\n{"text": "b", "label": "9 stars"}\n', ("10", "9 stars")),
        ('{"text": "a", "label": true}\n{"text": "b", "label": 3}\n', ("3", "True")),
    ],
)
def test_names_and_order_of_classes(tmp_path, rows, names):
    assert class_names(load_split(DataSet(write(tmp_path / "r.jsonl", rows)), "train")) == names


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            '{"text": "a", "label": 1}\n{"text": null, "label": 1}\n',
            r"1 of 2 rows cannot be used; most often: no text \(1 row, first row 2\); more",
        ),
        (
            '{"text": "a", "label": 1}\n{"text": "b"}\n{"text": "c"}\n',
            r"2 of 3 rows cannot be used; most often: no label \(2 rows, first row 2\); more",
        ),
        (
            '{"text": "a", "label": ""}\n',
            r"1 of 1 row cannot be used; most often: no label \(1 row, first row 1\)$",
        ),
        ('{"text": "a", "label": {"of": 1}}\n', r"\{'of': 1\} is neither a name nor a number"),
    ],
)
def test_rows_without_text_or_label(tmp_path, rows, message):
    with pytest.raises(DataError, match=message):
        read(write(tmp_path / "r.jsonl", rows))


def test_not_a_number_is_no_label(tmp_path):
    (tmp_path / "r.parquet").write_bytes(parquet_of([("a", 1.0), ("b", float("nan"))]))
    with pytest.raises(DataError, match=r"no label \(1 row, first row 2\)"):
        read(tmp_path / "r.parquet")


def test_strings_of_parquet_that_are_not_utf_8_end_the_run(tmp_path):
    bad = pa.StringArray.from_buffers(
        2, pa.py_buffer(np.array([0, 2, 4], np.int32)), pa.py_buffer(b"\xff\xfeok")
    )
    for name, other, reason in (
        ("text", "label", ".*utf-8.* line 1"),
        ("label", "text", ".*no label.* row 1"),
    ):
        file = tmp_path / f"bad-{name}.parquet"
        pq.write_table(pa.table({name: bad, other: ["x", "y"]}), file)
        with pytest.raises(DataError, match=rf"bad-{name}\.parquet: 1 of 2 rows {reason}"):
            read(file)


@pytest.mark.usefixtures("cache")
def test_a_folder_in_the_layout_of_the_hub(tmp_path):
    path = write_hub_layout(tmp_path / "reviews")
    train = load_split(DataSet(path), "train")
    assert train.texts == ["fine 0", "fine 1", "fine 2"]
    assert train.labels == ["positive", "negative", "positive"]
    assert read(path, split="test") == [("dull 0", "negative"), ("dull 1", "positive")]
    with pytest.raises(
        DataError, match="split unsupervised: 2 of 2 rows cannot be used; most often: no label"
    ):
        read(path, split="unsupervised")
    with pytest.raises(DataError, match="no split 'dev'; the splits are train, test, unsupervised"):
        read(path, split="dev")
    ordered = load_split(DataSet(write_hub_layout(tmp_path / "b", ("rotten", "fresh"))), "train")
    assert class_names(ordered) == ("rotten", "fresh")


@pytest.mark.usefixtures("cache")
def test_classes_that_a_readme_states_hold_for_csv_too(tmp_path):
    path = write_hub_layout(tmp_path / "reviews", names=("rotten", "fresh"))
    for file in (tmp_path / "reviews" / "data").glob("*.parquet"):
        file.unlink()
        file.with_suffix(".csv").write_text("text,label\nNA,1\n001,rotten\n")
    assert read(path) == [("NA", "fresh"), ("001", "rotten")]
    file = tmp_path / "reviews" / "data" / "test-00000-of-00001.csv"
    file.write_text("text,label\na,2\n")
    with pytest.raises(DataError, match="'2' is not one of its classes"):
        read(path, split="test")


@pytest.mark.usefixtures("cache")
def test_files_of_a_folder_are_read_like_files(tmp_path):
    (tmp_path / "train-1.csv").write_text("text;label\nNA;001\n")
    (tmp_path / "train-2.csv").write_text("id;text;label\n7;b;1\n")
    (tmp_path / "test.csv").write_bytes(b"text;label\n1;2;3\n")
    assert read(tmp_path, delimiter=";") == [("NA", "001"), ("b", "1")]  # whatever the other split is like
    with pytest.raises(DataError, match=r"split test: 1 of 1 row .*: 3 fields .*first .*test\.csv, line 2\)"):
        read(tmp_path, split="test", delimiter=";")


@pytest.mark.usefixtures("cache")
def test_a_folder_named_like_a_builder_is_that_folder(tmp_path, monkeypatch):
    write(tmp_path / "csv" / "train.jsonl", jsonl_of(ROWS))
    write(tmp_path / "other.csv", "text,label\nnot this,1\n")
    monkeypatch.chdir(tmp_path)
    assert read("csv") == ROWS
    write(tmp_path / "data[1]" / "train.csv", csv_of(ROWS))
    with pytest.raises(DataError, match=r"may not have \*, \? or \["):
        read("data[1]")


def test_a_hub_id_comes_from_the_cache_without_a_network(tmp_path, cache):
    import datasets

    datasets.load_dataset(write_hub_layout(tmp_path / "reviews"), cache_dir=str(cache))
    (cache / "reviews").rename(cache / "owner___reviews")
    assert [label for _, label in read("owner/reviews")] == ["positive", "negative", "positive"]
    with pytest.raises(DataError, match=r"no column 'x'.*try label_column"):
        read("owner/reviews", None, "x")


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("spec", ["imdb", "csv", "data/missing.csv", "../missing", "a/b/c"])
def test_neither_path_nor_hub_id(tmp_path, spec, monkeypatch):
    write(tmp_path / "here.csv", csv_of(ROWS))  # what `load_dataset("csv")` would pick up
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="no such file or folder, and not a hub id such as stanfordnlp/imdb"):
        read(spec)


@pytest.mark.usefixtures("cache")
def test_a_hub_out_of_reach_is_one_line():
    with pytest.raises(DataError, match=r"owner/unknown cannot be read as a data set: .*Hub") as caught:
        read("owner/unknown")
    assert "\n" not in str(caught.value)


def test_without_the_package_datasets_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    monkeypatch.delitem(sys.modules, "sentcli.datasets.hub", raising=False)
    monkeypatch.delattr("sentcli.datasets.hub", raising=False)
    with pytest.raises(MissingExtraError, match=r"'datasets', .* pip install .*\[evaluate\]"):
        read("owner/reviews")
