"""Input of one format, output of another: each value arrives, or its row is rejected."""

import csv
import datetime as dt
import decimal
import io
import itertools
import json
import os
import re
import struct
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jobs import ParityScorer
from test_parquet import rich_table
from test_xlsx import cells_of

from sentcli.errors import DataError
from sentcli.tables.options import ReadOptions, ResultColumn, WriteOptions
from sentcli.tables.registry import OUTPUT_FORMATS, get_format

SUFFIXES = {name: get_format(name).suffixes[0] for name in OUTPUT_FORMATS}


def test_csv_values_are_strings_everywhere(convert, tmp_path):
    data = b'id,text,n\n001,"x,\n""y""",NA\n\n2,,\n'
    assert convert(data, target=".jsonl") == (
        b'{"id":"001","text":"x,\\n\\"y\\"","n":"NA","sentiment":"even","sentiment_score":0.857143}\n'
        b'{"id":"2","text":"","n":"","sentiment":null,"sentiment_score":null}\n'
    )
    assert convert(data, target=".tsv") == (
        b'id\ttext\tn\tsentiment\tsentiment_score\n001\t"x,\n""y"""\tNA\teven\t0.857143\n2\t\t\t\t\n'
    )
    assert convert(data, target=".txt") == b'even\t0.857143\tx, "y"\n\t\t\n'
    convert(data, target=".parquet")
    assert pq.read_table(tmp_path / "out.parquet").to_pylist() == [
        {"id": "001", "text": 'x,\n"y"', "n": "NA", "sentiment": "even", "sentiment_score": 0.857143},
        {"id": "2", "text": "", "n": "", "sentiment": None, "sentiment_score": None},
    ]


def test_json_numbers_keep_their_digits(convert):
    numbers = [b"1.50", b"-0", b"1e5", b"1" * 40, b"0.1"]
    for number in numbers:
        data = b'{"text":"x","n":' + number + b',"deep":[1,{"a":' + number + b"}]}"
        expected = b'x,%b,"[1,{""a"":%b}]",odd,0.142857\n' % (number, number)
        assert convert(data, "in.jsonl", ".csv").splitlines(keepends=True)[1] == expected


def test_json_values_that_are_no_strings(convert, tmp_path):
    data = b'{"text":"x","a":null,"b":true,"c":{}}\n{"text":null}\n'
    out = convert(data, "in.jsonl", ".csv")
    assert out == b"text,a,b,c,sentiment,sentiment_score\nx,,true,{},odd,0.142857\n,,,,,\n"
    convert(data, "in.jsonl", ".parquet")
    rows = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert [rows[0][name] for name in "abc"] == [None, True, "{}"]
    assert [rows[1][name] for name in "abc"] == [None, None, None]


@pytest.mark.parametrize("target", [".csv", ".parquet"])
@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (b'{"text":"y","a":1,"a":2}', "a key occurs twice"),
        (b'{"text":"y","a":{"b":1,"b":2}}', "a key occurs twice"),
        (b'{"text":"y","a":' + b"[" * 300 + b"]" * 300 + b"}", "a value is nested too deeply"),
        (b'{"text":"y","a":' + b"[" * 1020 + b"]" * 1020 + b"}", "a value is nested too deeply"),
    ],
)
def test_a_record_that_does_not_fit_the_columns_is_rejected(convert, rejects, target, record, reason):
    convert(b'{"text":"x","a":1}\n' + record + b"\n", "in.jsonl", target)
    (found,) = rejects()
    assert (found["line"], found["raw"].encode()) == (2, record + b"\n")
    assert found["reason"].startswith(reason)
    assert convert(b'{"text":"x","a":1}\n' + record + b"\n", "in.jsonl", ".txt").endswith(b"\ty\n")


@pytest.mark.parametrize("target", SUFFIXES.values())
def test_nothing_but_rejected_rows(convert, rejects, target):
    convert(b"bad\n" * 5000, "in.jsonl", target)
    assert len(rejects()) == 5000


