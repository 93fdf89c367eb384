"""Types of columns: values come back from Parquet and workbooks as they were, or their column is text."""

import csv
import io
import json
from datetime import date, datetime, time, timedelta
from decimal import Decimal

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jobs import run_job, write_to_pipe
from sampling import every
from test_xlsx import cells_of, workbook

from sentcli.tables.options import ReadOptions, WriteOptions

MANY = settings(
    max_examples=200 // every(4), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

words = st.text(st.characters(codec="utf-8"), max_size=6)
names = st.text(st.characters(codec="utf-8"), max_size=3)
integers = st.integers(-(2**63) + 1, 2**63 - 1)
floats = st.floats(-1e19, 1e19, allow_nan=False)
numbers = floats | st.integers(-(2**53), 2**53)
scalars = st.sampled_from([words, st.booleans(), integers, floats, numbers])


def nested(inner):
    """Return strategies for lists, and for objects with the same types of fields."""
    lists = inner.map(lambda values: st.lists(st.none() | values, max_size=3))
    objects = st.dictionaries(names, inner, min_size=1, max_size=3).map(
        lambda fields: st.fixed_dictionaries({}, optional={name: st.none() | f for name, f in fields.items()})
    )
    return lists | objects


pure = st.recursive(scalars, nested, max_leaves=5)
anything = st.recursive(
    st.none() | words | st.booleans() | st.integers(-(10**30), 10**30) | floats,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=5,
)


@st.composite
def tables(draw):
    """Draw the records of a table, and the names of its columns that hold values of one type each."""
    kinds = draw(st.dictionaries(names.filter(lambda name: name.lower() != "text"), pure, max_size=3))
    mixed = draw(st.sets(names.filter(lambda name: name.lower() != "text" and name not in kinds), max_size=1))
    optional = {name: st.none() | kind for name, kind in kinds.items()} | dict.fromkeys(mixed, anything)
    record = st.fixed_dictionaries({"text": words}, optional=optional)
    return draw(st.lists(record, min_size=1, max_size=6)), [*kinds]


def filled(value, found):
    """Return a value with null for the fields that only other values have."""
    if isinstance(value, dict) and isinstance(found, dict):
        assert value.keys() <= found.keys()
        return {name: filled(value.get(name), found[name]) for name in found}
    if isinstance(value, list) and isinstance(found, list):
        return [filled(*pair) for pair in zip(value, found, strict=True)]
    return value


def has_empty_objects(values):
    """Return whether an object has no field in any of its values, so that Parquet cannot hold it."""
    present = [value for value in values if value is not None]
    if any(isinstance(value, dict) for value in present):
        fields = {name for value in present for name in value}
        return not fields or any(has_empty_objects([v.get(name) for v in present]) for name in fields)
    lists = [item for value in present if isinstance(value, list) for item in value]
    return bool(lists) and has_empty_objects(lists)


@MANY
@given(tables())
def test_values_of_json_come_back_from_parquet(tmp_path, convert, table):
    records, kinds = table
    data = b"".join(json.dumps(record).encode() + b"\n" for record in records)
    convert(data, "in.jsonl", ".parquet")
    rows = convert(
        (tmp_path / "out.parquet").read_bytes(), "in.parquet", ".jsonl", write=WriteOptions(prefix="n")
    )
    found = [*map(json.loads, rows.splitlines())]
    assert len(found) == len(records)
    for name in {name for record in records for name in record}:
        values = [record.get(name) for record in records]
        is_kept = name == "text" or (name in kinds and not has_empty_objects(values))
        for value, now in zip(values, [row[name] for row in found], strict=True):
            if not is_kept and isinstance(now, str) and not isinstance(value, str):
                now = json.loads(now)
            now_like = filled(value, now)
            assert now_like == now
            assert type(now) is not bool or type(value) is bool


moments = st.datetimes(datetime(1901, 1, 1), datetime(9999, 12, 31)).map(
    lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000)
)
cells = st.sampled_from(
    [
        st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=6),
        st.booleans(),
        floats,
        st.integers(-(10**15) + 1, 10**15 - 1),
        st.dates(date(1901, 1, 1)),
        moments,
        moments.map(datetime.time),
        st.integers(0, 10**9).map(lambda seconds: timedelta(seconds=seconds)),
    ]
)


@MANY
@given(st.data())
def test_cells_of_workbooks_come_back_from_parquet(tmp_path, convert, data):
    kinds = data.draw(st.lists(cells, max_size=4))
    rows = data.draw(st.lists(st.tuples(*(st.none() | kind for kind in kinds)), min_size=1, max_size=5))
    sheet = workbook(A=[["text", *map(str, range(len(kinds)))], *(["x", *row] for row in rows)])
    convert(sheet, "in.xlsx", ".parquet")
    parquet = (tmp_path / "out.parquet").read_bytes()
    back = convert(parquet, "in.parquet", ".xlsx", write=WriteOptions(prefix="n"))
    width = len(kinds) + 1
    assert [row[:width] for row in cells_of(back)] == cells_of(sheet)


