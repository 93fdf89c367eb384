import bz2
import gzip
import io
import json
import lzma
import os
import re
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import datasets
import huggingface_hub
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import sentcli
from sentcli.errors import DataError, UsageError
from sentcli.training.dataset import CsvFormat, load_split, load_texts
from sentcli.training.labels import class_names

ROWS = [("A warm and clever film.", "good"), ("Two hours I want back.", "bad"), ("", "good")]


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the datasets library, and no way to the hub."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", folder)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    return folder


def write(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return str(path)


def write_hub_layout(folder: Path, names: tuple[str, ...] = ("neg", "pos")) -> str:
    splits = {"train": ([1, 0, 1], "fine"), "test": ([0, 1], "dull"), "unsupervised": ([-1, -1], "who knows")}
    for split, (labels, text) in splits.items():
        table = pa.table({"text": [f"{text} {n}" for n in range(len(labels))], "label": labels})
        (folder / "data").mkdir(parents=True, exist_ok=True)
        pq.write_table(table, folder / "data" / f"{split}-00000-of-00001.parquet")
    files = "".join(f"  - split: {split}\n    path: data/{split}-*\n" for split in splits)
    classes = "".join(f"          '{index}': {name}\n" for index, name in enumerate(names))
    (folder / "README.md").write_text(
        f"---\nconfigs:\n- config_name: plain\n  data_files:\n{files}  default: true\n"
        "dataset_info:\n  config_name: plain\n  features:\n  - name: text\n    dtype: string\n"
        f"  - name: label\n    dtype:\n      class_label:\n        names:\n{classes}---\n"
    )
    return str(folder)


def csv_of(rows: list[tuple[str, str]], separator: str = ",") -> str:
    return "".join(f'"{text}"{separator}{label}\n' for text, label in [("text", "label"), *rows])


def parquet_of(rows: list[tuple[str, str]]) -> bytes:
    texts, labels = zip(*rows, strict=True)
    pq.write_table(pa.table({"text": texts, "label": labels}), file := io.BytesIO())
    return file.getvalue()


def jsonl_of(rows: list[tuple[str, str]]) -> str:
    return "".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows)


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
def test_a_file_is_every_split(tmp_path: Path, name: str, content: str) -> None:
    path = write(tmp_path / name, content)
    for split in ("train", "test"):
        data = load_split(path, split, None, None)
        assert list(zip(data.texts, data.labels, strict=True)) == ROWS


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
    data = load_split(str(path), "train", None, None)
    assert list(zip(data.texts, data.labels, strict=True)) == ROWS


@pytest.mark.parametrize("compression", COMPRESS)
def test_a_compressed_file_that_is_torn(tmp_path: Path, compression: str) -> None:
    path = tmp_path / f"r.csv{compression}"
    path.write_bytes(COMPRESS[compression](csv_of(ROWS * 50).encode())[:-9])
    with pytest.raises(DataError, match=f"r.csv{compression} cannot be read as a data set: ") as caught:
        load_split(str(path), "train", None, None)
    assert "\n" not in str(caught.value)