def test_parquet_values(convert, tmp_path):
    pq.write_table(rich_table(), tmp_path / "table.parquet")
    data = (tmp_path / "table.parquet").read_bytes()
    first, second, _ = convert(data, "in.parquet", ".jsonl").splitlines()
    assert json.loads(first) == {
        "text": "x", "large": "a", "coded": "a", "bytes": "/w==", "flag": True, "stars": 1, "big": 2**64 - 1,
        "float": 1.5, "time": "1970-01-01 00:00:00.000000001Z", "day": "2024-01-01", "money": "1.10",
        "list": [1, None], "struct": {"a": "eA=="}, "map": [["k", 1]], "nothing": None,
        "sentiment": "odd", "sentiment_score": 0.142857,
    }  # fmt: skip
    assert json.loads(second)["float"] is None
    out = convert(data, "in.parquet", ".csv").decode().splitlines()
    assert out[1] == (
        "x,a,a,/w==,true,1,18446744073709551615,1.5,1970-01-01 00:00:00.000000001Z,2024-01-01,1.10,"
        '"[1,null]",'
        '"{""a"":""eA==""}","[[""k"",1]]",,odd,0.142857'
    )


@pytest.fixture
def convert_table(convert, tmp_path):
    """Give the lines that a table becomes."""

    def convert_table(columns, target, **options):
        pq.write_table(pa.table(columns), tmp_path / "table.parquet", **options)
        return convert((tmp_path / "table.parquet").read_bytes(), "in.parquet", target).decode().splitlines()

    return convert_table


TIMES = [
    pa.array([1704067200123456789, 1704067200000000000, None], pa.timestamp("ns")),
    pa.array([1704067200123456789, 0, None], pa.timestamp("ns", "Europe/Madrid")),
    pa.array([253402300800, 0, None], pa.timestamp("s")),  # the year 10000, which datetime has not
    pa.array([1, 2_000_000_000, None], pa.duration("ns")),
    pa.array([1, 0, None], pa.time64("ns")),
    pa.array([dt.date(2024, 1, 1), None, None]),
    pa.array([decimal.Decimal("1.10"), decimal.Decimal("0.00"), None]),
]


SECONDS = [93_603, 0, None, -93_603, 86_400, 59, 3_600, 60, 2 * 365 * 86_400]
DURATIONS = [None if s is None else f"{'-' * (s < 0)}PT{abs(s)}S" for s in SECONDS]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_durations_are_written_as_iso_8601_does(convert_table, unit):
    values = pa.array([None if s is None else dt.timedelta(seconds=s) for s in SECONDS], pa.duration(unit))
    columns = {"text": ["x"] * len(values), "wait": values}
    assert [json.loads(line)["wait"] for line in convert_table(columns, ".jsonl")] == DURATIONS
    found = [line.split(",")[1] for line in convert_table(columns, ".csv")[1:]]
    assert found == [duration or "" for duration in DURATIONS]
    pd = pytest.importorskip("pandas")  # as a judge
    assert [pd.Timedelta(text) for text in found if text] == [
        dt.timedelta(seconds=s) for s in SECONDS if s is not None
    ]


def test_durations_keep_their_last_digit(convert_table):
    ends = [1, 10, 3_500_000_000, -1, 2**63 - 1, -(2**63) + 1]
    columns = {"text": ["x"] * len(ends), "wait": pa.array(ends, pa.duration("ns"))}
    assert [json.loads(line)["wait"] for line in convert_table(columns, ".jsonl")] == [
        *("PT0.000000001S", "PT0.00000001S", "PT3.5S", "-PT0.000000001S"),
        *("PT9223372036.854775807S", "-PT9223372036.854775807S"),
    ]


def mark_intervals(path, *names):
    """Give columns of 12 bytes the type INTERVAL in the footer of a Parquet file, as DuckDB does."""
    data = path.read_bytes()
    size = int.from_bytes(data[-8:-4], "little")
    rows, footer = data[: -8 - size], data[-8 - size : -8]
    for name in names:
        element = bytes([0x18, len(name)]) + name.encode()
        assert footer.count(element + b"\0") == 1
        footer = footer.replace(element + b"\0", element + b"\x25\x2a\0")  # field 6 is 21
    path.write_bytes(rows + footer + len(footer).to_bytes(4, "little") + b"PAR1")


def interval(months, days, milliseconds):
    return struct.pack("<3I", months, days, milliseconds)


@pytest.fixture
def intervals(tmp_path):
    """Write a file with columns that hold intervals; return its bytes."""

    def intervals(columns, *names):
        path = tmp_path / "table.parquet"
        pq.write_table(pa.table(columns), path, store_schema=False)
        mark_intervals(path, *names)
        assert [column.converted_type for column in pq.ParquetFile(path).schema].count("INTERVAL") == len(
            names
        )
        return path.read_bytes()

    return intervals


