import datetime as dt
import decimal
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jobs import read_chunks

from sentcli.errors import DataError, OutputError
from sentcli.tables import parquet as tables_parquet
from sentcli.tables.options import ReadOptions
from sentcli.tables.record_batches import translated


def rich_table():
    """Columns of most types that Parquet has, with metadata of the schema and of a field."""
    columns = {
        "text": pa.array(["x", None, ""]),
        "large": pa.array(["a", None, "b"], pa.large_string()),
        "coded": pa.array(["a", "b", "a"]).dictionary_encode(),
        "bytes": pa.array([b"\xff", None, b""]),
        "flag": pa.array([True, None, False]),
        "stars": pa.array([1, None, -1], pa.int8()),
        "big": pa.array([2**64 - 1, None, 0], pa.uint64()),
        "float": pa.array([1.5, float("nan"), None], pa.float32()),
        "time": pa.array([1, None, 2], pa.timestamp("ns", "Europe/Madrid")),
        "day": pa.array([dt.date(2024, 1, 1), None, None]),
        "money": pa.array([decimal.Decimal("1.10"), None, None]),
        "list": pa.array([[1, None], None, []]),
        "struct": pa.array([{"a": b"x"}, None, {"a": None}]),
        "map": pa.array([[("k", 1)], None, []], pa.map_(pa.string(), pa.int64())),
        "nothing": pa.nulls(3),
    }
    fields = [
        pa.field(name, array.type, metadata={"unit": "of one"} if name == "stars" else None)
        for name, array in columns.items()
    ]
    return pa.table(list(columns.values()), schema=pa.schema(fields, metadata={"made": "by hand"}))


def test_schema_metadata_and_values_are_kept(score_table):
    table = rich_table()
    found = score_table(table).read()
    assert found.column_names == [*table.column_names, "sentiment", "sentiment_score"]
    kept = found.select(table.column_names)
    assert kept.schema.types == table.schema.types
    assert kept.schema.metadata[b"made"] == b"by hand"
    assert kept.schema.field("stars").metadata[b"unit"] == b"of one"
    # Equal but for the NaN, which equals nothing.
    assert kept.drop_columns("float").equals(table.drop_columns("float"))
    assert str(kept["float"].to_pylist()) == "[1.5, nan, None]"
    assert found["sentiment"].to_pylist() == ["odd", None, None]
    assert found["sentiment_score"].to_pylist() == [0.142857, None, None]
    assert found.schema.field("sentiment").type == pa.string()
    assert found.schema.field("sentiment_score").type == pa.float64()


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_durations_are_kept(score_table, unit):
    counts = pa.array([1, None, -(2**62)], pa.duration(unit))
    table = pa.table(
        {"text": ["x"] * 3, "wait": counts, "waits": pa.array([[1], None, []], pa.list_(counts.type))}
    )
    assert score_table(table).read().select(table.column_names).equals(table)


def test_metadata_beside_the_schema_is_kept(tmp_path, run):
    table = pa.table({"text": ["x"]}).replace_schema_metadata({"early": "1"})
    with pq.ParquetWriter(tmp_path / "in.parquet", table.schema) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({"late": "2"})
    run(tmp_path / "in.parquet", tmp_path / "out.parquet")
    assert pq.read_schema(tmp_path / "in.parquet").metadata == {b"early": b"1"}  # where it is not looked for
    assert pq.read_schema(tmp_path / "out.parquet").metadata == {b"early": b"1", b"late": b"2"}


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()])
@pytest.mark.parametrize("coded", [False, True])
def test_text_columns_of_each_kind_of_string(score_table, kind, coded):
    if coded and kind == pa.string_view():
        pytest.skip("pyarrow has no dictionary of string views")
    text = pa.array(["x", None, "xx", "x"]).cast(kind)
    out = score_table(pa.table({"text": text.dictionary_encode() if coded else text}))
    assert out.read()["sentiment"].to_pylist() == ["odd", None, "even", "odd"]


