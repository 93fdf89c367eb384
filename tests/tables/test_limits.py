"""Small files that ask for gigabytes are refused, and large honest ones are not."""

import io
import re
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from jobs import ParityScorer, run_job
from python_calamine import CalamineWorkbook
from test_xlsx import cells_of, workbook

from sentcli.errors import DataError
from sentcli.runs.run import score_files
from sentcli.tables import parquet, xlsx
from sentcli.tables.options import WriteOptions
from sentcli.tables.workbook import check_workbook

ROWS = [["id", "text"], *([number, f"good {number}"] for number in range(30))]
SHEET, STRINGS = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"
FAR = b'<row r="1048576"><c r="XFD1048576" t="n"><v>1</v></c></row></sheetData>'

LAST = b"<row r='90000' x"


def edited(part, old, new, data=None):
    """Return a workbook in one part of which bytes are replaced, by a regular expression."""
    result = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data or workbook(Reviews=ROWS))) as book,
        zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED) as copy,
    ):
        for name in book.namelist():
            content = book.read(name)
            assert name != part or re.search(old, content)
            copy.writestr(name, re.sub(old, new, content) if name == part else content)
    return result.getvalue()


def check(data):
    file = io.BytesIO(data)
    check_workbook(file, "in.xlsx")
    assert file.tell() == 0


@pytest.mark.parametrize(
    ("part", "old", "new", "reason"),
    [
        (SHEET, b"</sheetData>", FAR, "spans 1,048,576 rows and 16,384 columns"),
        (SHEET, b'r="B3"', b'r="ZZZZZZ3"', "spans 31 rows and 321,272,406 columns"),
        (SHEET, b'r="B3"', b"s='>' r = 'ZZZZZZ3'", "spans .* 321,272,408 columns"),
        (SHEET, b'r="B3"', b'r="B4294967295"', "spans 4,294,967,295 rows"),
        (SHEET, b"<row", b"<row>%s<c><v>1</v></c></row>" % (b"<c/>" * 9_000) + LAST, "9,00. columns"),
        (SHEET, b"<row", b"<row><c r='XFC1'/><c><v>1</v></c></row>" + LAST, "16,38. columns"),
        (SHEET, b'r="B3"', b'r="B%s"' % (b"1" * 5000), "can be read: Exceeds the limit"),
        (STRINGS, b'uniqueCount="[0-9]+"', b'uniqueCount="4000000000"', "it has 4,000,000,000 strings"),
        (STRINGS, b"good 1<", b"%s<" % (b"good " * (14 << 20)), "packed too densely, too much for a file of"),
    ],
)  # fmt: skip
def test_a_workbook_that_asks_for_too_much_is_refused(part, old, new, reason):
    with pytest.raises(DataError, match=rf"^in\.xlsx: .*{reason}"):
        check(edited(part, old, new))


def test_the_sheets_together_have_one_limit():
    far = [["x"], *[[]] * 59_998, ["", *[""] * 14, "y"]]
    check(workbook(**{f"S{number}": far for number in range(4)}))
    with pytest.raises(
        DataError, match=r"a sheet spans .* 16 columns, with the sheets before it 4,800,000 cells"
    ):
        check(workbook(**{f"S{number}": far for number in range(5)}))