def test_intervals_would_become_bytes_and_are_refused(convert, intervals):
    values = pa.array([interval(1, 2, 3)], pa.binary(12))
    nested = pa.StructArray.from_arrays([values], ["wait"])
    for column, name in ((values, "wait"), (nested, "stay.wait")):
        data = intervals({"text": ["x"], name.split(".")[0]: column}, "wait")
        message = f"in.parquet: the column '{name}' is an INTERVAL, which cannot be kept; make it text: CAST"
        for target in (".parquet", ".csv", ".jsonl"):
            with pytest.raises(DataError, match=re.escape(message)):
                convert(data, "in.parquet", target)


def in_list(kind, values):
    return pa.ListArray.from_arrays([0, 1, 2, 3], values).cast(kind(values.type))


def in_map(values):
    return pa.MapArray.from_arrays([0, 1, 2, 3], pa.array(["k"] * 3), values)


NESTED = {
    "struct": (lambda values: pa.StructArray.from_arrays([values], ["at"]), lambda value: {"at": value}),
    "list": (lambda values: in_list(pa.list_, values), lambda value: [value]),
    "large list": (lambda values: in_list(pa.large_list, values), lambda value: [value]),
    "fixed list": (lambda values: in_list(lambda kind: pa.list_(kind, 1), values), lambda value: [value]),
    "map": (in_map, lambda value: [["k", value]]),
    "list of maps": (lambda values: in_list(pa.list_, in_map(values)), lambda value: [[["k", value]]]),
}


@pytest.mark.parametrize("values", TIMES, ids=lambda values: str(values.type))
@pytest.mark.parametrize("nesting", NESTED)
def test_nested_values_are_written_as_those_of_a_column(convert_table, values, nesting):
    nest, expect = NESTED[nesting]
    columns = {"text": ["x"] * 3, "plain": values, "nested": nest(values)}
    rows = [json.loads(line) for line in convert_table(columns, ".jsonl")]
    assert type(rows[0]["plain"]) is str
    assert [row["nested"] for row in rows] == [expect(row["plain"]) for row in rows]
    assert len(convert_table(columns, ".csv")) == 4


def test_times_with_a_zone_are_written_in_utc(convert_table):
    moments = [dt.datetime(1900, 1, 1, tzinfo=dt.UTC), None, dt.datetime(2024, 7, 1, tzinfo=dt.UTC)]
    columns = {"text": ["x"] * 3}
    columns |= {zone: pa.array(moments, pa.timestamp("ms", zone)) for zone in ("Europe/Paris", "No/Where")}
    rows = [json.loads(line) for line in convert_table(columns, ".jsonl")]
    written = ["1900-01-01 00:00:00.000Z", None, "2024-07-01 00:00:00.000Z"]
    assert [row["Europe/Paris"] for row in rows] == [row["No/Where"] for row in rows] == written


@pytest.mark.parametrize(
    "kind", [pa.timestamp("us"), pa.timestamp("us", "UTC"), pa.timestamp("ms", "Asia/Tokyo")]
)
def test_times_that_cannot_be_written_are_rejected(convert_table, rejects, kind):
    moments = pa.array([0, 2**63 - 1, None]).cast(kind)
    lines = convert_table({"id": [1, 2, 3], "text": ["x", "y", "z"], "at": moments}, ".csv")
    assert [line[:3] for line in lines] == ["id,", "1,x", "3,z"]
    (found,) = rejects()
    assert (found["line"], found["reason"], found["raw"]) == (2, "a time is out of range", "y")


@pytest.mark.parametrize(
    "kind",
    [pa.null(), pa.list_(pa.null()), pa.struct([("a", pa.null())]), pa.map_(pa.string(), pa.null())],
    ids=str,
)
@pytest.mark.parametrize("longest", [100, 15])
def test_maps_of_nothing_but_nulls(convert, tmp_path, kind, longest):
    """With a row that is too long, the others are decoded one by one."""
    maps = pa.array([[("k", None), ("l", None)], None, [("k", None)], []], pa.map_(pa.string(), kind))
    texts = ["x", "x" * 50, "x", "x"]
    pq.write_table(pa.table({"text": texts, "map": maps}), tmp_path / "table.parquet")
    data = (tmp_path / "table.parquet").read_bytes()
    out = convert(data, "in.parquet", ".jsonl", read=ReadOptions(max_row_bytes=longest)).splitlines()
    is_row = [len(text) <= longest for text in texts]
    assert [json.loads(line)["map"] for line in out] == [
        [[*pair] for pair in pairs] if pairs is not None else None
        for pairs in maps.filter(pa.array(is_row)).to_pylist()
    ]


