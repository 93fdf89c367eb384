"""Input of one format, output of another: each value arrives, or its row is rejected."""

import itertools
import json

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_tables_parquet import rich_table

from sentcli.errors import DataError
from sentcli.tables import FORMATS, ReadOptions, WriteOptions

SUFFIXES = {"csv": ".csv", "tsv": ".tsv", "jsonl": ".jsonl", "parquet": ".parquet", "lines": ".txt"}


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


def test_json_numbers_keep_their_digits(convert, tmp_path):
    numbers = [b"1.50", b"-0", b"1e5", b"1" * 40, b"0.1"]
    for number in numbers:
        data = b'{"text":"x","n":' + number + b',"deep":[1,{"a":' + number + b"}]}"
        expected = b'x,%b,"[1,{""a"":%b}]",odd,0.142857\n' % (number, number)
        assert convert(data, "in.jsonl", ".csv").splitlines(keepends=True)[1] == expected
        convert(data, "in.jsonl", ".parquet")
        assert pq.read_table(tmp_path / "out.parquet")["n"].to_pylist() == [number.decode()]


def test_json_values_that_are_no_strings(convert, tmp_path):
    data = b'{"text":"x","a":null,"b":true,"c":{}}\n{"text":null}\n'
    out = convert(data, "in.jsonl", ".csv")
    assert out == b"text,a,b,c,sentiment,sentiment_score\nx,,true,{},odd,0.142857\n,,,,,\n"
    convert(data, "in.jsonl", ".parquet")
    rows = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert [rows[0][name] for name in "abc"] == [None, "true", "{}"]
    assert [rows[1][name] for name in "abc"] == [None, None, None]


@pytest.mark.parametrize("target", [".csv", ".parquet", ".txt"])
@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (b'{"text":"y","z":1}', "the key 'z' is not one of the first record's"),
        (b'{"text":"y","a":1,"a":2}', "a key is there twice"),
        (b'{"text":"y","a":{"b":1,"b":2}}', "a key is there twice"),
        (b'{"text":"y","a":' + b"[" * 1020 + b"]" * 1020 + b"}", "maximum recursion depth exceeded"),
    ],
)
def test_a_record_that_does_not_fit_the_columns_is_rejected(convert, rejects, target, record, reason):
    convert(b'{"text":"x","a":1}\n' + record + b"\n", "in.jsonl", target)
    (found,) = rejects()
    assert (found["line"], found["raw"].encode()) == (2, record + b"\n")
    assert found["reason"].startswith(reason)


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
        "float": 1.5, "time": "1970-01-01 01:00:00.000000001+0100", "day": "2024-01-01", "money": "1.10",
        "list": [1, None], "struct": {"a": "eA=="}, "map": [["k", 1]], "nothing": None,
        "sentiment": "odd", "sentiment_score": 0.142857,
    }  # fmt: skip
    assert json.loads(second)["float"] is None
    out = convert(data, "in.parquet", ".csv").decode().splitlines()
    assert out[1] == (
        "x,a,a,/w==,true,1,18446744073709551615,1.5,1970-01-01 01:00:00.000000001+0100,2024-01-01,1.10,"
        '"[1,null]",'
        '"{""a"":""eA==""}","[[""k"",1]]",,odd,0.142857'
    )


def test_names_that_come_twice_fit_only_their_own_format(convert):
    for target in (".jsonl", ".parquet", ".tsv", ".txt"):
        with pytest.raises(DataError, match="the column 'a' is there 2 times"):
            convert(b"a,a,text\n1,2,x\n", target=target)


@pytest.mark.parametrize("target", SUFFIXES.values())
@pytest.mark.parametrize("source", [".csv", ".jsonl", ".txt"])
def test_an_empty_input(convert, tmp_path, source, target):
    out = convert(b"", "in" + source, target)
    if target == ".parquet":
        assert pq.read_table(tmp_path / "out.parquet").column_names[-2:] == ["sentiment", "sentiment_score"]
    elif source == ".txt" and target in (".csv", ".tsv"):
        assert out.split()[0].startswith(b"text")
    else:
        assert out == b""


TEXT = st.text(st.characters(codec="utf-8"), max_size=8)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=5))
def test_strings_survive_every_way_through_the_formats(run, tmp_path, rows):
    """Start from JSON Lines, go through each two formats and back: the same strings, labels and scores."""
    start = tmp_path / "start.jsonl"
    start.write_text("".join(json.dumps({"id": a, "text": b}) + "\n" for a, b in rows))
    through = [form for form in FORMATS if form != "lines"]
    for number, forms in enumerate(itertools.product(through, through)):
        path = start
        for step, form in enumerate((*forms, "jsonl")):
            target = tmp_path / f"{number}-{step}{SUFFIXES[form]}"
            write = WriteOptions(prefix=f"p{step}_")
            run(path, target, overwrite=True, read=ReadOptions(text_column="text"), write=write)
            path = target
        found = [json.loads(line) for line in path.read_text().split("\n")[:-1]]
        assert [(row["id"], row["text"]) for row in found] == rows
        assert all((row["p0_sentiment"] or None) == row["p2_sentiment"] for row in found)
