"""Columns from the names of folders."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from jobs import ParityScorer, score_files

from sentcli.errors import DataError, InterruptedRunError, OutputError
from sentcli.runs import inputs as runs_inputs
from sentcli.runs import ledger
from sentcli.runs.plan import partitions_of
from sentcli.tables.options import ReadOptions, WriteOptions

X = b"odd,0.142857"


def values_of(*names):
    return {column.name: (values, column.is_integer) for column, values in partitions_of(names).items()}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["d/year=2024/m=1/x.csv", "d/year=-1/m=0/x.csv"], {"year": ([2024, -1], True), "m": ([1, 0], True)}),
        (["m=01/x.csv", "m=2/x.csv"], {"m": (["01", "2"], False)}),
        (["m=12345678901234567890/x.csv"], {"m": (["12345678901234567890"], False)}),
        (["a%20b=c%2Fd%3D/x.csv"], {"a b": (["c/d="], False)}),
        (["m=__HIVE_DEFAULT_PARTITION__/x", "m=7/x"], {"m": ([None, 7], True)}),
        (["m=1/x.csv", "other/x.csv"], {"m": ([1, None], True)}),
        (["m=/x.csv", "m=1/x.csv"], {"m": (["", "1"], False)}),
        (["s3://b/m=1/x.csv?k=2/3", "https://h/m=2/y.csv#z=1"], {"m": ([1, 2], True)}),
        (["d/x=1.csv", "-", "=1/x.csv"], {}),
    ],
)
def test_names_and_values_of_folders(names, expected):
    assert values_of(*names) == expected


@pytest.fixture
def put(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def put(name, data):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
        return name

    return put


@pytest.fixture
def files(put):
    return [put("d/day=1/k=a,b/x.csv", b"id,text\n1,x\n\n2,x"), put("d/day=2/k=c/y.csv", b"id,text\n3,x\r\n")]


def run(inputs, output, **options):
    return score_files(options.pop("scorer", None) or ParityScorer(), inputs, str(output), **options)


def test_one_output_of_each_format_has_them_before_the_new_columns(files, tmp_path):
    run(["d"], "o.csv")
    assert (tmp_path / "o.csv").read_bytes() == (
        b'id,text,day,k,sentiment,sentiment_score\n1,x,1,"a,b",%b\n\n2,x,1,"a,b",%b\n3,x,2,c,%b\r\n'
        % (X, X, X)
    )
    for name in ("o.jsonl", "o.json"):
        run(["d"], name)
        lines = [line.rstrip(b",") for line in (tmp_path / name).read_bytes().splitlines() if len(line) > 1]
        rows = [json.loads(line) for line in lines]
        assert [(row["id"], row["day"], row["k"]) for row in rows] == [
            ("1", 1, "a,b"),
            ("2", 1, "a,b"),
            ("3", 2, "c"),
        ]
    run(["d"], "o.parquet")
    table = pq.read_table("o.parquet", partitioning=None)
    assert table.column_names == ["id", "text", "day", "k", "sentiment", "sentiment_score"]
    assert (table["day"].to_pylist(), table["day"].type) == ([1, 1, 2], pa.int64())
    run(["d"], "o.xlsx")
    run(["o.xlsx"], "back.csv", write=WriteOptions(prefix="n_"))
    assert b"3,x,2,c,odd," in (tmp_path / "back.csv").read_bytes()
    run(["d"], "o.txt")
    assert (tmp_path / "o.txt").read_bytes() == b"odd\t0.142857\tx\n" * 3


def test_records_of_the_same_format_are_copied(put, tmp_path):
    names = [put(f"day={day}/x.jsonl", b'{"n":1.50, "text":"x"}\n') for day in (1, 2)]
    run(names, "o.jsonl")
    rest = b'"sentiment":"odd","sentiment_score":0.142857}\n'
    assert (tmp_path / "o.jsonl").read_bytes() == b"".join(
        b'{"n":1.50, "text":"x","day":%d,%b' % (day, rest) for day in (1, 2)
    )
    table = pa.table({"n": pa.array([1], pa.int8()), "text": ["x"]}, metadata={"made": "by hand"})
    for day in ("a", "__HIVE_DEFAULT_PARTITION__"):
        pq.write_table(table, put(f"p/day={day}/x.parquet", b""))
    run(["p"], "o.parquet")
    found = pq.read_table("o.parquet", partitioning=None)
    assert found["day"].to_pylist() == [None, "a"]
    assert (found["n"].type, found.schema.metadata) == (pa.int8(), {b"made": b"by hand"})


def test_a_folder_of_outputs_keeps_the_folders_and_adds_nothing(files, tmp_path):
    run(["d"], "out/")
    assert (
        tmp_path / "out/day=2/k=c/y.csv"
    ).read_bytes() == b"id,text,sentiment,sentiment_score\n3,x,%b\r\n" % X


@pytest.mark.parametrize("name", ["day", "DAY"])
def test_a_column_of_the_file_wins(put, tmp_path, name):
    files = [put(f"day={day}/k=1/x.csv", f"{name},text\n9,x\n".encode()) for day in (1, 2)]
    run(files, "o.csv")
    line = b"9,x,1,%b\n" % X
    assert (
        tmp_path / "o.csv"
    ).read_bytes() == f"{name},text,k,sentiment,sentiment_score\n".encode() + 2 * line


def test_a_later_record_with_such_a_key_is_rejected(put, tmp_path, monkeypatch):
    monkeypatch.setattr(runs_inputs, "_MOST_OPEN", 1)
    files = [put(f"day={day}/x.jsonl", b'{"text":"x"}\n{"text":"x","Day":3}\n') for day in (1, 2, 3)]
    summary = run(files, "o.jsonl")
    assert (summary.rows, summary.rejected) == (3, 3)
    assert "'Day' already; try --drop day" in (tmp_path / "o.jsonl.rejects.jsonl").read_text()
    summary = run(files, "o.jsonl", read=ReadOptions(drop=("day",)), overwrite=True)
    assert (summary.rows, summary.rejected) == (6, 0)
    assert b'{"text":"x","Day":3,' in (tmp_path / "o.jsonl").read_bytes()
    summary = run(files, "o.csv")  # where all keys are known
    assert (summary.rows, summary.rejected) == (6, 0)
    assert (tmp_path / "o.csv").read_bytes().startswith(b"text,Day,sentiment,")


def test_a_folder_with_the_name_of_a_new_column_is_refused(put, tmp_path):
    name = put("Sentiment=1/x.csv", b"text\nx\n")
    with pytest.raises(DataError, match=r"x\.csv: the input has a column 'Sentiment' already"):
        run([name], "o.csv")
    run([name], "o.csv", write=WriteOptions(prefix="new_"))
    assert (tmp_path / "o.csv").read_bytes().startswith(b"text,Sentiment,new_sentiment,")


def test_a_value_that_the_encoding_lacks_fails_before_any_row(put, tmp_path):
    name = put("k=%E6%97%A5/x.csv", b"text\nx\n")
    with pytest.raises(OutputError, match="cannot be written in cp1252"):
        run([name], "o.csv", read=ReadOptions(encoding="cp1252"))
    assert not (tmp_path / "o.csv").exists()


def test_documents_have_their_folders_in_their_names(put, tmp_path):
    run([put("k=1/x.txt", b"x")], "o.csv", read=ReadOptions("documents"))
    assert (tmp_path / "o.csv").read_bytes() == b"name,text,sentiment,sentiment_score\nk=1/x.txt,x,%b\n" % X


@pytest.mark.usefixtures("small_chunks")
def test_a_stopped_run_continues_with_the_same_bytes(put, tmp_path, monkeypatch):
    monkeypatch.setattr(ledger, "COMMIT_SECONDS", 0)
    files = [put(f"day={day}/x.csv", b"text\n" + b"x\n" * 600) for day in (1, 2, 3)]
    run(files, "whole.csv")
    with pytest.raises(InterruptedRunError):
        run(files, "o.csv", scorer=ParityScorer(stop_after=4))
    run(files, "o.csv")
    assert (tmp_path / "o.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert (tmp_path / "o.csv").read_bytes().count(b"x,2,odd") == 600


@pytest.mark.parametrize(
    ("options", "header"),
    [
        ({"keep": ("text",)}, b"text,"),
        ({"keep": ("text", "day")}, b"text,day,"),
        ({"drop": ("day", "id")}, b"text,k,"),
    ],
)
def test_they_are_kept_and_dropped_as_other_columns(files, tmp_path, options, header):
    run(["d"], "o.csv", read=ReadOptions(**options))
    assert (tmp_path / "o.csv").read_bytes().startswith(header + b"sentiment,sentiment_score\n")
    with pytest.raises(DataError, match="no column 'none'; the columns are 'id', 'text', 'day', 'k'"):
        run(["d"], "p.csv", read=ReadOptions(drop=("none",)))