def test_nested_values_that_are_missing_and_empty(convert_table):
    at = pa.timestamp("ns")
    columns = {
        "text": ["x"] * 4,
        "list": pa.array([[None, 1], None, [], [2]], pa.list_(at)),
        "map": pa.array([[(1, None), (2, 3)], None, [], [(4, 5)]], pa.map_(at, at)),
        "struct": pa.array([{"a": None, "b": [b"x"]}, None, {"a": 1, "b": None}, {"a": 2, "b": []}],
                           pa.struct([("a", at), ("b", pa.list_(pa.binary()))])),
    }  # fmt: skip
    rows = [json.loads(line) for line in convert_table(columns, ".jsonl")]
    start = "1970-01-01 00:00:00.00000000"
    assert [row["list"] for row in rows] == [[None, f"{start}1"], None, [], [f"{start}2"]]
    assert [row["map"] for row in rows] == [
        [[f"{start}1", None], [f"{start}2", f"{start}3"]],
        None,
        [],
        [[f"{start}4", f"{start}5"]],
    ]
    assert [row["struct"] for row in rows] == [
        {"a": None, "b": ["eA=="]},
        None,
        {"a": f"{start}1", "b": None},
        {"a": f"{start}2", "b": []},
    ]


def test_nanoseconds_need_no_pandas(tmp_path):
    """In a process of its own: pyarrow looks for pandas once."""
    at = pa.array([{"at": 1704067200123456789}], pa.struct([("at", pa.timestamp("ns"))]))
    pq.write_table(pa.table({"text": ["x"], "seen": at}), tmp_path / "in.parquet")
    program = (
        "import sys; sys.modules['pandas'] = None\n"
        "from jobs import run_job\n"
        "run_job('in.parquet', 'out.csv')\n"
    )
    paths = os.pathsep.join(filter(None, sys.path))
    environment = {**os.environ, "PYTHONPATH": paths}
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True, env=environment)
    assert (tmp_path / "out.csv").read_text().splitlines()[1] == (
        'x,"{""at"":""2024-01-01 00:00:00.123456789""}",odd,0.142857'
    )


def test_a_struct_with_a_name_twice_is_rejected(convert_table, rejects):
    twice = pa.StructArray.from_arrays(
        [pa.array([1, 2]), pa.array([3, 4])], names=["a", "a"], mask=pa.array([False, True])
    )
    assert len(convert_table({"text": ["x", "y"], "s": twice}, ".jsonl")) == 1
    (found,) = rejects()
    assert (found["line"], found["reason"]) == (1, "a struct has two fields of the same name")


def test_numbers_that_json_does_not_have(convert_table):
    values = [float("inf"), float("-inf"), float("nan"), None, 1.5]
    columns = {
        "text": ["x"] * 5,
        "n": values,
        "small": pa.array(values, pa.float32()),
        "list": [[values[0]]] * 5,
    }
    lines = convert_table(columns, ".csv")[1:]
    assert [line.split(",")[1:4] for line in lines] == [
        ["inf", "inf", "[null]"],
        ["-inf", "-inf", "[null]"],
        ["nan", "nan", "[null]"],
        ["", "", "[null]"],
        ["1.5", "1.5", "[null]"],
    ]
    rows = [json.loads(line) for line in convert_table(columns, ".jsonl")]
    assert [row["n"] for row in rows] == [None, None, None, None, 1.5]


def test_numbers_in_single_precision_have_their_own_digits(convert_table):
    values = np.array([19.99, 4.35, 1 / 3, 16777216, 1e-45, 3.4028235e38], np.float32)
    columns = {
        "text": ["x"] * len(values),
        "n": values,
        "list": pa.array([[value] for value in values], pa.list_(pa.float32())),
    }
    lines = [json.loads(line) for line in convert_table(columns, ".jsonl")]
    assert [np.float32(line["n"]) for line in lines] == values.tolist()
    assert [line["n"] for line in lines[:2]] == [19.99, 4.35]
    assert [line["list"] for line in lines[:2]] == [[19.99], [4.35]]
    assert [line.split(",")[1] for line in convert_table(columns, ".csv")[1:3]] == ["19.99", "4.35"]


