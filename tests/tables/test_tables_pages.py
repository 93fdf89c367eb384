"""Pages of Parquet: large ones, and headers that claim more than may be."""

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sentcli.errors import DataError
from sentcli.tables import pages
from sentcli.tables.pages import ColumnChunk, DamagedPagesError, check_pages, column_chunks

DATA, INDEX, DICTIONARY, DATA_V2 = range(4)
I32, STRUCT = 5, 12


def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def zigzag(number):
    return varint(number << 1 ^ number >> 63) if number >= 0 else varint((-number << 1) - 1)


def page_header(kind=DATA, size=10, compressed=10, values=1):
    """Encode a page header of fields 1, 2 and 3, and 5 with the number of values."""
    numbers = b"".join(b"\x15" + zigzag(number) for number in (kind, size, compressed))
    return numbers + b"\x2c\x15" + zigzag(values) + b"\x00\x00"


SNAPPY = 1  # in Parquet's CompressionCodec


def check(data, values=1, start=0):
    check_pages(io.BytesIO(data), ColumnChunk(start, values, 0))


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("coded", [False, True])
def test_column_chunks_are_where_pyarrow_says(version, coded):
    table = pa.table({"text": ["a", None, "b" * 4000] * 100, "list": [[1, 2], [], None] * 100})
    file = io.BytesIO()
    pq.write_table(
        table, file, row_group_size=70, data_page_version=version, use_dictionary=coded, data_page_size=1000
    )
    metadata = pq.ParquetFile(file).metadata
    found = column_chunks(file)
    assert len(found) == metadata.num_row_groups == 5
    for number, group in enumerate(found):
        for column, chunk in enumerate(group):
            wanted = metadata.row_group(number).column(column)
            start = wanted.dictionary_page_offset if coded else wanted.data_page_offset
            assert chunk == ColumnChunk(start, wanted.num_values, SNAPPY)
            repeats = check_pages(file, chunk)
            assert (repeats.dictionary > 0, repeats.begins_with_it) == (coded, coded)
            assert repeats.prefixes == 0


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("encoding", ["PLAIN", "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY"])
def test_what_is_stored_once_for_several_values(version, encoding):
    file = io.BytesIO()
    pq.write_table(
        pa.table({"text": [f"a beginning, and {number}" for number in range(1000)]}),
        file,
        data_page_version=version,
        use_dictionary=False,
        column_encoding={"text": encoding},
        compression="none",
    )
    repeats = check_pages(file, column_chunks(file)[0][0])
    assert (repeats.dictionary, repeats.begins_with_it) == (0, False)
    if encoding == "DELTA_BYTE_ARRAY":
        assert 1000 < repeats.prefixes < len(file.getvalue())
    else:
        assert repeats.prefixes == 0


@pytest.mark.parametrize("compression", ["none", "zstd"])
@pytest.mark.parametrize("coded", [False, True])
def test_pages_of_more_than_16_mib(tmp_path, run, compression, coded):
    texts = [f"{number:05} " * 3000 for number in range(1000)]
    options = {"use_dictionary": coded, "dictionary_pagesize_limit": 1 << 30, "data_page_size": 1 << 30}
    pq.write_table(pa.table({"text": texts}), tmp_path / "in.parquet", compression=compression, **options)
    with (tmp_path / "in.parquet").open("rb") as file, pytest.MonkeyPatch.context() as patch:
        patch.setattr(pages, "PAGE_LIMIT", 16 << 20)
        with pytest.raises(DamagedPagesError):
            check_pages(file, column_chunks(file)[0][0])
    assert run(tmp_path / "in.parquet", tmp_path / "out.parquet").rows == 1000
    assert pq.read_table(tmp_path / "out.parquet")["text"].to_pylist() == texts


@pytest.mark.parametrize("size", [1_000, 17_000_000])  # read at once, and as a stream
@pytest.mark.parametrize("claim", [{"size": 2**31 - 1}, {"compressed": 2**31 - 1}])
def test_a_page_that_claims_gigabytes_is_refused(tmp_path, run, size, claim):
    path = tmp_path / "in.parquet"
    table = pa.table({"text": ["a film"], "other": [b"\x01" * size]})
    pq.write_table(table, path, use_dictionary=False, compression="none")
    header = page_header(**claim)
    start = pq.read_metadata(path).row_group(0).column(0).data_page_offset
    data = path.read_bytes()
    path.write_bytes(data[:start] + header + data[start + len(header) :])
    message = r"row group 0: a page of 2,147,483,647 bytes, and 268,435,456 are allowed; write the file with"
    with pytest.raises(DataError, match=message):
        run(path, tmp_path / "out.parquet")


def test_a_page_of_old_times_that_claims_gigabytes_is_refused(tmp_path, run):
    path = tmp_path / "in.parquet"
    table = pa.table({"text": ["a film"] * 9, "time": pa.array([*range(9)], pa.timestamp("us"))})
    options = {"use_dictionary": False, "compression": "none", "use_deprecated_int96_timestamps": True}
    pq.write_table(table, path, **options)
    header = page_header(compressed=2**31 - 1)
    start = pq.read_metadata(path).row_group(0).column(1).data_page_offset
    data = path.read_bytes()
    path.write_bytes(data[:start] + header + data[start + len(header) :])
    with pytest.raises(DataError, match="row group 0: a page of 2,147,483,647 bytes"):
        run(path, tmp_path / "out.parquet")


