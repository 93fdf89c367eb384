"""Files that are not trusted: damaged, made to fill the memory, or of a kind that pyarrow misreads."""

import datetime as dt
import re
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sentcli.errors import DataError, OutputError
from sentcli.files.source import Source, inspect_input
from sentcli.runs.opening import open_job
from sentcli.tables import pages, parquet_file
from sentcli.tables.chunk import Cursor


def int96(*times):
    return pa.array([dt.datetime.fromisoformat(time) if time else None for time in times], pa.timestamp("us"))


def test_batches_of_a_row_group_share_their_dictionary(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet_file, "CHUNK_ROWS", 4)
    kinds = pa.array(["a", "b", None, "c"] * 3).dictionary_encode()
    table = pa.table({"text": ["x"] * 12, "kind": kinds})
    pq.write_table(table, tmp_path / "in.parquet")
    with Source(inspect_input(str(tmp_path / "in.parquet"))) as source:
        batches = [*parquet_file.CheckedFile(source, Cursor()).batches()]
    assert [len(batch.rows) for batch in batches] == [4, 4, 4]
    addresses = {batch.rows["kind"].dictionary.buffers()[2].address for batch in batches}
    assert len(addresses) == 1
    assert pa.Table.from_batches([batch.rows for batch in batches])["kind"].to_pylist() == kinds.to_pylist()


def test_old_times_outside_of_nanoseconds_are_kept(score_table):
    times = int96("9999-12-31", None, "0001-01-01 00:00:00.000001")
    lists = pa.array([[time] for time in times.to_pylist()], pa.list_(times.type))
    deep = pa.StructArray.from_arrays([lists], ["list"])
    table = pa.table({"text": ["x"] * 3, "time": times, "deep": deep})
    found = score_table(table, use_deprecated_int96_timestamps=True).read()
    assert found.select(table.column_names).to_pylist() == table.to_pylist()
    usual = pa.table({"text": ["x"], "time": pa.array([1_234_567_891], pa.timestamp("ns"))})
    found = score_table(usual, use_deprecated_int96_timestamps=True).read()
    assert found["time"].equals(usual["time"])


def test_old_times_that_no_unit_holds_are_refused(score_table):
    far, fine = int96("9999-12-31", None), pa.array([None, 1], pa.timestamp("ns"))
    score_table(pa.table({"text": ["x", "x"], "time": far}), use_deprecated_int96_timestamps=True)
    with pytest.raises(DataError, match=r"'far' has times \(INT96\) outside the years 1677 to 2262"):
        score_table(
            pa.table({"text": ["x", "x"], "far": far, "fine": fine}), use_deprecated_int96_timestamps=True
        )


def coded(value, rows):
    return pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array([value]))


def in_lists(values, length):
    return pa.ListArray.from_arrays(range(0, len(values) + 1, length), values)


@pytest.mark.parametrize(
    "column",
    [
        coded("x" * 3_000_000, 500),
        pa.StructArray.from_arrays([coded("x" * 3_000_000, 500)], ["a"]),
        in_lists(coded("x" * 300_000, 5000), 10),
        in_lists(pa.array([0.0] * 5_000_000), 10_000),
    ],
    ids=lambda column: str(column.type),
)
def test_a_value_stored_once_and_repeated_does_not_fill_the_memory(tmp_path, column):
    table = pa.table({"column": column, "text": ["x"] * 500})
    pq.write_table(table, tmp_path / "in.parquet", store_schema=False)
    assert (tmp_path / "in.parquet").stat().st_size < 1 << 20
    with open_job([str(tmp_path / "in.parquet")], str(tmp_path / "out.parquet")) as job:
        sizes = [len(chunk.texts) for chunk in job]
    assert sum(sizes) == 500
    assert max(sizes) < 110


def test_of_an_extension_what_is_stored_counts(tmp_path):
    values = pa.ExtensionArray.from_storage(pa.json_(), pa.array(['"' + "x" * 300_000 + '"'] * 200))
    pq.write_table(pa.table({"column": values, "text": ["x"] * 200}), tmp_path / "in.parquet")
    assert (tmp_path / "in.parquet").stat().st_size < 1 << 20
    with open_job([str(tmp_path / "in.parquet")], str(tmp_path / "out.parquet")) as job:
        sizes = [len(chunk.texts) for chunk in job]
    assert sum(sizes) == 200
    assert max(sizes) < 50


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("encoding", ["DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY"])
def test_encodings_that_pyarrow_does_not_read_as_dictionaries(score_table, encoding, version):
    texts = [f"{number:05} of some length, as reviews are" for number in range(5000)]
    tags = ["a tag " * 200, "another " * 200] * 2500
    table = pa.table({"text": texts, "tag": tags, "lists": [[tag] for tag in tags]})
    options = {"use_dictionary": ["tag", "lists.list.element"], "data_page_version": version}
    found = score_table(table, column_encoding={"text": encoding}, **options).read()
    assert found.select(table.column_names).equals(table)