@pytest.mark.parametrize("store_schema", [True, False])
def test_bytes_and_uuids(convert_table, store_schema):
    uuids = pa.array([b"0" * 16, None], pa.uuid())
    columns = {
        "text": ["x", "x"],
        "id": uuids,
        "ids": pa.ListArray.from_arrays([0, 1, 2], uuids),
        "bytes": pa.array([b"\xff", None], pa.binary_view()),
        "fixed": pa.array([b"\xff", None], pa.binary(1)),
        "coded": pa.array([b"\xff", None]).dictionary_encode(),
    }
    uuid = "30303030-3030-3030-3030-303030303030"
    assert convert_table(columns, ".csv", store_schema=store_schema)[1:] == [
        f'x,{uuid},"[""{uuid}""]",/w==,/w==,/w==,odd,0.142857',
        "x,,[null],,,,odd,0.142857",
    ]
    first, _ = convert_table(columns, ".jsonl", store_schema=store_schema)
    values = json.loads(first)
    assert (values["id"], values["ids"], values["bytes"]) == (uuid, [uuid], "/w==")


def test_extension_types_are_written_as_what_they_hold(convert_table):
    flags = pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1, 0], pa.int8()))
    opaque = pa.ExtensionArray.from_storage(
        pa.opaque(pa.list_(pa.timestamp("ns")), "times", "tests"),
        pa.array([[1], None], pa.list_(pa.timestamp("ns"))),
    )
    assert convert_table({"text": ["x", "x"], "flag": flags, "times": opaque}, ".csv")[1:] == [
        'x,true,"[""1970-01-01 00:00:00.000000001""]",odd,0.142857',
        "x,false,,odd,0.142857",
    ]


def test_lines_need_nothing_of_a_row_but_its_text(convert, convert_table, tmp_path):
    columns = {"text": ["x", "x"], "sentiment": ["a", "b"], "at": pa.array([2**62, 0], pa.timestamp("us"))}
    assert convert_table(columns, ".txt") == ["odd\t0.142857\tx"] * 2
    assert convert(b"a,a,text\n1,2,x\n", target=".txt") == b"odd\t0.142857\tx\n"
    lines = b'{"text":"x"}\n{"text":"x","sentiment":"y"}\n'
    assert convert(lines, "in.jsonl", ".txt") == b"odd\t0.142857\tx\n" * 2
    table = pa.Table.from_arrays([pa.array(["x"])] * 3, names=["a", "a", "text"])
    pq.write_table(table, tmp_path / "table.parquet")
    written = convert((tmp_path / "table.parquet").read_bytes(), "in.parquet", ".txt")
    assert written == b"odd\t0.142857\tx\n"


def test_duplicate_column_names_fit_only_formats_without_keys(convert, tmp_path):
    table = pa.Table.from_arrays([pa.array(["x"])] * 3, names=["a", "a", "text"])
    pq.write_table(table, tmp_path / "table.parquet")
    data = {".csv": b"a,a,text\n1,2,x\n", ".parquet": (tmp_path / "table.parquet").read_bytes()}
    for source, target in itertools.product(data, (".jsonl", ".parquet")):
        if source != target:
            with pytest.raises(DataError, match=r"there are 2 columns 'a'; .*: -o OUT\.csv"):
                convert(data[source], f"in{source}", target)
    convert(data[".parquet"], "in.parquet")
    assert re.match(rb"a\ta\ttext\tsentiment\t.*\n1\t2\tx\t", convert(data[".csv"], "in.csv", ".tsv"))


@pytest.mark.parametrize("target", SUFFIXES.values())
@pytest.mark.parametrize("source", [".csv", ".jsonl", ".txt"])
def test_an_empty_input(convert, tmp_path, source, target):
    out = convert(b"", "in" + source, target)
    if target == ".parquet":
        assert pq.read_table(tmp_path / "out.parquet").column_names[-2:] == ["sentiment", "sentiment_score"]
    elif source == ".txt" and target in (".csv", ".tsv"):
        assert out.split()[0].startswith(b"text")
    elif target == ".xlsx":
        assert out.startswith(b"PK")
    else:
        assert out == (b"[]\n" if target == ".json" else b"")