@pytest.mark.parametrize("name", ["item", "element", "of mine"])
def test_items_of_lists_keep_their_name(score_table, name):
    kind = pa.list_(pa.field(name, pa.list_(pa.field(name, pa.int32(), nullable=False))))
    table = pa.table({"text": ["x"], "numbers": pa.array([[[1]]], kind)})
    out = score_table(table, use_compliant_nested_type=False)
    assert out.schema_arrow.field("numbers").type == kind
    assert out.schema.column(1).path == f"numbers.list.{name}.list.{name}"


def test_what_differs_from_the_first_input_is_named(tmp_path, run):
    first = pa.table({"text": ["x"], "n": [1]})
    pq.write_table(first, tmp_path / "1.parquet")
    field = pa.field("n", pa.int64(), nullable=False)
    for other, message in (
        (first.select(["text"]), "the columns are text, not text, n"),
        (pa.table({"text": ["x"], "n": ["1"]}), "the column 'n' is string, not int64"),
        (first.cast(pa.schema([first.schema[0], field])), "the column 'n' is int64 not null, not int64"),
    ):
        pq.write_table(other, tmp_path / "2.parquet")
        inputs = [tmp_path / "1.parquet", tmp_path / "2.parquet"]
        with pytest.raises(DataError, match=f"2.parquet: the schema differs from the first input: {message}"):
            run(inputs, tmp_path / "out.parquet")


def test_row_groups_stay_as_they_are(score_table):
    table = pa.table({"id": range(10_000), "text": ["xx"] * 10_000})
    out = score_table(table, row_group_size=4500)
    groups = [out.metadata.row_group(number) for number in range(out.num_row_groups)]
    assert [group.num_rows for group in groups] == [4500, 4500, 1000]
    assert out.read()["id"].to_pylist() == list(range(10_000))


def test_a_large_row_group_is_divided(score_table, monkeypatch):
    monkeypatch.setattr(tables_parquet, "_GROUP_BYTES", 100_000)
    out = score_table(pa.table({"text": [f"{number:0100}" for number in range(10_000)]}))
    assert out.num_row_groups > 1
    assert out.read()["text"].to_pylist() == [f"{number:0100}" for number in range(10_000)]


@pytest.mark.parametrize("table", [pa.table({"text": pa.array([], pa.string())}), rich_table().slice(0, 0)])
def test_no_rows(score_table, table):
    out = score_table(table)
    assert out.metadata.num_rows == 0
    assert out.schema_arrow.names == [*table.column_names, "sentiment", "sentiment_score"]


def test_a_file_without_row_groups(tmp_path, run):
    pq.ParquetWriter(tmp_path / "in.parquet", pa.schema([("text", pa.string())])).close()
    run(tmp_path / "in.parquet", tmp_path / "out.parquet")
    assert pq.read_schema(tmp_path / "out.parquet").names == ["text", "sentiment", "sentiment_score"]


@pytest.mark.parametrize("codec", ["none", "snappy", "gzip", "brotli", "zstd", "lz4"])
def test_compression_is_kept(score_table, codec):
    found = score_table(pa.table({"text": ["x"], "n": [1]}), compression=codec).metadata.row_group(0)
    names = {found.column(index).compression for index in range(found.num_columns)}
    assert names == {"UNCOMPRESSED" if codec == "none" else codec.upper()}


def test_of_several_compressions_there_is_the_usual_one(score_table):
    mixed = {"text": "zstd", "n": "gzip"}
    found = score_table(pa.table({"text": ["x"], "n": [1]}), compression=mixed).metadata
    assert {found.row_group(0).column(index).compression for index in range(4)} == {"SNAPPY"}


def test_a_bad_row_beside_views(tmp_path, run):
    views = pa.array(["a", "b", "c", "d"], pa.string_view())
    table = pa.table({"text": strings(b"x", b"\xff", b"xx", b"\xff"), "other": views})
    pq.write_table(table, tmp_path / "in.parquet")
    job = run(tmp_path / "in.parquet", tmp_path / "out.parquet", read=ReadOptions(text_column="text"))
    assert (job.rows, job.rejected) == (2, 2)
    assert pq.read_table(tmp_path / "out.parquet")["other"].to_pylist() == ["a", "c"]