def test_few_sheets_are_read_to_find_a_table():
    """Hundreds of names may refer to one sheet, and none stays in memory."""
    names = b"".join(b'<sheet name="n%d" sheetId="%d" r:id="rId1"/>' % (n, n + 1) for n in range(300))
    data = edited("xl/workbook.xml", b"<sheet [^>]*>", names, workbook(S=[["A title"]]))
    book, opened = CalamineWorkbook.from_filelike(io.BytesIO(data)), []
    fake = SimpleNamespace(
        get_sheet_by_name=lambda name: (opened.append(name), book.get_sheet_by_name(name))[1]
    )
    assert xlsx._first_table(fake, book.sheet_names).name == "n0"
    assert opened == [*(f"n{number}" for number in range(30)), "n0"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_sheet_in_utf_16_is_refused(encoding):
    data = edited(SHEET, b"(?s).+", lambda match: match[0].decode().encode(encoding))
    with pytest.raises(DataError, match=r"^in\.xlsx: xl/worksheets/sheet1\.xml is in UTF-16; save it"):
        check(data)


def test_the_other_files_of_a_folder_are_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.xlsx").write_bytes(edited(SHEET, b"</sheetData>", FAR))
    Path("b.xlsx").write_bytes(edited("xl/workbook.xml", b"<sheet [^>]*>", b""))
    Path("c.xlsx").write_bytes(workbook(Reviews=ROWS))
    summary = score_files(ParityScorer(), ["*.xlsx"], "out/")
    assert (summary.failed, summary.rows) == (2, 30)
    assert [path.name for path in Path("out").glob("*.xlsx")] == ["c.xlsx"]


def test_a_workbook_without_sheets_is_refused(convert):
    with pytest.raises(DataError, match=r"in\.xlsx: not a workbook that can be read: it has no sheets"):
        convert(edited("xl/workbook.xml", b"<sheet [^>]*>", b""), "in.xlsx")


def test_a_workbook_with_damaged_xml_is_refused(convert):
    with pytest.raises(DataError, match=r"in\.xlsx: not a workbook that can be read: "):
        convert(edited(SHEET, b'r="B3"', b'r="="'), "in.xlsx")


def test_a_workbook_goes_to_standard_output_too(tmp_path, capfdbinary):
    (tmp_path / "in.xlsx").write_bytes(workbook(Reviews=ROWS))
    run_job(tmp_path / "in.xlsx", "-", write=WriteOptions(format="xlsx"))
    assert cells_of(capfdbinary.readouterr().out)[1][:2] == [0.0, "good 0"]


def test_cells_with_a_style_alone_take_no_room():
    check(edited(SHEET, b"</sheetData>", b'<row r="1048576"><c r="XFD1048576" s="1"/></row></sheetData>'))


def test_sheets_whose_cells_have_no_place_are_read():
    check(edited(SHEET, rb' r="\w+"', b""))
    check(edited(SHEET, b"<c r=", b'<c x="" r='))


def test_sheets_with_a_cell_far_down_or_far_to_the_right_are_read():
    check(edited(SHEET, b'r="(.)31"', rb'r="\g<1>1048576"'))
    check(edited(SHEET, b'r="B1"', b'r="XFD1"'))


@pytest.mark.parametrize("name", ["xl/workbook.bin", "content.xml"])
def test_other_formats_in_the_name_of_a_workbook_are_refused(name):
    data = io.BytesIO(workbook(Reviews=ROWS))
    with zipfile.ZipFile(data, "a") as book:
        book.writestr(name, b"")
    with pytest.raises(DataError, match=r"not an \.xlsx workbook; rename it to \.xlsb or \.ods"):
        check(data.getvalue())
    check_workbook(data, "in.ODS")


@pytest.mark.parametrize(
    "data", [b"", b"PK\x03\x04", b"\xd0\xcf\x11\xe0" * 200, workbook(Reviews=ROWS)[:-30]]
)
def test_what_is_no_archive_is_refused(data):
    with pytest.raises(DataError, match="not a workbook that can be read: File is not a zip file"):
        check(data)


def check_parquet(*texts, limit, **options):
    data = io.BytesIO()
    pq.write_table(pa.table({"id": range(len(texts)), "text": texts}), data, use_dictionary=False, **options)
    parquet._check_row_groups(pq.ParquetFile(data).metadata, len(data.getvalue()), limit, "in")


@pytest.mark.parametrize("others", [0, 1000])
def test_a_parquet_file_whose_footer_tells_of_a_huge_text_is_refused(others):
    texts = ["good " * 6_000_000, *["good"] * others]
    with pytest.raises(
        DataError, match=r"^in: row group 0 unpacks to 30,.* bytes for .* rows; .* higher --max-row-bytes"
    ):
        check_parquet(*texts, limit=1 << 24, compression="zstd")
    check_parquet(*texts, limit=1 << 25, compression="zstd")


def test_many_short_texts_are_read_with_any_limit():
    check_parquet(*(f"{number:0300}" for number in range(100_000)), limit=1 << 10, compression="none")


def test_a_row_group_without_rows_is_read():
    check_parquet(limit=1 << 10)