def test_csv_files_may_be_written_otherwise(tmp_path: Path) -> None:
    content = 'text;label\n"Très, très bon; vraiment";gut\nZäh;schlecht\n'
    csv = CsvFormat(";", "cp1252")
    expected = (["Très, très bon; vraiment", "Zäh"], ["gut", "schlecht"])
    for folder, named in (("file", "reviews.csv"), ("folder", "train.csv")):
        path = tmp_path / folder / named
        path.parent.mkdir()
        path.write_bytes(content.encode("cp1252"))
        spec = str(path if folder == "file" else path.parent)
        data = load_split(spec, "train", None, None, csv)
        assert (data.texts, data.labels) == expected
        assert load_texts(spec, None, csv) == expected[0]
    tabs = write(tmp_path / "reviews.csv", content.replace(";", "\t"))
    assert load_split(tabs, "train", None, None, CsvFormat("\\t")).labels == expected[1]
    pipes = write(tmp_path / "reviews.tsv", content.replace(";", "|"))
    assert load_split(pipes, "train", None, None, CsvFormat("|")).labels == expected[1]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_lines_before_the_header_are_left_out(tmp_path: Path, newline: str) -> None:
    content = newline.join(["Reviews as of today", "", *csv_of(ROWS).splitlines(), ""])
    path = tmp_path / "reviews.csv"
    path.write_bytes(content.encode())
    csv = CsvFormat(skip_lines=2)
    data = load_split(str(path), "train", None, None, csv)
    assert list(zip(data.texts, data.labels, strict=True)) == ROWS
    assert load_texts(str(path), None, csv) == [text for text, _ in ROWS if text]
    with pytest.raises(DataError, match="--skip-lines"):
        load_split(str(path), "train", None, None)
    with pytest.raises(DataError, match="No columns to parse from file"):
        load_split(str(path), "train", None, None, CsvFormat(skip_lines=100))
    with pytest.raises(UsageError, match="--skip-lines is -1"):
        CsvFormat(skip_lines=-1)


def test_what_is_not_csv_has_no_delimiter(tmp_path: Path) -> None:
    lines = write(tmp_path / "reviews.jsonl", '{"text": "fine", "label": "good"}\n')
    assert load_split(lines, "train", None, None, CsvFormat(";", "cp1252", 1)).texts == ["fine"]


def test_a_csv_file_that_is_written_otherwise_is_told_so(tmp_path: Path) -> None:
    path = tmp_path / "reviews.csv"
    path.write_bytes("text;label\nZäh;schlecht\n".encode("cp1252"))
    with pytest.raises(DataError, match=r"is it another --encoding\?"):
        load_split(str(path), "train", None, None)
    commas = tmp_path / "commas.csv"
    commas.write_text("text;label\nlong, but good;1\n")
    with pytest.raises(DataError, match=r"is it another --delimiter\?"):
        load_split(str(commas), "train", None, None)
    empty = tmp_path / "empty.csv"
    empty.write_text("text,label\n")
    with pytest.raises(DataError, match=r"cannot be read as a data set: no rows$"):
        load_split(str(empty), "train", None, None)
    with pytest.raises(DataError, match=r"the columns are text;label; is it another --delimiter\?"):
        load_split(str(path), "train", None, None, CsvFormat(encoding="cp1252"))
    with pytest.raises(UsageError, match="--delimiter is ';;'"):
        CsvFormat(";;")
    with pytest.raises(UsageError, match="cp12520"):
        CsvFormat(encoding="cp12520")


def test_parquet(tmp_path: Path) -> None:
    texts, labels = zip(*ROWS, strict=True)
    pq.write_table(
        pa.table({"text": pa.array(texts, pa.large_string()), "label": pa.array(labels).dictionary_encode()}),
        tmp_path / "r.parquet",
    )
    data = load_split(str(tmp_path / "r.parquet"), "train", None, None)
    assert (data.texts, data.labels) == (list(texts), list(labels))


def test_values_of_a_csv_file_stay_as_they_are(tmp_path: Path) -> None:
    texts = ["NA", "", "null", " 1e5 ", "001", "a\r\nb", "TRUE", "né \U0001f600"]
    labels = ["NA", "001", "1", "nan", "None", "1.50", "-0", "True"]
    path = write(tmp_path / "r.csv", csv_of(list(zip(texts, labels, strict=True))))
    data = load_split(path, "train", None, None)
    assert data.texts == texts
    assert data.labels == labels


def test_labels_of_whole_numbers_are_the_same_in_each_format(tmp_path: Path) -> None:
    """Where one was missing, pandas writes them with a point."""
    values = [1.0, 0.0, -1.0, 10.0, 2.5]
    names = ["1", "0", "-1", "10", "2.5"]
    rows = [(f"text {number}", value) for number, value in enumerate(values)]
    pq.write_table(pa.table({"text": [text for text, _ in rows], "label": values}), tmp_path / "r.parquet")
    lines = "\n".join(json.dumps({"text": text, "label": value}) for text, value in rows)
    of_csv = write(tmp_path / "r.csv", csv_of(rows))
    for path in (of_csv, write(tmp_path / "r.jsonl", lines), str(tmp_path / "r.parquet")):
        assert load_split(path, "train", None, None).labels == names


