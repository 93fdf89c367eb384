"""Arrow IPC and ORC, which are read and not written."""

import json

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.orc as orc
import pyarrow.parquet as pq
import pytest
from jobs import ParityScorer, read_chunks, score_files
from sampling import every
from test_parquet import rich_table, strings

from sentcli.errors import DataError, InterruptedRunError, OutputError, UsageError
from sentcli.runs import ledger
from sentcli.tables import record_batches
from sentcli.tables.options import ReadOptions, WriteOptions


def write_file(table, path):
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)


def write_stream(table, path):
    with pa.ipc.new_stream(path, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)


def write_feather(table, path):
    feather.write_feather(table, str(path), compression="zstd")


WAYS = {"file.arrow": write_file, "stream.ipc": write_stream, "v2.feather": write_feather}
ORC = {"x.orc": orc.write_table}


@pytest.mark.parametrize("name", WAYS)
def test_arrow_becomes_parquet_with_the_same_schema_and_values(tmp_path, run, name):
    table = rich_table()
    WAYS[name](table, tmp_path / name)
    run(tmp_path / name, tmp_path / "out.parquet")
    found = pq.read_table(tmp_path / "out.parquet")
    assert found.column_names == [*table.column_names, "sentiment", "sentiment_score"]
    kept = found.select(table.column_names)
    assert kept.schema.equals(table.schema)
    assert found.schema.metadata == table.schema.metadata
    assert kept.drop_columns("float").equals(table.drop_columns("float"))
    assert found["sentiment"].to_pylist() == ["odd", None, None]


def test_orc_becomes_parquet_with_the_same_schema_and_values(tmp_path, run):
    lost = ["large", "coded", "big", "time", "nothing"]  # types that ORC does not have
    table = rich_table().drop_columns(lost)
    orc.write_table(table, tmp_path / "in.orc")
    table = orc.read_table(tmp_path / "in.orc")
    run(tmp_path / "in.orc", tmp_path / "out.parquet")
    kept = pq.read_table(tmp_path / "out.parquet").select(table.column_names)
    assert kept.schema.types == table.schema.types
    assert kept.drop_columns("float").equals(table.drop_columns("float"))


@pytest.mark.parametrize(("name", "write"), [*WAYS.items(), *ORC.items()])
def test_other_formats_hold_what_they_hold_of_parquet(tmp_path, run, name, write):
    table = pa.table({"id": [1, 2, 3], "text": ["x", None, "xx"], "at": pa.array([0, None, 1], pa.date32())})
    write(table, tmp_path / name)
    pq.write_table(table, tmp_path / "same.parquet")
    for suffix in (".csv", ".jsonl", ".txt"):
        run(tmp_path / name, tmp_path / f"out{suffix}")
        run(tmp_path / "same.parquet", tmp_path / f"same{suffix}")
        assert (tmp_path / f"out{suffix}").read_bytes() == (tmp_path / f"same{suffix}").read_bytes()


@pytest.mark.parametrize(("name", "write"), [*WAYS.items(), *ORC.items()])
def test_in_a_folder_and_on_standard_output_it_is_parquet(tmp_path, monkeypatch, capfdbinary, name, write):
    write(pa.table({"text": ["x"]}), tmp_path / name)
    score_files(ParityScorer(), [str(tmp_path / name)], f"{tmp_path}/out/")
    (made,) = (tmp_path / "out").glob("[!.]*")
    assert made.name == f"{name.partition('.')[0]}.parquet"
    assert pq.read_table(made)["sentiment"].to_pylist() == ["odd"]
    score_files(ParityScorer(), [str(tmp_path / name)], "-")
    assert capfdbinary.readouterr().out == made.read_bytes()
    form = "orc" if name.endswith("orc") else "arrow"
    (tmp_path / name).rename(tmp_path / "noname")
    read = ReadOptions(format=form)
    score_files(ParityScorer(), [str(tmp_path / "noname")], f"{tmp_path}/out/", read=read)
    assert pq.read_table(tmp_path / "out" / "noname").num_rows == 1


