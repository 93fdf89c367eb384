"""Rows that cannot be used are left out, counted, limited and written to a file."""

import json

import pytest
from data_sets import csv_of, write

from sentcli.config import DataSet
from sentcli.datasets.load import Rejects, load_split, read_validation
from sentcli.errors import RejectsError
from sentcli.files.sink import Target
from sentcli.tables.options import ReadOptions

ROWS = [(f"text {number}", "ab"[number % 2]) for number in range(300)]


def test_rows_within_the_limit_are_left_out_and_written_with_their_place_and_reason(tmp_path):
    lines = csv_of(ROWS).splitlines(keepends=True)
    path = write(tmp_path / "r.csv", "".join([*lines[:2], "x,y,z\n", "unsure,\n", *lines[2:]]))
    rejects = Rejects()
    data = load_split(DataSet(path), "train", rejects=rejects)
    assert [*zip(data.texts, data.labels, strict=True)] == ROWS
    assert [*data.rows[:3]] == [1, 3, 4]
    rejects.write(Target(tmp_path / "out"))
    broken, empty = map(json.loads, (tmp_path / "out").read_text().splitlines())
    assert (broken["input"], broken["line"], broken["raw"]) == (path, 3, "x,y,z\n")
    assert broken["reason"] == "3 fields instead of 2"
    assert empty == {"input": path, "row": 2, "reason": "no label", "text": "unsure", "label": None}
    Rejects().write(Target(tmp_path / "out"))
    assert not (tmp_path / "out").exists()  # it would pass for that of the later run


@pytest.mark.parametrize(("limit", "fits"), [("2%", True), ("1.9%", False), ("2", True), ("1", False)])
def test_more_rows_than_the_limit_stop_the_run(tmp_path, limit, fits):
    path = write(tmp_path / "r.csv", csv_of([*ROWS[:98], ("x", ""), ("y", "")]))
    rejects = Rejects(limit, "max-rejects in the file")
    if fits:
        assert len(load_split(DataSet(path), "train", rejects=rejects)) == 98
        return
    with pytest.raises(RejectsError, match=r"2 of 100 rows .*no label \(2 rows, .* max-rejects in the"):
        load_split(DataSet(path), "train", rejects=rejects)


def test_a_message_names_the_most_frequent_reason():
    found = [{"input": "r", "row": n, "reason": "no text" if n == 3 else "no label"} for n in (3, 5, 8)]
    with pytest.raises(RejectsError, match=r"3 of 9 .*no label \(2 rows, first row 5\); more than 0"):
        Rejects("0").add("r", found, 9)


def test_labels_that_are_no_class_are_left_out_of_validation_files(tmp_path):
    path = write(tmp_path / "v.csv", csv_of([*ROWS, ("text", "c")]))
    rejects = Rejects()
    data = read_validation(path, DataSet(path), ReadOptions(), ("a", "b"), rejects)
    assert len(data) == 300
    assert rejects.entries[0]["reason"] == "unknown label 'c'; the model knows a, b"
    assert (rejects.entries[0]["row"], rejects.entries[0]["label"]) == (301, "c")
