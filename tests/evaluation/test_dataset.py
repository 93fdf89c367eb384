import json
import os
import re
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_sets import ROWS, csv_of, write, write_hub_layout

from sentcli.errors import DataError
from sentcli.evaluation.datasets import load_split, load_texts
from sentcli.evaluation.labels import class_names
from sentcli.evaluation.splits import CsvFormat

pytestmark = pytest.mark.usefixtures("cache")


def test_a_file_is_any_split(tmp_path: Path) -> None:
    path = write(tmp_path / "r.csv", csv_of(ROWS))
    for split in ("train", "test"):
        data = load_split(path, split, None, None)
        assert list(zip(data.texts, data.labels, strict=True)) == ROWS


def test_csv_files_may_be_written_otherwise(tmp_path: Path) -> None:
    path = write(tmp_path / "reviews.csv", 'Of today\n\ntext;label\n"Long; but good";gut\nTough;schlecht\n')
    csv = CsvFormat(";", skip_lines=2)
    data = load_split(path, "train", None, None, csv)
    assert (data.texts, data.labels) == (["Long; but good", "Tough"], ["gut", "schlecht"])
    assert load_texts(path, None, csv) == data.texts
    with pytest.raises(DataError, match=r"line 4: .* is it another --delimiter or --quotechar\?"):
        load_split(path, "train", None, None, CsvFormat(skip_lines=2))
    plain = write(tmp_path / "plain.csv", "text;label\ngood;gut\n")
    with pytest.raises(DataError, match=r"the columns are text;label; is it another --delimiter\?"):
        load_split(plain, "train", None, None)


def test_labels_of_a_csv_file_stay_as_they_are(tmp_path: Path) -> None:
    texts = ["NA", "", "null", " 1e5 ", "001", "a\r\nb", "TRUE", "né \U0001f600"]
    labels = ["NA", "001", "1", "nan", "None", "1.50", "-0", "True"]
    data = load_split(
        write(tmp_path / "r.csv", csv_of([*zip(texts, labels, strict=True)])), "train", None, None
    )
    assert (data.texts, data.labels) == (texts, labels)


def test_a_split_is_found_by_its_name(tmp_path: Path) -> None:
    path = write_hub_layout(tmp_path / "reviews")
    train, test = (load_split(path, split, None, None) for split in ("train", "test"))
    assert train.texts == ["fine 0", "fine 1", "fine 2"]
    assert train.labels == ["positive", "negative", "positive"]
    assert (test.texts, test.labels) == (["dull 0", "dull 1"], ["negative", "positive"])
    assert class_names(train) == ("negative", "positive")


def test_parquet(tmp_path: Path) -> None:
    texts, labels = zip(*ROWS, strict=True)
    pq.write_table(
        pa.table({"text": pa.array(texts, pa.large_string()), "label": pa.array(labels).dictionary_encode()}),
        tmp_path / "r.parquet",
    )
    data = load_split(str(tmp_path / "r.parquet"), "train", None, None)
    assert (data.texts, data.labels) == (list(texts), list(labels))


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


def test_classes_keep_the_order_of_the_data_set(tmp_path: Path) -> None:
    path = write_hub_layout(tmp_path / "reviews", names=("rotten", "fresh"))
    assert class_names(load_split(path, "train", None, None)) == ("rotten", "fresh")


def test_declared_classes_of_csv_files(tmp_path: Path) -> None:
    path = write_hub_layout(tmp_path / "reviews", names=("rotten", "fresh"))
    for file in (tmp_path / "reviews" / "data").glob("*.parquet"):
        file.unlink()
        file.with_suffix(".csv").write_text("text,label\nNA,1\n001,0\n")
    data = load_split(path, "train", None, None)
    assert data.texts == ["NA", "001"]
    assert data.labels == ["fresh", "rotten"]
    assert class_names(data) == ("rotten", "fresh")


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
        (None, "n", r"which column is the text\? Add --text-column; the columns are 'a', 'b'$"),
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
        with pytest.raises(DataError, match=f"the column 'Text' is {kind}, not a string; add --text-column"):
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
