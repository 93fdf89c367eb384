"""`sentcli score --label-next`: the least certain rows in every format, for any chunks, and after a stop."""

import csv
import json

import pyarrow.parquet as pq
import pytest
from jobs import ParityScorer, run_job
from python_calamine import CalamineWorkbook

from sentcli.errors import InterruptedRunError
from sentcli.tables.options import ReadOptions, WriteOptions

TEXTS = ["x" * (number % 8) for number in range(60)] + [f" {'X' * 3}\n", "y" * 10, "z" * 11]
READ, NEXT = ReadOptions(text_column="text"), WriteOptions(label_next=3)
EXPECTED = [("3", TEXTS[3]), ("4", TEXTS[4]), ("61", TEXTS[61])]  # scores of 3/7, 4/7 and 3/7: margins of 1/7


def read_rows(path) -> list[tuple[str, str]]:
    if path.suffix == ".parquet":
        rows = pq.read_table(path).to_pylist()
    elif path.suffix == ".xlsx":
        names, *cells = CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()
        rows = [dict(zip(names, row, strict=True)) for row in cells]
    elif path.suffix == ".csv":
        rows = [*csv.DictReader(path.open(newline="", encoding="utf-8"))]
    else:
        content = path.read_text()
        rows = json.loads(content) if path.suffix == ".json" else [*map(json.loads, content.splitlines())]
    return [(str(row["id"]).removesuffix(".0"), row["text"]) for row in rows]


@pytest.fixture
def source(tmp_path):
    with (tmp_path / "in.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["id", "text"], *enumerate(TEXTS)])
    return tmp_path / "in.csv"


def run(source, output, *, write=NEXT, stop_after=None, read=READ):
    run_job(source, output, scorer=ParityScorer(stop_after, probabilities=True), read=read, write=write)
    return read_rows(output)


@pytest.mark.parametrize("chunk_rows", [1, 4, 100])
@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".json", ".parquet", ".xlsx"])
def test_the_least_certain_rows_come_first_and_no_text_twice(
    source, tmp_path, suffix, chunk_rows, monkeypatch
):
    monkeypatch.setattr("sentcli.tables.chunk.CHUNK_ROWS", chunk_rows)
    output = tmp_path / f"next{suffix}"
    assert run(source, output) == EXPECTED
    whole = tmp_path / f"whole{suffix}"
    run(source, whole, write=WriteOptions())
    assert (
        run(whole, tmp_path / f"again{suffix}", write=WriteOptions(prefix="new_", label_next=3)) == EXPECTED
    )


def test_a_stopped_run_continues(source, tmp_path, monkeypatch):
    monkeypatch.setattr("sentcli.tables.chunk.CHUNK_ROWS", 4)
    output = tmp_path / "next.csv"
    with pytest.raises(InterruptedRunError):
        run(source, output, stop_after=5)
    assert run(source, output) == EXPECTED


def test_few_rows_are_all_written_but_for_those_without_a_score(source, tmp_path):
    rows = run(source, tmp_path / "next.csv", write=WriteOptions(label_next=100))
    assert len(rows) == len({*TEXTS}) - 2  # a blank text, and one that repeats in capitals