def strings(*values):
    """Make a string column of bytes that need not be UTF-8."""
    return pa.array(values, pa.binary()).view(pa.string())


@pytest.mark.parametrize("target", [".parquet", ".jsonl"])
def test_a_text_that_is_not_utf8_is_rejected(tmp_path, run, rejects, target):
    table = pa.table({"n": [1, 2, 3], "text": strings(b"x", b"a\xff", b"xx")})
    pq.write_table(table, tmp_path / "in.parquet")
    job = run(tmp_path / "in.parquet", tmp_path / f"out{target}")
    (found,) = rejects()
    assert (found["line"], found["offset"], found["raw_base64"]) == (2, None, "Yf8=")
    assert "invalid start byte" in found["reason"]
    assert (job.rows, job.rejected) == (2, 1)
    if target == ".parquet":
        assert pq.read_table(tmp_path / "out.parquet")["n"].to_pylist() == [1, 3]


@pytest.mark.parametrize("target", [".parquet", ".jsonl"])
@pytest.mark.parametrize("column", ["text", "other"])
def test_a_value_that_is_stored_once_and_not_utf8_costs_the_rows_that_have_it(
    tmp_path, run, rejects, target, column
):
    indices = pa.array([0, 1, 2, None, 1, 0], pa.int32())
    coded = pa.DictionaryArray.from_arrays(indices, strings(b"good", b"\xff\xfe\xfd", b"ok"))
    columns = {"text": ["x"] * 6, column: coded}
    pq.write_table(pa.table({"n": range(6), **columns}), tmp_path / "in.parquet")
    job = run(tmp_path / "in.parquet", tmp_path / f"out{target}", read=ReadOptions(text_column="text"))
    if (column, target) == ("other", ".parquet"):
        assert (job.rows, job.rejected) == (6, 0)
        return
    assert (job.rows, job.rejected) == (4, 2)
    assert [found["line"] for found in rejects()] == [2, 5]
    if column == "text":
        assert {found["raw_base64"] for found in rejects()} == {"//79"}
    if target == ".parquet":
        assert pq.read_table(tmp_path / "out.parquet").select(["n", column]).to_pydict() == {
            "n": [0, 2, 3, 5],
            column: ["good", "ok", None, "good"],
        }


def test_a_value_that_no_other_format_could_hold_is_rejected_there_alone(tmp_path, run):
    table = pa.table({"other": strings(b"a", b"\xff", None), "text": ["x", None, "x"]})
    pq.write_table(table, tmp_path / "in.parquet")
    assert run(tmp_path / "in.parquet", tmp_path / "out.csv").rejected == 1
    assert run(tmp_path / "in.parquet", tmp_path / "out.parquet").rejected == 0
    assert pq.read_table(tmp_path / "out.parquet")["other"].cast(pa.binary()).to_pylist() == [
        b"a",
        b"\xff",
        None,
    ]


def test_a_text_over_the_limit_is_rejected(score_table, rejects):
    texts = pa.array(["x", "y" * 101, "x"]).dictionary_encode()
    out = score_table(pa.table({"text": texts}), read=ReadOptions(max_row_bytes=100))
    assert out.read()["text"].to_pylist() == ["x", "x"]
    assert rejects()[0]["reason"] == "longer than 100 bytes; try a higher --max-row-bytes"
    assert rejects()[0]["raw"] == "y" * 101


