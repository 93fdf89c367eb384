"""Rows and labels by the values of columns, in every format, and after a stop."""

import csv
import io
import json
from collections import Counter

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter
from jobs import ParityScorer, convert, run, score_files  # noqa: F401  # fixtures

from sentcli.errors import DataError, InterruptedRunError, UsageError
from sentcli.runs.summary import Summary
from sentcli.scoring.labels import Groups
from sentcli.tables.options import ReadOptions

ROWS = [(n, ("b, c", "a", "", "\u00e9")[n % 7 % 4], 1 + n % 5, "x" * (n % 9)) for n in range(3000)]
COLUMNS = ("id", "product", "stars", "text")
BY = ReadOptions(by=("product", "stars"))


def as_csv():
    file = io.StringIO(newline="")
    csv.writer(file).writerows([COLUMNS, *ROWS])
    return file.getvalue().encode()


def as_jsonl():
    return b"".join(orjson.dumps(dict(zip(COLUMNS, row, strict=True))) + b"\n" for row in ROWS)


def as_json():
    return orjson.dumps([dict(zip(COLUMNS, row, strict=True)) for row in ROWS])


def as_parquet():
    file = io.BytesIO()
    pq.write_table(
        pa.table(dict(zip(COLUMNS, zip(*ROWS, strict=True), strict=True))), file, row_group_size=1000
    )
    return file.getvalue()


def as_xlsx():
    file = io.BytesIO()
    with xlsxwriter.Workbook(file) as book:
        sheet = book.add_worksheet()
        for number, row in enumerate([COLUMNS, *ROWS]):
            sheet.write_row(number, 0, row)
    return file.getvalue()


INPUTS = {".csv": as_csv, ".jsonl": as_jsonl, ".json": as_json, ".parquet": as_parquet, ".xlsx": as_xlsx}