def types_of(path):
    schema = pq.read_schema(path)
    return {field.name: str(field.type) for field in schema if not field.name.startswith("sentiment")}


CSV = {  # values of a column, its type, what Parquet holds
    "integers": (["1", "", "-20"], "int64", [1, None, -20]),
    "decimals": (["4.50", "3", "-0.125"], "double", [4.5, 3, -0.125]),
    "exact": (["0.30000000000000004", "5.0", ""], "double", [0.1 + 0.2, 5, None]),
    "booleans": (["true", "", "false"], "bool", [True, None, False]),
    "dates": (["2024-01-31", "", "0999-12-01"], "date32[day]", [date(2024, 1, 31), None, date(999, 12, 1)]),
    "times": (
        ["2024-01-31 10:00:00", "2024-01-31 10:00:00.50", ""],
        "timestamp[us]",
        [datetime(2024, 1, 31, 10), datetime(2024, 1, 31, 10, 0, 0, 500000), None],
    ),
    **{
        value: (["1", value, ""], "string", ["1", value, ""])
        for value in (
            *("007", "+1", " 1", "1e5", "1_0", "1.", ".5", "5,1", "NaN", "inf", "true", "x", "\u0661"),
            *("2024-01-31", "12345678901234567890", "0.12345678901234567", "9" * 5000),
        )
    },
    "both": (["9007199254740993", "1.5", ""], "string", None),
    "True": (["True", "False", ""], "string", None),
    "T": (["2024-01-31T10:00:00", "", ""], "string", None),
    "zone": (["2024-01-31 10:00:00+00:00", "", ""], "string", None),
    "day and time": (["2024-01-31", "2024-01-31 00:00:00", ""], "string", None),
    "invalid": (["2024-02-30", "", ""], "string", None),
    "empty": (["", "", ""], "string", ["", "", ""]),
}


def written(columns, delimiter=","):
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter)
    writer.writerow(["text", *columns])
    writer.writerows(zip(["12", "13", "14"], *columns.values(), strict=True))
    return out.getvalue().encode()


@pytest.mark.parametrize("chunk_rows", [1, 100])
def test_columns_of_csv_have_a_type_if_all_texts_come_back(
    convert, tmp_path, monkeypatch, caplog, chunk_rows
):
    monkeypatch.setattr("sentcli.tables.chunk._FIRST_ROWS", chunk_rows)
    monkeypatch.setattr("sentcli.tables.chunk._SMALL_BYTES", 0)
    data = written({name: values for name, (values, _, _) in CSV.items()})
    read = ReadOptions(text_column="text")
    convert(data, "in.csv", ".parquet", read=read)
    found = types_of(tmp_path / "out.parquet")
    assert found == {"text": "string", **{name: kind for name, (_, kind, _) in CSV.items()}}
    table = pq.read_table(tmp_path / "out.parquet")
    for name, (values, _, expected) in CSV.items():
        assert table[name].to_pylist() == (values if expected is None else expected)
    assert caplog.text == ""
    convert(data, "in.csv", ".parquet", read=read, write=WriteOptions(strings=True))
    assert {*types_of(tmp_path / "out.parquet").values()} == {"string"}
    assert pq.read_table(tmp_path / "out.parquet")["integers"].to_pylist() == ["1", "", "-20"]


def test_cells_have_the_types_of_csv(convert):
    columns = {name: CSV[name][0] for name in ("integers", "decimals", "booleans", "dates", "times", "007")}
    columns |= {
        "many digits": ["999999999999999", "1000000000000000", "1"],
        "old": ["1899-12-31", "1900-01-01", ""],
    }
    data = written(columns, "\t")
    _, *rows = cells_of(convert(data, "in.tsv", ".xlsx", read=ReadOptions(text_column="text")))
    assert [row[:-2] for row in rows] == [
        [
            "12",
            1.0,
            4.5,
            True,
            date(2024, 1, 31),
            datetime(2024, 1, 31, 10),
            "1",
            999999999999999.0,
            "1899-12-31",
        ],
        [
            "13",
            "",
            3.0,
            "",
            "",
            datetime(2024, 1, 31, 10, 0, 0, 500000),
            "007",
            "1000000000000000",
            date(1900, 1, 1),
        ],
        ["14", -20.0, -0.125, False, "0999-12-01", "", "", 1.0, ""],
    ]