def test_names_that_a_data_set_states_are_spelled_as_any_labels(tmp_path: Path) -> None:
    names = ["2.0", "neg", "1.0"]
    kinds = {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=names)}
    rows = {"text": ["a", "b", "c"], "label": [0, 1, 2]}
    data = datasets.Dataset.from_dict(rows, features=datasets.Features(kinds))
    data.to_parquet(str(tmp_path / "r.parquet"))
    found = load_split(str(tmp_path / "r.parquet"), "train", None, None)
    assert found.labels == ["2", "negative", "1"]
    assert class_names(found) == ("2", "negative", "1")


def test_hub_layout_in_a_folder(tmp_path: Path, cache: Path) -> None:
    path = write_hub_layout(tmp_path / "reviews")
    train, test = (load_split(path, split, None, None) for split in ("train", "test"))
    assert train.texts == ["fine 0", "fine 1", "fine 2"]
    assert train.labels == ["positive", "negative", "positive"]
    assert test.labels == ["negative", "positive"]
    assert class_names(train) == ("negative", "positive")
    assert not any(cache.iterdir())


def test_classes_keep_the_order_of_the_data_set(tmp_path: Path) -> None:
    path = write_hub_layout(tmp_path / "reviews", names=("rotten", "fresh"))
    assert class_names(load_split(path, "train", None, None)) == ("rotten", "fresh")


def test_folder_of_csv_files_has_splits_and_plain_strings(tmp_path: Path) -> None:
    write(tmp_path / "train.csv", "text,label\nNA,001\nb,1\n")
    write(tmp_path / "test.csv", "text,label\n007,1\n")
    assert load_split(str(tmp_path), "train", None, None).texts == ["NA", "b"]
    assert load_split(str(tmp_path), "train", None, None).labels == ["001", "1"]
    assert load_split(str(tmp_path), "test", None, None).texts == ["007"]


def test_declared_classes_of_csv_files(tmp_path: Path) -> None:
    path = write_hub_layout(tmp_path / "reviews", names=("rotten", "fresh"))
    for file in (tmp_path / "reviews" / "data").glob("*.parquet"):
        file.unlink()
        file.with_suffix(".csv").write_text("text,label\nNA,1\n001,0\n")
    data = load_split(path, "train", None, None)
    assert data.texts == ["NA", "001"]
    assert data.labels == ["fresh", "rotten"]
    assert class_names(data) == ("rotten", "fresh")


def test_folder_named_like_a_builder_is_that_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "csv" / "train.jsonl", jsonl_of(ROWS))
    write(tmp_path / "other.csv", "text,label\nnot this,1\n")
    monkeypatch.chdir(tmp_path)
    assert len(load_split("csv", "train", None, None)) == 3


@pytest.mark.parametrize("name", ["data[1]", "v*", "some?/data"])
def test_a_folder_whose_name_is_a_pattern_is_not_taken_for_others(tmp_path: Path, name: str) -> None:
    write(tmp_path / name / "train.csv", csv_of(ROWS))
    write(tmp_path / "data1" / "train.csv", csv_of(ROWS[:1]))
    with pytest.raises(DataError, match=r"a folder with \*, \? or \[ in its name or path"):
        load_split(str(tmp_path / name), "train", None, None)
    assert len(load_split(str(tmp_path / name / "train.csv"), "train", None, None)) == len(ROWS)