def test_a_row_group_that_claims_rows_without_end_is_refused(tmp_path, run):
    path = tmp_path / "in.parquet"
    pq.write_table(pa.table({"text": ["a film"] * 77}), path)
    data = path.read_bytes()
    # Number of rows, of the file and of the row group, in the footer; 77 is one byte there too.
    wrong = data[:-400] + data[-400:].replace(zigzag(77), zigzag(2**62))
    footer = len(wrong) - len(data) + int.from_bytes(data[-8:-4], "little")
    path.write_bytes(wrong[:-8] + footer.to_bytes(4, "little") + b"PAR1")
    with pytest.raises(DataError):
        run(path, tmp_path / "out.parquet")


def test_pages_are_gone_through_until_there_are_as_many_values_as_it_says():
    data_page = page_header(values=3) + b"x" * 10
    others = page_header(DICTIONARY) + b"x" * 10 + page_header(INDEX) + b"x" * 10
    end = page_header(size=1 << 30)
    check(others + data_page + data_page + end, values=6)
    with pytest.raises(DamagedPagesError, match=r"a page of 1,073,741,824 bytes"):
        check(others + data_page + data_page + end, values=7)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (page_header(compressed=11) + b"x" * 10, "a page of 11 bytes goes beyond the end"),
        (page_header(compressed=-1), "a page of -1 bytes"),
        (page_header()[:-1], "header of a page is damaged"),  # the end is missing
        (b"\x00", "header of a page is damaged"),  # no field
        (b"\x1d", "header of a page is damaged"),  # a type that does not exist
        (b"\x1c" * 100, "header of a page is damaged"),  # structs in structs
        (b"\x15" + b"\xff" * 20, "header of a page is damaged"),  # a number too long
        (b"\x18\x7f", "header of a page is damaged"),  # a string beyond the end
        (
            page_header()[:-4] + b"\x19\x15\x02\x00\x00" + b"x" * 10,
            "header of a page is damaged",
        ),  # a list of counts
    ],
)
def test_damaged_headers(data, message):
    with pytest.raises(DamagedPagesError, match=message):
        check(data)


def test_a_header_may_hold_anything_beside_what_is_read():
    fields = [
        b"\x61",  # 11: true
        b"\x17" + bytes(8),  # a double
        b"\x13\x07",  # a byte
        b"\x18\x02hi",  # a string
        b"\x19\x21\x01\x02",  # a list of two booleans
        b"\x19\xf3\x10" + bytes(16),  # a list of more than 14 bytes
        b"\x0a" + zigzag(900) + b"\x15\x02",  # a set, its field number written out
    ]
    header = page_header(values=5)[:-1] + b"".join(fields) + b"\x00"
    check(header + b"x" * 10, values=5)
    with pytest.raises(DamagedPagesError, match="a page of 1,073,741,824"):
        check(header + b"x" * 10 + page_header(size=1 << 30), values=6)


@pytest.mark.parametrize(("kind", "values"), [(DATA, 0), (DATA, -1), (INDEX, 1)])
def test_pages_without_values_have_an_end(kind, values):
    empty = page_header(kind, 0, 0, values)
    check(empty * 1000 + page_header(compressed=0), values=1)
    with pytest.raises(DamagedPagesError, match="more than 1,000 pages of a column without a value"):
        check(empty * 1001)


def test_a_page_that_says_nothing_of_its_values_is_passed_over():
    check(b"\x15\x00\x15\x02\x15\x02\x00" + b"x")


def test_a_long_header():
    header = page_header()[:-1] + b"\x38" + varint(100_000) + bytes(100_000) + b"\x00"
    check(header + b"x" * 10)


@pytest.mark.parametrize("footer", [b"", b"\x49\x1c\x00\x00", b"\x49\x15\x00\x00"])
def test_damaged_footers(footer):
    """There is nothing, a row group has no columns, and a row group is a number."""
    with pytest.raises(DamagedPagesError, match="the footer is damaged"):
        column_chunks(io.BytesIO(footer + len(footer).to_bytes(4, "little") + b"PAR1"))


def test_encrypted_columns_are_told_from_damaged_ones():
    encrypted = b"\x8c\x00\x00"  # 8: an empty struct, and the end
    footer = b"\x49\x1c\x19\x1c" + encrypted + b"\x00\x00"
    with pytest.raises(DamagedPagesError, match="its columns are encrypted"):
        column_chunks(io.BytesIO(footer + len(footer).to_bytes(4, "little") + b"PAR1"))


@pytest.mark.parametrize("data", [b"", b"PAR1"])
def test_a_file_too_short_for_a_footer(data):
    with pytest.raises(DamagedPagesError, match="the footer is damaged"):
        column_chunks(io.BytesIO(data))


def test_the_footer_of_a_file_without_rows_has_no_row_groups():
    assert column_chunks(io.BytesIO(b"\x00\x01\0\0\0PAR1")) == []