def expected(path, by=("product", "stars")):
    """Count the rows of a scored CSV."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = [*csv.DictReader(file)]
    groups = {}
    for column in by:
        for row in rows:
            labels = groups.setdefault(column, {}).setdefault(row[column], Counter())
            labels[row["sentiment"]] += 1
    return groups


@pytest.mark.parametrize("source", INPUTS)
@pytest.mark.parametrize("target", [".csv", ".jsonl", ".parquet", ".xlsx", ".txt"])
def test_the_groups_are_those_of_the_scored_file(run, tmp_path, source, target):  # noqa: F811
    (tmp_path / f"in{source}").write_bytes(INPUTS[source]())
    run(tmp_path / f"in{source}", tmp_path / "scored.csv")
    summary = run(tmp_path / f"in{source}", tmp_path / f"out{target}", read=BY)
    assert summary.groups == expected(tmp_path / "scored.csv")


@pytest.mark.parametrize("source", INPUTS)
@pytest.mark.usefixtures("small_chunks")
def test_a_stopped_run_continues_to_the_same_groups(run, tmp_path, monkeypatch, source):  # noqa: F811
    monkeypatch.setattr("sentcli.runs.ledger.COMMIT_SECONDS", 0.0)
    (tmp_path / f"in{source}").write_bytes(INPUTS[source]())
    whole = run(tmp_path / f"in{source}", tmp_path / "whole.xlsx", read=BY)
    stop_after = 1 if source == ".parquet" else 2  # chunks
    with pytest.raises(InterruptedRunError):
        run(tmp_path / f"in{source}", tmp_path / "out.xlsx", read=BY, scorer=ParityScorer(stop_after))
    rest = ParityScorer()
    assert run(tmp_path / f"in{source}", tmp_path / "out.xlsx", read=BY, scorer=rest).groups == whole.groups
    assert rest.scored < len(ROWS)
    assert (tmp_path / "out.xlsx").read_bytes() == (tmp_path / "whole.xlsx").read_bytes()


def test_the_outputs_of_a_folder_add_up_now_and_later(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_bytes(as_csv())
    inputs, output = [str(tmp_path / f"{name}.csv") for name in ("a", "b")], f"{tmp_path}/out/"
    first = score_files(ParityScorer(), inputs, output, read=BY)
    one = expected(tmp_path / "out" / "a.csv")
    assert first.groups == Groups(one) + one
    again = score_files(ParityScorer(), inputs, output, read=BY)
    assert (again.skipped, again.groups) == (2, first.groups)
    assert json.loads(json.dumps(again.to_json()))["groups"] == first.groups


def test_a_finished_output_without_groups_is_not_counted_as_if_it_had_some(tmp_path, caplog):
    (tmp_path / "a.csv").write_bytes(as_csv())
    score_files(ParityScorer(), [str(tmp_path / "a.csv")], f"{tmp_path}/out/")
    assert score_files(ParityScorer(), [str(tmp_path / "a.csv")], f"{tmp_path}/out/", read=BY).failed == 1
    assert "a.csv is finished, and by changed since" in caplog.text


def test_a_pipe_and_records_of_several_lines_have_groups(run, tmp_path):  # noqa: F811
    data = b'id,product,text\r\n1,"a\nb",x\r\n\r\n2,c,xx\r\n3,"a\nb",\r\n'
    (tmp_path / "in.csv").write_bytes(data)
    read = ReadOptions(by=("2",))
    summary = run(tmp_path / "in.csv", tmp_path / "out.csv", read=read)
    assert summary.groups == {"2": {"a\nb": {"odd": 1, "": 1}, "c": {"even": 1}}}
    assert (tmp_path / "out.csv").read_bytes().count(b"\r\n") == data.count(b"\r\n")


@pytest.mark.parametrize("target", [".csv", ".jsonl"])
def test_a_second_header_is_a_row_where_it_is_written(run, tmp_path, target):  # noqa: F811
    (tmp_path / "in.csv").write_bytes(b"product,text\nProduct?,Text?\na,x\n")
    read = ReadOptions(by=("product",), skip_rows=1)
    values = run(tmp_path / "in.csv", tmp_path / f"out{target}", read=read).groups["product"]
    assert values == {"a": {"odd": 1}, **({"Product?": {"": 1}} if target == ".csv" else {})}


def test_keys_of_json_may_be_paths_or_missing(run, tmp_path):  # noqa: F811
    records = [
        {"text": "x", "of": {"name": "a", "n": 1.5}},
        {"text": "x"},
        {"text": "x", "of": {"name": None, "n": [1]}},
    ]
    (tmp_path / "in.jsonl").write_bytes(b"\n".join(map(orjson.dumps, records)))
    read = ReadOptions(by=("of.name", "of.n"))
    for target in (".jsonl", ".csv"):
        summary = run(tmp_path / "in.jsonl", tmp_path / f"out{target}", read=read)
        assert summary.groups == {
            "of.name": {"a": {"odd": 1}, "": {"odd": 2}},
            "of.n": {"1.5": {"odd": 1}, "": {"odd": 1}, "[1]": {"odd": 1}},
        }


def test_a_value_of_parquet_that_cannot_be_read_rejects_no_row(run, tmp_path):  # noqa: F811
    offsets = b"".join(number.to_bytes(4, "little") for number in (0, 1, 2, 2))
    buffers = map(pa.py_buffer, (offsets, b"a\xff", b"\3"))  # the last one says that two values are there
    bad = pa.StringArray.from_buffers(3, *buffers, 1)
    table = pa.table({"text": ["x", "xx", "x"], "product": bad, "of": [{"n": 1}, {"n": 2}, None]})
    pq.write_table(table, tmp_path / "in.parquet")
    read = ReadOptions(by=("product", "of.n"))
    summary = run(tmp_path / "in.parquet", tmp_path / "out.parquet", read=read)
    assert (summary.rows, summary.rejected) == (3, 0)
    assert summary.groups == {
        "product": {"a": {"odd": 1}, "(unreadable)": {"even": 1}, "": {"odd": 1}},
        "of.n": {"1": {"odd": 1}, "2": {"even": 1}, "": {"odd": 1}},
    }


@pytest.mark.parametrize("source", INPUTS)
def test_a_column_that_is_not_there_is_named(run, tmp_path, source):  # noqa: F811
    (tmp_path / f"in{source}").write_bytes(INPUTS[source]())
    with pytest.raises(DataError, match=r"no column 'brand'; the columns are 'id', .*; try another by$"):
        run(tmp_path / f"in{source}", tmp_path / "out.csv", read=ReadOptions(by=("brand",)))


def test_lines_have_no_columns_and_an_empty_table_no_groups(run, tmp_path):  # noqa: F811
    (tmp_path / "in.lines").write_bytes(b"x\n")
    with pytest.raises(UsageError, match="by does not apply to lines input"):
        run(tmp_path / "in.lines", tmp_path / "out.lines", read=BY)
    for name, data in (("empty.csv", b""), ("empty.jsonl", b""), ("header.csv", b"product,stars,text\n")):
        (tmp_path / name).write_bytes(data)
        assert run(tmp_path / name, tmp_path / f"out-{name}", read=BY).groups == {}


def test_the_table_of_the_largest_groups():
    counts = Groups()
    values = [f"{number:02}" for number in range(25) for _ in range(number)]
    counts.add({"product": [*values, *[""] * 100]}, [*["odd"] * len(values), *[None] * 100])
    lines = [*Summary(groups=counts).tables("odd")]
    assert lines[:3] == [
        "product        rows       odd  95 % interval",
        "(empty)         100         -",
        "24               24    100.0%  86.2% to 100.0%",
    ]
    assert len(lines) == 22
    assert lines[-1] == "and 5 further values"
    groups = Groups({"shop": {"north": Counter(even=1)}})
    assert [*Summary(groups=groups).tables("odd")] == [
        "shop         rows       odd  95 % interval",
        "north           1      0.0%  0.0% to 79.3%",
    ]