def test_compressed_files_are_read(tmp_path, run):
    write_stream(pa.table({"text": ["x"]}), tmp_path / "a.arrow")
    (tmp_path / "a.arrow.zst").write_bytes(pa.Codec("zstd").compress((tmp_path / "a.arrow").read_bytes()))
    run(tmp_path / "a.arrow.zst", tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_bytes() == b"text,sentiment,sentiment_score\nx,odd,0.142857\n"


@pytest.mark.parametrize("target", ["o.arrow", "o.feather", "o.orc"])
def test_they_are_not_written(tmp_path, run, target):
    (tmp_path / "a.csv").write_bytes(b"text\nx\n")
    form = "orc" if target == "o.orc" else "arrow"
    for name, options in ((target, {}), ("out", {"write": WriteOptions(format=form)})):
        with pytest.raises(UsageError, match=rf"{form} can only be read: .*{name}; give -o OUT.parquet"):
            run(tmp_path / "a.csv", tmp_path / name, **options)


def test_small_batches_are_joined_and_large_ones_cut(tmp_path, monkeypatch):
    table = pa.table({"text": [f"{number:0100}" for number in range(20_000)]})
    for name, rows in (("small.arrow", 100), ("large.arrow", 20_000)):
        with pa.ipc.new_file(tmp_path / name, table.schema) as writer:
            writer.write_table(table, max_chunksize=rows)
    sizes = {
        name: [len(chunk.texts) for chunk in read_chunks(tmp_path / name)]
        for name in ("small.arrow", "large.arrow")
    }
    assert sizes == {"small.arrow": [8200, 8200, 3600], "large.arrow": [8192, 8192, 3616]}
    monkeypatch.setattr(record_batches, "CHUNK_BYTES", 100_000)
    assert max(len(chunk.texts) for chunk in read_chunks(tmp_path / "large.arrow")) < 2000


def test_a_dictionary_may_change_in_a_stream(tmp_path, run):
    kind = pa.dictionary(pa.int8(), pa.string())
    with pa.ipc.new_stream(tmp_path / "in.arrow", pa.schema([("text", kind)])) as writer:
        for values in (["x", "yy"], ["zz", "x"], ["x", None]):
            writer.write_batch(pa.record_batch([pa.array(values, kind)], ["text"]))
    run(tmp_path / "in.arrow", tmp_path / "out.parquet")
    assert pq.read_table(tmp_path / "out.parquet")["text"].to_pylist() == ["x", "yy", "zz", "x", "x", None]


@pytest.mark.parametrize(("name", "write"), [*WAYS.items(), *ORC.items()])
def test_no_rows(tmp_path, run, name, write):
    write(pa.table({"id": pa.array([], pa.int64()), "text": pa.array([], pa.string())}), tmp_path / name)
    assert run(tmp_path / name, tmp_path / "out.parquet").rows == 0
    assert pq.read_schema(tmp_path / "out.parquet").names == ["id", "text", "sentiment", "sentiment_score"]


def test_a_long_text_is_rejected_and_a_limit_ends_the_rows(tmp_path, run, rejects):
    write_file(pa.table({"text": ["x", "y" * 101, "x", "x"]}), tmp_path / "in.arrow")
    job = run(tmp_path / "in.arrow", tmp_path / "out.csv", read=ReadOptions(max_row_bytes=100, limit=2))
    assert (job.rows, job.rejected) == (2, 1)
    assert (rejects()[0]["line"], rejects()[0]["raw"]) == (2, "y" * 101)


@pytest.mark.parametrize("name", ["file.arrow", "x.orc"])
def test_a_stopped_run_continues_with_the_same_bytes(tmp_path, run, monkeypatch, name):
    monkeypatch.setattr(ledger, "COMMIT_SECONDS", 0)
    table = pa.table({"id": range(30_000), "text": [f"{number}" for number in range(30_000)]})
    if name == "x.orc":
        orc.write_table(table, tmp_path / name, stripe_size=1 << 12)
    else:
        write_feather(table, tmp_path / name)
    run(tmp_path / name, tmp_path / "whole.parquet")
    with pytest.raises(InterruptedRunError, match="the same command continues"):
        run(tmp_path / name, tmp_path / "out.parquet", scorer=ParityScorer(stop_after=2))
    scorer = ParityScorer()
    run(tmp_path / name, tmp_path / "out.parquet", scorer=scorer)
    assert scorer.scored < 30_000
    assert (tmp_path / "out.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()


@pytest.mark.parametrize(
    "data", [b"", b"ARROW1", b"x" * 100, b"ARROW1\0\0" + b"\xff" * 100 + b"ARROW1", b"FEA1" + b"\0" * 40]
)
@pytest.mark.parametrize("name", ["in.arrow", "in.orc"])
def test_what_is_neither(convert, name, data):
    with pytest.raises(DataError, match=rf"{name}: "):
        convert(data, name, ".csv")


def test_a_text_that_is_not_utf8_is_damage(tmp_path, run):
    write_file(pa.table({"text": strings(b"x", b"\xff")}), tmp_path / "in.arrow")
    with pytest.raises(DataError, match="Invalid UTF8"):
        run(tmp_path / "in.arrow", tmp_path / "out.csv")


@pytest.mark.parametrize(
    ("name", "write"), [("file.arrow", write_file), ("stream.ipc", write_stream), *ORC.items()]
)
def test_any_byte_changed_or_missing_is_an_error_or_a_result(tmp_path, run, name, write):
    coded = pa.array(["a", "b"] * 25).dictionary_encode()
    columns = {"id": range(50), "text": ["some text"] * 50, "list": [["y"]] * 50}
    write(pa.table(columns | ({} if name == "x.orc" else {"coded": coded})), tmp_path / f"good{name}")
    good = (tmp_path / f"good{name}").read_bytes()
    for place in range(0, len(good), 29 * every(4)):
        broken = bytearray(good)
        broken[place] ^= 0x15
        for data in (bytes(broken), good[:place]):
            (tmp_path / name).write_bytes(data)
            try:
                run(tmp_path / name, tmp_path / "out.jsonl", overwrite=True)
                [json.loads(line) for line in (tmp_path / "out.jsonl").read_bytes().splitlines()]
            except (DataError, OutputError):
                assert not list(tmp_path.glob(".out*"))