def test_labels_of_several_types_are_names_as_they_stand_there(tmp_path: Path) -> None:
    rows = ['"neg"', "3", "true", '"h\\u00e9"', '"n/a"']
    lines = "".join(f'{{"text": "a", "label": {label}}}\n' for label in rows)
    try:
        data = load_split(write(tmp_path / "r.jsonl", lines), "train", None, None)
    except DataError:
        assert not hasattr(datasets, "Json")  # before datasets 5 a column has one type
    else:
        assert data.labels == ["negative", "3", "True", "h\u00e9", "n/a"]


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
    data = load_split(
        write(tmp_path / "r.jsonl", "".join(json.dumps(row) + "\n" for row in rows)), "train", None, None
    )
    assert data.texts == [filler] * 17 + ["the last"]
    assert data.labels == [str(early["label"])] * 17 + ["b"]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_an_edit_that_keeps_size_and_time_is_seen(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "train.csv"
    path = write(file, "text,label\nold,0\nrow,1\n") if kind == "file" else str(tmp_path)
    write(file, "text,label\nold,0\nrow,1\n")
    os.utime(file, ns=(10**18, 10**18))
    assert load_split(path, "train", None, None).texts == ["old", "row"]
    write(file, "text,label\nnew,0\nrow,1\n")
    os.utime(file, ns=(10**18, 10**18))
    assert load_split(path, "train", None, None).texts == ["new", "row"]


def test_hub_id_comes_from_the_cache_when_offline(tmp_path: Path, cache: Path) -> None:
    datasets.load_dataset(write_hub_layout(tmp_path / "reviews"), cache_dir=str(cache))
    shutil.move(cache / "reviews", cache / "owner___reviews")
    data = load_split("owner/reviews", "train", None, None)
    assert data.texts == ["fine 0", "fine 1", "fine 2"]
    assert class_names(data) == ("negative", "positive")


@pytest.mark.parametrize(
    ("header", "text", "label"),
    [
        ("id,review,sentiment", "review", "sentiment"),
        ("body,id,stars", "body", "stars"),
        ("phrase,label", "phrase", "label"),
        ("id,Review,title,Label", "Review", "Label"),
        (" TEXT ,title,Sentiment ", " TEXT ", "Sentiment "),
        ("Text,text,LABEL,label", "text", "label"),
    ],
)
def test_columns_are_found(tmp_path: Path, header: str, text: str, label: str) -> None:
    rows = [",".join(f"{name} {n}" for name in header.split(",")) for n in range(2)]
    data = load_split(write(tmp_path / "r.csv", "\n".join([header, *rows])), "train", None, None)
    assert data.texts == [f"{text} 0", f"{text} 1"]
    assert data.labels == [f"{label} 0", f"{label} 1"]


def test_labels_are_no_texts_whatever_their_column_is_called(tmp_path: Path) -> None:
    path = write(tmp_path / "r.csv", "sentence,case\nlife,murder\nfine,speeding\n")
    data = load_split(path, "train", None, "sentence")
    assert (data.texts, data.labels) == (["murder", "speeding"], ["life", "fine"])


def test_named_columns_go_before_found_ones(tmp_path: Path) -> None:
    path = write(tmp_path / "r.csv", "text,label,note,grade\na,1,b,2\n")
    data = load_split(path, "train", "note", "grade")
    assert (data.texts, data.labels) == (["b"], ["2"])


def test_fields_of_nested_records_are_named_by_their_path(tmp_path: Path) -> None:
    records = [
        {"id": 1, "data": {"body": "fine", "about": {"stars": 5}}},
        {"id": 2, "data": {"body": "dull", "about": {"stars": 1}}},
    ]
    nested = write(tmp_path / "a.jsonl", "\n".join(map(json.dumps, records)))
    found = load_split(nested, "train", "data.body", "data.about.stars")
    assert found.texts == ["fine", "dull"]
    assert found.labels == ["5", "1"]
    assert load_texts(nested, "data.body") == ["fine", "dull"]
    with pytest.raises(DataError, match=r"no column 'data\.title'; the columns are 'id', 'data\.body'"):
        load_split(nested, "train", "data.title", "data.about.stars")
    dotted = "\n".join(json.dumps({**each, "data.body": f"whole {each['id']}"}) for each in records)
    assert load_texts(write(tmp_path / "b.jsonl", dotted), "data.body") == ["whole 1", "whole 2"]


@pytest.mark.parametrize(
    ("text", "label", "message"),
    [
        ("missing", "b", r"no column 'missing'; the columns are 'a', 'b', 'n'; is --text-column right\?$"),
        (None, "missing", r"no column 'missing'; the columns are a, b, n; try --label-column"),
        ("a", None, r"which column has the labels\?; the columns are a, b, n"),
        (None, "n", r"which column is the text\? Say --text-column; the columns are 'a', 'b'$"),
        ("n", "a", r"the column 'n' is int64, not a string$"),
        ("a", "a", r"the column 'a' holds the labels$"),
    ],
)
def test_missing_columns(tmp_path: Path, text: str | None, label: str | None, message: str) -> None:
    path = write(tmp_path / "r.jsonl", '{"a": "x", "b": "y", "n": 1}\n')
    with pytest.raises(DataError, match=message):
        load_split(path, "train", text, label)


@pytest.mark.parametrize(("kind", "value"), [("int64", "1"), ("list<item: string>", '["a"]')])
def test_a_column_of_a_usual_name_without_texts_is_not_passed_over(
    tmp_path: Path, kind: str, value: str
) -> None:
    path = write(tmp_path / "r.jsonl", f'{{"Text": {value}, "title": "good", "label": 1}}\n')
    for load in (lambda: load_split(path, "train", None, None), lambda: load_texts(path, None)):
        with pytest.raises(DataError, match=f"the column 'Text' is {kind}, not a string; say --text-column"):
            load()


@pytest.mark.parametrize(
    ("rows", "names"),
    [
        ('{"text": "a", "label": 10}\n{"text": "b", "label": 9}\n', ("9", "10")),
        ('{"text": "a", "label": -1}\n{"text": "b", "label": 1}\n', ("-1", "1")),
        ('{"text": "a", "label": 2.0}\n{"text": "b", "label": 1.0}\n', ("1", "2")),
        ('{"text": "a", "label": "pos"}\n{"text": "b", "label": "neg"}\n', ("negative", "positive")),
        ('{"text": "a", "label": "10"}\n{"text": "b", "label": "9 stars"}\n', ("10", "9 stars")),
        ('{"text": "a", "label": true}\n{"text": "b", "label": false}\n', ("False", "True")),
    ],
)
def test_names_and_order_of_classes(tmp_path: Path, rows: str, names: tuple[str, ...]) -> None:
    assert class_names(load_split(write(tmp_path / "r.jsonl", rows), "train", None, None)) == names


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ('{"text": "a", "label": 1}\n{"text": null, "label": 1}\n', r"row 2 has no text \(1 such rows"),
        ('{"text": "a", "label": 1}\n{"text": "b"}\n{"text": "c"}\n', r"row 2 has no label \(2 such rows"),
        ('{"text": "a", "label": 1}\n{"text": "b", "label": 1.5}\n{"text": "b"}\n', "row 3 has no label"),
        ('{"text": "a", "label": ""}\n', "row 1 has no label"),
        ('{"text": "a", "label": [1]}\n', r"\[1\] is neither a name nor a number"),
    ],
)
def test_rows_without_text_or_label(tmp_path: Path, rows: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_split(write(tmp_path / "r.jsonl", rows), "train", None, None)


def test_not_a_number_is_no_label(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["a", "b"], "label": [1.0, float("nan")]}), tmp_path / "r.parquet")
    with pytest.raises(DataError, match="row 2 has no label"):
        load_split(str(tmp_path / "r.parquet"), "train", None, None)


