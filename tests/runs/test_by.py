"""Rows and labels by the values of columns, in every format, and after a stop."""

import csv
import io
import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter
from jobs import ParityScorer, convert, run, score_files  # noqa: F401  # fixtures
from python_calamine import CalamineWorkbook

from sentcli.errors import DataError, InterruptedRunError, UsageError
from sentcli.runs.summary import Summary
from sentcli.scoring.labels import Groups, groups_by_column
from sentcli.tables.options import ReadOptions

ROWS = [(n, ("b, c", "a", "", "\u00e9")[n % 7 % 4], 1 + n % 5, "x" * (n % 9)) for n in range(3000)]
COLUMNS = ("id", "product", "stars", "text")
BY = ReadOptions(by=("product", "stars"))


def csv_of(columns, rows):
    file = io.StringIO(newline="")
    csv.writer(file).writerows([columns, *rows])
    return file.getvalue().encode()


def jsonl_of(columns, rows):
    return b"".join(orjson.dumps(dict(zip(columns, row, strict=True))) + b"\n" for row in rows)


def as_csv():
    return csv_of(COLUMNS, ROWS)


def as_jsonl():
    return jsonl_of(COLUMNS, ROWS)


def as_json():
    return orjson.dumps([dict(zip(COLUMNS, row, strict=True)) for row in ROWS])


def parquet_of(columns, rows):
    file = io.BytesIO()
    pq.write_table(
        pa.table(dict(zip(columns, zip(*rows, strict=True), strict=True))), file, row_group_size=1000
    )
    return file.getvalue()


def xlsx_of(columns, rows):
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"default_date_format": "dd/mm/yyyy hh:mm"}) as book:
        sheet = book.add_worksheet()
        for number, row in enumerate([columns, *rows]):
            sheet.write_row(number, 0, row)
    return file.getvalue()


def as_parquet():
    return parquet_of(COLUMNS, ROWS)


def as_xlsx():
    return xlsx_of(COLUMNS, ROWS)


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


DATES = [datetime(2025, 11 + number // 30, 1 + number % 30, 22, 5) for number in range(60)]
SPELLINGS = {
    "month first": (lambda day: f"{day.month}/{day.day}/{day:%y} {day:%I:%M %p}", ".csv"),
    "day first": (lambda day: f"{day:%d/%m/%Y}", ".csv"),
    "names": (lambda day: f"{day:%B} {day.day}, {day.year}", ".jsonl"),
    "seconds": (lambda day: int(day.replace(tzinfo=UTC).timestamp()), ".jsonl"),
    "Parquet": (lambda day: day, ".parquet"),
    "days of Parquet": (lambda day: day.date(), ".parquet"),
    "a workbook": (lambda day: day, ".xlsx"),
    "numbers of Excel": (lambda day: (day - datetime(1899, 12, 30)) / timedelta(1), ".xlsx"),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.usefixtures("small_chunks")
def test_rows_are_counted_by_month_whatever_the_spelling_of_dates(run, tmp_path, spelling, reverse):  # noqa: F811
    write, suffix = SPELLINGS[spelling]
    days = DATES[::-1] if reverse else DATES
    rows = [(write(day), "x" * (1 + day.month % 2)) for day in days]
    make = {".csv": csv_of, ".jsonl": jsonl_of, ".parquet": parquet_of, ".xlsx": xlsx_of}[suffix]
    (tmp_path / f"in{suffix}").write_bytes(make(("when", "text"), rows))
    read = ReadOptions(by=("when:month", "when:year", "when"))
    summary = run(tmp_path / f"in{suffix}", tmp_path / "out.xlsx", read=read)
    months, years, _ = groups_by_column(summary.groups, "odd").values()
    assert [(group.value, group.labels) for group in months] == [
        ("2025-12", {"odd": 30}),
        ("2025-11", {"even": 30}),
    ]
    assert [(group.value, group.rows) for group in years] == [("2025", 60)]
    assert not any(summary.doubts)
    sheet = CalamineWorkbook.from_path(tmp_path / "out.xlsx").get_sheet_by_name("Summary").to_python()
    assert ["2025-12", 30.0, 1.0] in [cells[:3] for cells in sheet]


def test_the_order_of_days_is_that_of_all_files(tmp_path):
    for name, date in (("a", "3/4/2026"), ("b", "4/13/2026"), ("c", "5/2/2026")):
        (tmp_path / f"{name}.csv").write_text(f"when,text\n{date},x\n")
    inputs, read = [str(tmp_path / f"{name}.csv") for name in "abc"], ReadOptions(by=("when:month",))
    summary = score_files(ParityScorer(), inputs, f"{tmp_path}/out/", read=read)
    (groups,) = groups_by_column(summary.groups, "odd").values()
    assert ([group.value for group in groups], summary.doubts) == (["2026-05", "2026-04", "2026-03"], [""])
    again = score_files(ParityScorer(), inputs[::2], f"{tmp_path}/out/", read=read)
    (doubt,) = again.doubts
    assert doubt.startswith(
        "when: the dates do not show whether the day or the month comes first in 03/04/2026"
    )
    own = ReadOptions(by=("when:month",), day_first=True)
    first = score_files(ParityScorer(), inputs[:1], f"{tmp_path}/own/", read=own)
    assert [*first.groups["when:month"], *first.doubts] == ["2026-04-03", ""]


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
    assert len(lines) == 23
    assert lines[-2:] == ["and 5 further values", "they do not differ by more than chance (p = 1.00)"]
    groups = Groups({"shop": {"north": Counter(even=1)}})
    assert [*Summary(groups=groups).tables("odd")] == [
        "shop         rows       odd  95 % interval",
        "north           1      0.0%  0.0% to 79.3%",
    ]