def test_all_inputs_decide_together(run, tmp_path):
    (tmp_path / "a.csv").write_text("text,n,m,id\nx,1,1,\n")
    (tmp_path / "b.csv").write_text("text,n,m,id\nx,1.5,x,7\n")
    (tmp_path / "a.jsonl").write_text('{"text":"x","n":1,"m":[1]}\n')
    (tmp_path / "b.jsonl").write_text('{"text":"x","n":1.5,"m":["a"],"id":7}\n')
    for suffix in ("csv", "jsonl"):
        for order in ("ab", "ba"):
            out = tmp_path / f"{order}.{suffix}.parquet"
            run([tmp_path / f"{name}.{suffix}" for name in order], out)
            assert types_of(out) == {"text": "string", "n": "double", "m": "string", "id": "int64"}
            by_name = dict(zip(order, pq.read_table(out)["n"].to_pylist(), strict=True))
            assert by_name == {"a": 1.0, "b": 1.5}


def test_a_type_that_changes_late_loses_no_row(convert, tmp_path, caplog):
    records = [{"id": number, "text": "x", "late": number} for number in range(20_000)]
    records[15_000]["late"] = "n/a"
    records[15_001]["id"] = 0.5
    convert(b"".join(orjson.dumps(record) + b"\n" for record in records), "in.jsonl", ".parquet")
    rows = pq.read_table(tmp_path / "out.parquet")
    assert rows["id"].to_pylist() == [record["id"] for record in records]
    assert rows["late"].to_pylist() == [str(record["late"]) for record in records]
    assert "columns with values of several types become text: late" in caplog.text


def test_the_rows_of_a_trial_decide(convert, tmp_path):
    convert(b"text,n\nx,1\nx,2\nx,z\n", "in.csv", ".parquet", read=ReadOptions(limit=2))
    assert types_of(tmp_path / "out.parquet") == {"text": "string", "n": "int64"}


def test_rejected_rows_of_csv_do_not_decide(convert, tmp_path):
    convert(b"text,n\nx,1\nx,z,z\n\nx,2\n", "in.csv", ".parquet")
    assert types_of(tmp_path / "out.parquet") == {"text": "string", "n": "int64"}
    convert(b"text,n\nx,1,1\n", "in.csv", ".parquet")
    assert types_of(tmp_path / "out.parquet") == {"text": "string", "n": "string"}


def test_a_pipe_is_text(tmp_path):
    for suffix, data in (("csv", b"text,n\nx,1\n"), ("jsonl", b'{"text":"x","n":1}\n')):
        out = tmp_path / f"{suffix}.parquet"
        run_job(write_to_pipe(tmp_path / f"in.{suffix}", data), out)
        assert types_of(out) == {"text": "string", "n": "string"}


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ([], "list<item: string>"),
        ([None], "list<item: string>"),
        ([[1], [0.5]], "list<item: list<item: double>>"),
        ({"a": None, "b": {"c": True}}, "struct<a: string, b: struct<c: bool>>"),
        ({}, "string"),
        ([1, "a"], "string"),
        ([True, 0.5], "string"),
        (2**63, "string"),
        (10**30, "string"),
        ([2**53 + 1, 0.5], "string"),
        ({str(number): 1 for number in range(101)}, "string"),
        (json.loads("[" * 30 + "]" * 30), "string"),
    ],
)
def test_values_that_parquet_cannot_hold_are_text(convert, tmp_path, value, kind):
    data = json.dumps({"text": "x", "value": value}).encode()
    convert(data, "in.jsonl", ".parquet")
    assert types_of(tmp_path / "out.parquet")["value"] == kind
    (found,) = pq.read_table(tmp_path / "out.parquet")["value"].to_pylist()
    assert (json.loads(found) if kind == "string" else found) == value


def test_times_and_decimals_of_parquet_are_cells(run, tmp_path):
    moment = datetime(2024, 1, 31, 10, 0, 0, 1000)
    columns = {
        "text": ["x", "x"],
        "day": [date(2024, 1, 31), date(1800, 1, 1)],
        "at": pa.array([moment, moment.replace(microsecond=1)]),
        "zone": pa.array([moment, None], pa.timestamp("ms", "UTC")),
        "time": [time(10), time(10, 0, 0, 1)],
        "wait": [timedelta(hours=30), timedelta(-1)],
        "far": pa.array([253402300800, 0], pa.timestamp("s")),
        "money": [Decimal("1.10"), Decimal("1234567890123456789.12")],
    }
    pq.write_table(pa.table(columns), tmp_path / "in.parquet")
    run(tmp_path / "in.parquet", tmp_path / "out.xlsx")
    _, *rows = cells_of((tmp_path / "out.xlsx").read_bytes())
    first, second = (dict(zip(columns, row, strict=False)) for row in rows)
    assert first == {
        "text": "x",
        "day": date(2024, 1, 31),
        "at": moment,
        "zone": "2024-01-31 10:00:00.001Z",
        "time": time(10),
        "wait": timedelta(hours=30),
        "far": "10000-01-01 00:00:00.000",
        "money": 1.1,
    }
    assert second == {
        "text": "x",
        "day": "1800-01-01",
        "at": "2024-01-31 10:00:00.000001",
        "zone": "",
        "time": "10:00:00.000001",
        "wait": "-PT86400S",
        "far": date(1970, 1, 1),
        "money": "1234567890123456789.12",
    }
