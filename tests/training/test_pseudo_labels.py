"""Pseudo-labels: all of them come back, and nothing else is taken for them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sentcli.errors import DataError, OutputError
from sentcli.training.self_training.pseudo_labels import (
    PseudoLabels,
    copy_pseudo_labels,
    read_pseudo_labels,
    write_pseudo_labels,
)

LABELS = ("bad", "so-so", "good")


def make() -> PseudoLabels:
    targets = np.array([[0.5, 0.25, 0.25], [0.0, 0.0, 1.0], [0.1, 0.2, 0.7]], np.float32)
    return PseudoLabels(
        ["a text", "", "a passage\nof it"],
        np.array([False, False, True]),
        targets,
        LABELS,
        {"one": targets[::-1].copy()},
        {"round": 2},
    )


def test_they_come_back(tmp_path):
    write_pseudo_labels(tmp_path / "p.parquet", make())
    read = read_pseudo_labels(tmp_path / "p.parquet", LABELS)
    made = make()
    assert (read.texts, read.labels) == (made.texts, LABELS)
    assert np.array_equal(read.targets, made.targets)
    assert np.array_equal(read.is_passage, made.is_passage)
    assert read.notes["round"] == 2
    assert read.whole_texts() == ["a text", ""]
    assert [path.name for path in tmp_path.iterdir()] == ["p.parquet"]


def test_the_file_can_be_looked_at(tmp_path):
    write_pseudo_labels(tmp_path / "p.parquet", make())
    table = pq.read_table(tmp_path / "p.parquet").to_pydict()
    assert table["text"] == make().texts
    assert table["passage"] == [False, False, True]
    assert table["probability:good"] == pytest.approx([0.25, 1.0, 0.7])
    assert table["from one:bad"] == pytest.approx([0.1, 0.0, 0.5])


@pytest.mark.parametrize("name", ["probability", "teacher", "text", "passage"])
def test_no_name_of_a_member_takes_the_place_of_the_teacher(tmp_path, name):
    made = replace(make(), members={name: np.zeros((3, 3), np.float32)})
    write_pseudo_labels(tmp_path / "p.parquet", made)
    read = read_pseudo_labels(tmp_path / "p.parquet", LABELS)
    assert (read.texts, read.targets.tolist()) == (made.texts, made.targets.tolist())


def test_other_classes_are_refused(tmp_path):
    write_pseudo_labels(tmp_path / "p.parquet", make())
    with pytest.raises(DataError, match=r"p\.parquet: no column 'probability:ugly'"):
        read_pseudo_labels(tmp_path / "p.parquet", ("bad", "ugly", "good"))


@pytest.mark.parametrize("content", [b"", b"PAR1 and no more", b"text,passage\n"])
def test_what_is_no_such_file_is_refused(tmp_path, content):
    (tmp_path / "p.parquet").write_bytes(content)
    with pytest.raises(DataError, match=r"p\.parquet: not pseudo-labels"):
        read_pseudo_labels(tmp_path / "p.parquet", LABELS)


@pytest.mark.parametrize(
    ("texts", "bad"), [(["x", None], 0.2), (["x", "y"], 0.9), (["x", "y"], -0.1), (["x", "y"], float("nan"))]
)
def test_rows_that_make_no_sense_are_refused(tmp_path, texts, bad):
    columns = {
        "text": texts,
        "passage": [False, True],
        "probability:a": [0.8, 0.8],
        "probability:b": [0.2, bad],
    }
    pq.write_table(pa.table(columns), tmp_path / "p.parquet")
    with pytest.raises(DataError, match=r"p\.parquet: a row"):
        read_pseudo_labels(tmp_path / "p.parquet", ("a", "b"))


@pytest.mark.parametrize(
    ("column", "values"), [("text", [1, 2]), ("passage", ["x", "y"]), ("probability:a", ["x", "y"])]
)
def test_columns_of_other_types_are_refused(tmp_path, column, values):
    columns = {
        "text": ["x", "y"],
        "passage": [False, True],
        "probability:a": [0.8, 0.8],
        "probability:b": [0.2, 0.2],
    }
    pq.write_table(pa.table({**columns, column: values}), tmp_path / "p.parquet")
    with pytest.raises(DataError, match=rf"p\.parquet: not pseudo-labels: the column '{column}' is of"):
        read_pseudo_labels(tmp_path / "p.parquet", ("a", "b"))


def test_a_column_that_comes_twice_is_refused(tmp_path):
    names = ["text", "passage", "probability:a", "probability:b", "text"]
    table = pa.table([["x"], [False], [0.8], [0.2], ["y"]], names)
    pq.write_table(table, tmp_path / "p.parquet")
    with pytest.raises(
        DataError, match=r"p\.parquet: no column 'text', or several; not pseudo-labels of a, b"
    ):
        read_pseudo_labels(tmp_path / "p.parquet", ("a", "b"))


def test_texts_that_are_not_utf8_are_refused(tmp_path):
    columns = {
        "text": pa.array([b"x", b"caf\xe9"]).view(pa.string()),
        "passage": [False, True],
        "probability:a": [0.8, 0.8],
        "probability:b": [0.2, 0.2],
    }
    pq.write_table(pa.table(columns), tmp_path / "p.parquet")
    with pytest.raises(DataError, match=r"p\.parquet: not pseudo-labels: .* byte 0xe9"):
        read_pseudo_labels(tmp_path / "p.parquet", ("a", "b"))


def test_notes_of_another_program_are_none(tmp_path):
    columns = {
        "text": pa.array(["x"], pa.large_string()),
        "passage": [False],
        "probability:a": [0.8],
        "probability:b": [0.2],
    }
    table = pa.table(columns).replace_schema_metadata({b"sentcli": b"[1]"})
    pq.write_table(table, tmp_path / "p.parquet")
    assert read_pseudo_labels(tmp_path / "p.parquet", ("a", "b")).notes == {}


def test_texts_can_be_left_out():
    labels = make()
    left = labels.without([f" {labels.texts[0].upper()}", "another"])
    assert left.texts == labels.texts[1:]
    assert left.targets.tolist() == labels.targets[1:].tolist()
    assert left.is_passage.tolist() == labels.is_passage[1:].tolist()
    assert {len(of) for of in left.members.values()} == {len(left.texts)}
    assert labels.without(["another"]) is labels
    spelled_otherwise = replace(labels, texts=[f" {text.upper()}" for text in labels.texts])
    assert spelled_otherwise.without(labels.texts[:1]).texts == spelled_otherwise.texts[1:]


def test_where_it_cannot_be_written_nothing_is_left(tmp_path):
    (tmp_path / "p.parquet").mkdir()
    with pytest.raises(OutputError, match=r"p\.parquet: the pseudo-labels cannot be written"):
        write_pseudo_labels(tmp_path / "p.parquet", make())
    with pytest.raises(OutputError, match=r"p\.parquet: the pseudo-labels cannot be written"):
        copy_pseudo_labels(Path(__file__), tmp_path / "p.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["p.parquet"]