def test_the_limit_counts_bytes_of_the_text_alone(score_table, rejects):
    texts = ["é" * 7, "é" * 8, "y" * 15, "y" * 16, "😀" * 3, "😀" * 4, None]
    table = pa.table({"text": texts, "other": ["z" * 100] * len(texts)})
    out = score_table(table, read=ReadOptions(max_row_bytes=15))
    assert out.read()["text"].to_pylist() == [*texts[::2]]
    assert [found["raw"] for found in rejects()] == texts[1::2]


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        ({"a": ["x"], "b": ["x"]}, {}, "which column is the text.*'a', 'b'"),
        ({"a": ["x"]}, {"text_column": "b"}, "no column 'b'; the columns are 'a'"),
        ({"text": [1]}, {"text_column": "text"}, "the column 'text' is int64, not a string"),
        (
            {"title": ["x"], "review": [b"x"]},
            {},
            "the column 'review' is binary, not a string; try another --text-column",
        ),
        ({"id": [1], "other": [None]}, {}, "which column is the text"),
        ({"text": ["x"], "SENTIMENT": [1]}, {}, "a column 'SENTIMENT' already; try --prefix"),
    ],
)
def test_columns_that_do_not_fit(score_table, columns, options, message):
    with pytest.raises(DataError, match=message):
        score_table(pa.table(columns), read=ReadOptions(**options))


@pytest.mark.parametrize(
    ("columns", "options", "text_column"),
    [
        ({"id": [1, 2], "text": [None, None]}, {}, "text"),
        ({"title": ["x", "y"], "text": [None, None]}, {}, "text"),
        ({"title": ["x", "y"], "other": [None, None]}, {"text_column": "other"}, "other"),
        ({"title": ["x", "y"], "other": [None, None]}, {}, "title"),
    ],
)
def test_texts_that_are_all_missing_have_no_score(score_table, columns, options, text_column):
    """pandas and pyarrow give such a column the type null."""
    table = pa.table(columns)
    assert pa.types.is_null(table.schema.types[1])
    found = score_table(table, read=ReadOptions(**options)).read()
    assert found.select(table.column_names).equals(table)
    labels = [None if text is None else "odd" for text in columns[text_column]]
    assert found["sentiment"].to_pylist() == labels


VALUES = st.lists(
    st.tuples(
        st.none() | st.text(st.characters(codec="utf-8"), max_size=5),
        st.none() | st.integers(-(2**63), 2**63 - 1),
    ),
    max_size=30,
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(VALUES, st.integers(1, 9))
def test_any_table_is_scored_and_nothing_else_changes(score_table, rows, group):
    table = pa.table(
        {
            "text": pa.array([text for text, _ in rows], pa.string()),
            "n": pa.array([n for _, n in rows], pa.int64()),
        }
    )
    found = score_table(table, row_group_size=group).read()
    assert found.select(["text", "n"]).equals(table)
    assert [label is None for label in found["sentiment"].to_pylist()] == [
        not (t and t.strip()) for t, _ in rows
    ]


@pytest.mark.usefixtures("small_chunks")
def test_wide_records_make_smaller_row_groups(tmp_path, run, monkeypatch):
    """A value that is not there takes a place too."""
    monkeypatch.setattr(tables_parquet, "_GROUP_BYTES", 200_000)
    for columns, groups in ((2, 1), (100, 2)):
        first = {"text": "x", **{f"c{number}": 1 for number in range(columns)}}
        lines = [json.dumps(first), *[json.dumps({"text": "y"})] * 1000]
        (tmp_path / "in.jsonl").write_text("\n".join(lines))
        run(tmp_path / "in.jsonl", tmp_path / "out.parquet", overwrite=True)
        assert pq.ParquetFile(tmp_path / "out.parquet").num_row_groups == groups


def test_short_memory_is_not_a_damaged_file():
    with pytest.raises(MemoryError, match="malloc"), translated("in.parquet", DataError):
        raise pa.ArrowMemoryError("malloc of size 8 failed")


def int96(*times):
    return pa.array([dt.datetime.fromisoformat(time) if time else None for time in times], pa.timestamp("us"))


def test_old_times_outside_of_nanoseconds_are_kept(score_table):
    times = int96("9999-12-31", None, "0001-01-01 00:00:00.000001")
    lists = pa.array([[time] for time in times.to_pylist()], pa.list_(times.type))
    deep = pa.StructArray.from_arrays([lists], ["list"])
    table = pa.table({"text": ["x"] * 3, "time": times, "deep": deep})
    found = score_table(table, use_deprecated_int96_timestamps=True).read()
    assert found.select(table.column_names).to_pylist() == table.to_pylist()


@pytest.mark.parametrize("wrap", [lambda time: time, lambda time: [time], lambda time: {"x": time}])
def test_old_times_finer_than_a_microsecond_are_refused(score_table, wrap):
    nanoseconds = pa.array([None, 1], pa.timestamp("ns"))
    fine = pa.array([wrap(time) for time in nanoseconds])
    with pytest.raises(DataError, match=r"'fine.*' has INT96 times finer than a microsecond"):
        score_table(
            pa.table({"text": ["x", "x"], "far": int96("9999-12-31", None), "fine": fine}),
            use_deprecated_int96_timestamps=True,
        )


def coded(value, rows):
    return pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array([value]))