@pytest.mark.parametrize("wrap", [lambda text: text, lambda text: [text]])
def test_a_long_beginning_stored_once_does_not_fill_the_memory(tmp_path, wrap):
    values = [wrap("x" * 200_000 + str(number)) for number in range(200)]
    table = pa.table({"column": values, "text": ["x"] * 200})
    name = "column" if isinstance(values[0], str) else "column.list.element"
    encoding = {name: "DELTA_BYTE_ARRAY"}
    pq.write_table(table, tmp_path / "in.parquet", use_dictionary=False, column_encoding=encoding)
    assert (tmp_path / "in.parquet").stat().st_size < 1 << 20
    with open_job([str(tmp_path / "in.parquet")], str(tmp_path / "out.parquet")) as job:
        sizes = [len(chunk.texts) for chunk in job]
    assert sum(sizes) == 200
    assert max(sizes) < 50


def test_a_dictionary_that_the_first_values_do_not_use_counts_whole(tmp_path, monkeypatch):
    """As a file could be made to hide a long value; no writer known here makes such a one."""
    table = pa.table({"column": coded("x" * 3_000_000, 500), "text": ["x"] * 500})
    pq.write_table(table, tmp_path / "in.parquet", store_schema=False)

    def check_pages(*arguments):
        return replace(pages.check_pages(*arguments), begins_with_it=False)

    monkeypatch.setattr(parquet_file, "check_pages", check_pages)
    with open_job([str(tmp_path / "in.parquet")], str(tmp_path / "out.parquet")) as job:
        assert max(len(chunk.texts) for chunk in job) < 10


def test_long_texts_that_differ_are_kept_beside_columns_of_other_kinds(score_table):
    texts = [f"{number:090000}" for number in range(40)]
    others = {"n": [["a"]] * 40, "number": range(40), "uuid": pa.array([b"x" * 16] * 40, pa.uuid())}
    table = pa.table({"id": texts, "text": texts, **others})
    assert score_table(table).read()["text"].to_pylist() == texts


@pytest.mark.parametrize("data", [b"", b"PAR1", b"x" * 100, b"PAR1" + b"\xff" * 100 + b"PAR1"])
def test_what_is_no_parquet_file(convert, data):
    with pytest.raises(DataError, match=r"in\.parquet: "):
        convert(data, "in.parquet")


def test_any_byte_changed_or_missing_is_an_error_or_a_result(tmp_path, run):
    pq.write_table(pa.table({"id": range(50), "text": ["some text"] * 50}), tmp_path / "good.parquet")
    good = (tmp_path / "good.parquet").read_bytes()
    for place in range(0, len(good), 7):
        broken = bytearray(good)
        broken[place] ^= 0x15
        for data in (bytes(broken), good[:place]):
            (tmp_path / "in.parquet").write_bytes(data)
            try:
                job = run(tmp_path / "in.parquet", tmp_path / "out.parquet", overwrite=True)
                assert job.rows + job.rejected == pq.read_metadata(tmp_path / "in.parquet").num_rows
            except (DataError, OutputError):
                assert not list(tmp_path.glob(".out*"))


@pytest.mark.parametrize("wrap", [lambda text: text, lambda text: [text], lambda text: {"x": text}])
def test_references_to_values_that_are_not_there(tmp_path, run, wrap):
    """With a fourth value where there are three, pyarrow's writer would crash."""
    coded = pa.dictionary(pa.int32(), pa.string())
    kind = {str: coded, list: pa.list_(coded), dict: pa.struct([("x", coded)])}[type(wrap(""))]
    values = pa.array([wrap(letter) for letter in "abc" * 8], kind)
    table = pa.table({"text": ["x"] * 24, "other": values})
    pq.write_table(table, tmp_path / "in.parquet", compression="none")
    data = (tmp_path / "in.parquet").read_bytes()
    references = bytes.fromhex("244992244992")  # 0, 1, 2, 0, 1, 2... in two bits each
    assert data.count(references) == 1
    (tmp_path / "in.parquet").write_bytes(data.replace(references, b"\xff" * 6))
    for target in ("out.parquet", "out.jsonl"):
        with pytest.raises(DataError, match=r"in\.parquet: row group 0 is damaged"):
            run(tmp_path / "in.parquet", tmp_path / target)


def test_a_page_that_says_it_is_large_takes_no_memory(tmp_path, run):
    pq.write_table(pa.table({"text": [f"text {row}" for row in range(400)]}), tmp_path / "in.parquet")
    data = (tmp_path / "in.parquet").read_bytes()
    # The header of the first page: its kind, its size, its size compressed.
    size = re.match(rb"PAR1\x15.\x15[\x80-\xff]*[\0-\x7f]\x15([\x80-\xff]*[\0-\x7f])", data, re.DOTALL)
    (tmp_path / "in.parquet").write_bytes(
        data[: size.start(1)] + b"\xfe\xff\xff\xff\x0b" + data[size.end(1) :]
    )
    with pytest.raises(DataError, match=r"in\.parquet"):
        run(tmp_path / "in.parquet", tmp_path / "out.parquet")
    assert pa.default_memory_pool().max_memory() < 1 << 30


def test_fewer_rows_than_the_metadata_say(tmp_path, run, monkeypatch):
    pq.write_table(pa.table({"text": ["x"] * 10}), tmp_path / "in.parquet")
    read = pq.ParquetFile.iter_batches
    monkeypatch.setattr(
        pq.ParquetFile, "iter_batches", lambda *a, **k: (batch.slice(1) for batch in read(*a, **k))
    )
    with pytest.raises(DataError, match="row group 0 has not as many rows as it says"):
        run(tmp_path / "in.parquet", tmp_path / "out.parquet")