def test_unlabelled_split(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="split unsupervised: row 1 has no label"):
        load_split(write_hub_layout(tmp_path / "reviews"), "unsupervised", None, None)


def test_missing_split(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no split 'dev'; there is train, test, unsupervised"):
        load_split(write_hub_layout(tmp_path / "reviews"), "dev", None, None)


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
        load_split(str(path), "train", None, None)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("spec", ["imdb", "csv", "data/missing.csv", "../missing", "a/b/c", ""])
def test_neither_path_nor_hub_id(tmp_path: Path, spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "work" / "here.csv", csv_of(ROWS))  # what `load_dataset("csv")` would pick up
    monkeypatch.chdir(tmp_path / "work")
    with pytest.raises(DataError, match="no such file or folder, nor a hub id such as stanfordnlp/imdb"):
        load_split(spec, "train", None, None)


def test_hub_out_of_reach() -> None:
    with pytest.raises(DataError, match="'owner/unknown' on the Hub"):
        load_split("owner/unknown", "train", None, None)


SCRIPT = """
import sys
from sentcli.errors import DataError, UsageError
from sentcli.training.dataset import load_split
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


def test_texts_without_labels_are_those_of_their_split(tmp_path: Path) -> None:
    assert load_texts(write_hub_layout(tmp_path / "hub"), None) == ["who knows 0", "who knows 1"]


def test_texts_of_a_file_need_no_labels(tmp_path: Path) -> None:
    file = write(tmp_path / "heap.csv", 'id,review\n001,"one, two"\n2,\n3,NA\n')
    assert load_texts(file, "review") == ["one, two", "NA"]
    assert load_texts(write(tmp_path / "heap.jsonl", '{"n": 1, "words": "a b"}\n'), None) == ["a b"]


@pytest.mark.parametrize(
    ("name", "data", "delimiter"),
    [
        ("heap.csv", "id;text\n1;a b\n", None),
        ("heap.tsv", "id\ttext\n1\ta b\n", ";"),
        ("heap.csv", "id,text\n1,a b\n", ";"),
    ],
)
def test_whole_lines_are_not_taken_for_texts(
    tmp_path: Path, name: str, data: str, delimiter: str | None
) -> None:
    with pytest.raises(
        DataError, match=r"heap\.[ct]sv: the columns are .*another --delimiter\? .*say --heap"
    ):
        load_texts(write(tmp_path / name, data), None, CsvFormat(delimiter), "--heap")
    header = data.split("\n")[0]
    assert load_texts(write(tmp_path / name, data), header, CsvFormat(delimiter)) == [data.split("\n")[1]]


def test_texts_that_cannot_be_found(tmp_path: Path) -> None:
    splits = tmp_path / "splits"
    for name in ("train", "test"):
        write(splits / f"{name}.csv", csv_of(ROWS))
    with pytest.raises(DataError, match=r"which of its splits has no labels.*train, test"):
        load_texts(str(splits), None)
    with pytest.raises(DataError, match="--text-column"):
        load_texts(write(tmp_path / "two.csv", "a,b\nx,y\n"), None)
    with pytest.raises(DataError, match="holds no text"):
        load_texts(write(tmp_path / "none.csv", "text,b\n,y\n"), None)


def test_strings_of_parquet_that_are_not_utf_8_are_told_by_file_and_column(tmp_path: Path) -> None:
    """Neither Arrow nor the data set library looks, as long as nobody reads them."""
    offsets = pa.py_buffer(np.array([0, 2, 4], np.int32))
    bad = pa.StringArray.from_buffers(2, offsets, pa.py_buffer(b"\xff\xfeok"))
    for name, other in (("text", "label"), ("label", "text")):
        file = str(tmp_path / f"bad-{name}.parquet")
        pq.write_table(pa.table({name: bad, other: ["x", "y"]}), file)
        message = f"{re.escape(file)}, column '{name}': not all of its strings are UTF-8"
        with pytest.raises(DataError, match=message):
            load_split(file, "train", None, None)
    with pytest.raises(
        DataError, match=r"bad-text\.parquet, column 'text': not all of its strings are UTF-8"
    ):
        load_texts(str(tmp_path / "bad-text.parquet"), None)


@pytest.mark.slow
@pytest.mark.skipif("SENTCLI_IMDB" not in os.environ, reason="SENTCLI_IMDB names no copy of IMDb")
def test_imdb() -> None:
    train = load_split(os.environ["SENTCLI_IMDB"], "train", None, None)
    assert len(train) == 25_000
    assert class_names(train) == ("negative", "positive")