def in_lists(values, length):
    return pa.ListArray.from_arrays(range(0, len(values) + 1, length), values)


@pytest.mark.parametrize(
    "column",
    [
        coded("x" * 3_000_000, 150),
        pa.StructArray.from_arrays([coded("x" * 3_000_000, 150)], ["a"]),
        in_lists(coded("x" * 300_000, 1500), 10),
        in_lists(pa.array([0.0] * 1_500_000), 10_000),
    ],
    ids=lambda column: str(column.type),
)
def test_a_value_stored_once_and_repeated_does_not_fill_the_memory(tmp_path, column):
    table = pa.table({"column": column, "text": ["x"] * 150})
    pq.write_table(table, tmp_path / "in.parquet", store_schema=False)
    assert (tmp_path / "in.parquet").stat().st_size < 1 << 20
    sizes = [len(chunk.texts) for chunk in read_chunks(tmp_path / "in.parquet")]
    assert sum(sizes) == 150
    assert max(sizes) <= 128


def test_of_an_extension_what_is_stored_counts(tmp_path):
    values = pa.ExtensionArray.from_storage(pa.json_(), pa.array(['"' + "x" * 300_000 + '"'] * 200))
    pq.write_table(pa.table({"column": values, "text": ["x"] * 200}), tmp_path / "in.parquet")
    assert (tmp_path / "in.parquet").stat().st_size < 1 << 20
    sizes = [len(chunk.texts) for chunk in read_chunks(tmp_path / "in.parquet")]
    assert sum(sizes) == 200
    assert max(sizes) <= 128


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
    sizes = [len(chunk.texts) for chunk in read_chunks(tmp_path / "in.parquet")]
    assert sum(sizes) == 200
    assert max(sizes) <= 128


def test_long_texts_that_differ_are_kept_beside_columns_of_other_kinds(score_table):
    texts = [f"{number:090000}" for number in range(40)]
    others = {"n": [["a"]] * 40, "number": range(40), "uuid": pa.array([b"x" * 16] * 40, pa.uuid())}
    table = pa.table({"id": texts, "text": texts, **others})
    assert score_table(table).read()["text"].to_pylist() == texts


@pytest.mark.parametrize("data", [b"", b"PAR1", b"x" * 100, b"PAR1" + b"\xff" * 100 + b"PAR1"])
def test_what_is_no_parquet(convert, data):
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


def test_fewer_rows_than_the_metadata_say(tmp_path, run, monkeypatch):
    pq.write_table(pa.table({"text": ["x"] * 10}), tmp_path / "in.parquet")
    read = pq.ParquetFile.iter_batches
    monkeypatch.setattr(
        pq.ParquetFile, "iter_batches", lambda *a, **k: (batch.slice(1) for batch in read(*a, **k))
    )
    with pytest.raises(DataError, match="row group 0 does not have as many rows as it says"):
        run(tmp_path / "in.parquet", tmp_path / "out.parquet")