TEXT = st.text(st.characters(codec="utf-8"), max_size=8)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=5))
def test_strings_survive_every_way_through_the_formats(run, tmp_path, rows):
    """Start from JSON Lines, go through each two formats and back: the same strings, labels and scores."""
    start = tmp_path / "start.jsonl"
    start.write_text("".join(json.dumps({"id": a, "text": b}) + "\n" for a, b in rows))
    through = [form for form in OUTPUT_FORMATS if form != "lines"]
    for number, forms in enumerate(itertools.product(through, through)):
        path = start
        for step, form in enumerate((*forms, "jsonl")):
            target = tmp_path / f"{number}-{step}{SUFFIXES[form]}"
            write = WriteOptions(prefix=f"p{step}_", strings=True)
            run(path, target, overwrite=True, read=ReadOptions(text_column="text"), write=write)
            path = target
        found = [json.loads(line) for line in path.read_text().split("\n")[:-1]]
        if "xlsx" in forms:  # an empty cell is an empty string too
            found = [{key: "" if value is None else value for key, value in row.items()} for row in found]
        assert [(row["id"], row["text"]) for row in found] == rows
        assert all((row["p0_sentiment"] or None) == (row["p2_sentiment"] or None) for row in found)


@pytest.mark.parametrize("form", ["csv", "tsv", "jsonl", "parquet", "lines"])
def test_probabilities_are_further_numbers_of_each_row(convert, tmp_path, form):
    scorer = ParityScorer(given_labels=("a", 'b,"'), probabilities=True)
    out = convert(b"text\nxyz\n \n", target=SUFFIXES[form], scorer=scorer)
    names = ["text", "sentiment", "sentiment_score", "probability_a", 'probability_b,"']
    if form == "lines":
        assert out == b'b,"\t0.428571\t0.571429\t0.428571\txyz\n\t\t\t\t \n'
    elif form == "parquet":
        table = pq.read_table(io.BytesIO(out))
        assert table.column_names == names
        assert [*table.to_pylist()[0].values()] == ["xyz", 'b,"', 0.428571, 0.571429, 0.428571]
        assert [*table.to_pylist()[1].values()] == [" ", None, None, None, None]
    elif form == "jsonl":
        rows = [json.loads(line) for line in out.splitlines()]
        assert [*rows[0].items()] == [*zip(names, ["xyz", 'b,"', 0.428571, 0.571429, 0.428571], strict=True)]
        assert [*rows[1].values()] == [" ", None, None, None, None]
    else:
        rows = [*csv.reader(out.decode().splitlines(), delimiter="\t" if form == "tsv" else ",")]
        assert rows == [names, ["xyz", 'b,"', "0.428571", "0.571429", "0.428571"], [" ", "", "", "", ""]]


def test_a_column_with_the_name_of_a_probability_is_refused(convert):
    with pytest.raises(DataError, match="a column 'Probability_Even' already; try --prefix"):
        convert(b"text,Probability_Even\nx,1\n", scorer=ParityScorer(probabilities=True))


@pytest.mark.parametrize("suffix", SUFFIXES.values())
def test_a_result_column_of_whole_numbers(convert, tmp_path, monkeypatch, suffix):
    """The ledger and the writers hold it without a change to them."""
    columns, count = WriteOptions.columns, ResultColumn("n", lambda scores: [0, None, 7], is_integer=True)
    monkeypatch.setattr(WriteOptions, "columns", lambda *given, **named: (*columns(*given, **named), count))
    monkeypatch.setattr("sentcli.runs.ledger.COMMIT_SECONDS", 0.0)
    out = convert(b"text\nx\nx\nx\n", target=suffix)
    if suffix == ".parquet":
        assert pq.read_table(io.BytesIO(out))["n"].to_pylist() == [0, None, 7]
    elif suffix == ".xlsx":
        assert [row[3:] for row in cells_of(out)] == [["n"], [0], [""], [7]]
    else:
        numbers = {".txt": rb"0.142857\t(\d*)\t", ".tsv": rb"0.142857\t(\d*)\n"}
        found = re.findall(numbers.get(suffix, rb"0.142857,(?:\"n\":)?(\d*|null)[\n}]"), out)
        assert [{b"null": b""}.get(number, number) for number in found] == [b"0", b"", b"7"]
