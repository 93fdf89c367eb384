"""Workbooks as XlsxWriter and pandas write them."""

import io
import re
import shutil
import subprocess
import zipfile
from datetime import date, datetime, time, timedelta

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter
from jobs import ParityScorer
from pyarrow.csv import ParseOptions, read_csv, write_csv
from python_calamine import CalamineWorkbook

from sentcli.errors import DataError, OutputError
from sentcli.tables import xlsx
from sentcli.tables.options import ReadOptions, WriteOptions

FORMATS = {datetime: "dd/mm/yyyy hh:mm", date: "dd/mm/yyyy", time: "hh:mm", timedelta: "[h]:mm"}
ROWS = [
    ["id", "Review", "when", "ok", None],
    [1, "x", date(2024, 1, 5), True, 0.1],
    [2, "xx", datetime(2024, 1, 5, 10, 11, 12), False, 1e300],
    [3, None, time(10, 30), None, "=A1"],
    [4, 2024, timedelta(hours=27, seconds=1.5), None, "http://x.y"],
    [9007199254740992, "_x0041_ \r\n\t\x01<&> ", None, None, None],
]
CELLS = [
    [1.0, "x", date(2024, 1, 5), True, 0.1, "odd", 0.142857],
    [2.0, "xx", datetime(2024, 1, 5, 10, 11, 12), False, 1e300, "even", 0.285714],
    [3.0, "", time(10, 30), "", "=A1", "", ""],
    [4.0, 2024.0, timedelta(hours=27, seconds=1.5), "", "http://x.y", "even", 0.571429],
    [9007199254740992.0, "_x0041_ \r\n\t\x01<&> ", "", "", "", "even", 0.285714],
]


def workbook(**sheets):
    data = io.BytesIO()
    book = xlsxwriter.Workbook(data, {"strings_to_formulas": False, "strings_to_urls": False})
    formats = {kind: book.add_format({"num_format": form}) for kind, form in FORMATS.items()}
    for name, rows in sheets.items():
        sheet = book.add_worksheet(name)
        for number, cells in enumerate(rows):
            for place, cell in enumerate(cells):
                sheet.write(number, place, cell, formats.get(type(cell)))
    book.close()
    return data.getvalue()


def cells_of(data, sheet=0):
    return [*CalamineWorkbook.from_filelike(io.BytesIO(data)).get_sheet_by_index(sheet).iter_rows()]


def test_cells_keep_their_types(convert):
    out = convert(workbook(Reviews=ROWS), "in.xlsx")
    assert cells_of(out) == [["id", "Review", "when", "ok", "", "sentiment", "sentiment_score"], *CELLS]
    assert CalamineWorkbook.from_filelike(io.BytesIO(out)).sheet_names == ["Reviews", "Summary"]


def test_what_is_not_copied_is_said(convert, caplog):
    said = "in.xlsx: cells keep their values and types; styles, formulas and charts are not copied"
    convert(workbook(A=ROWS), "in.xlsx")
    assert said in caplog.text
    caplog.clear()
    convert(workbook(A=[["text"], ["x"]]), "in.xlsx", ".csv")
    assert said not in caplog.text


def test_cells_in_other_formats(convert):
    data = workbook(Reviews=[[*row[:4], "note" if row is ROWS[0] else row[4]] for row in ROWS])
    lines = convert(data, "in.xlsx", ".jsonl").splitlines()
    assert [[*orjson.loads(line).values()][:5] for line in lines] == [
        [1, "x", "2024-01-05", True, 0.1],
        [2, "xx", "2024-01-05 10:11:12", False, 1e300],
        [3, None, "10:30:00", None, "=A1"],
        [4, 2024, "PT97201.5S", None, "http://x.y"],
        [9007199254740992.0, "_x0041_ \r\n\t\x01<&> ", None, None, None],
    ]
    lines = convert(data, "in.xlsx", ".csv").splitlines()
    assert lines[1:3] == [
        b"1,x,2024-01-05,true,0.1,odd,0.142857",
        b"2,xx,2024-01-05 10:11:12,false,1e+300,even,0.285714",
    ]
    convert(data, "in.xlsx", ".parquet")
    assert convert(data, "in.xlsx", ".txt").splitlines()[3] == b"even\t0.571429\t2024"


@pytest.mark.parametrize(
    ("data", "source", "expected"),
    [
        (b"id,text\n007,x\n=1+1,xx\n", "in.csv", [["007", "x"], ["=1+1", "xx"]]),
        (b'{"id":1.50,"text":"x"}\n{"text":"xx","id":[1]}\n', "in.jsonl", [["1.50", "x"], ["[1]", "xx"]]),
    ],
)
def test_workbooks_from_text_hold_text_on_request(convert, data, source, expected):
    _, *rows = cells_of(convert(data, source, ".xlsx", write=WriteOptions(strings=True)))
    assert [row[:2] for row in rows] == expected
    assert [row[2:] for row in rows] == [["odd", 0.142857], ["even", 0.285714]]


def test_workbooks_from_parquet(run, tmp_path):
    table = {"text": ["x"], "n": [3], "big": [2**60], "nan": [float("nan")], "list": [[1, 2]], "ok": [True]}
    pq.write_table(pa.table(table), tmp_path / "in.parquet")
    run(tmp_path / "in.parquet", tmp_path / "out.xlsx")
    _, row = cells_of((tmp_path / "out.xlsx").read_bytes())
    assert row == ["x", 3.0, "1152921504606846976", "nan", "[1,2]", True, "odd", 0.142857]


def test_workbooks_of_pandas(convert):
    pd = pytest.importorskip("pandas")
    data = io.BytesIO()
    frame = pd.DataFrame({"text": ["x", None], "n": [1.5, None], "day": pd.to_datetime(["2024-01-05", None])})
    frame.to_excel(data, engine="xlsxwriter")
    _, *rows = cells_of(convert(data.getvalue(), "in.xlsx"))
    assert rows[0] == [0.0, "x", 1.5, date(2024, 1, 5), "odd", 0.142857]
    assert rows[1][:2] == [1.0, ""]


def test_sheets_are_chosen_by_name_and_number(convert, caplog):
    data = workbook(First=[["text"], ["x"]], **{"2": [["text"], ["xx"]]}, Third=[["text"], ["xxx"]])
    for sheet, text in ((None, "x"), ("First", "x"), ("2", "xx"), ("3", "xxx"), ("Third", "xxx")):
        caplog.clear()
        assert cells_of(convert(data, "in.xlsx", read=ReadOptions(sheet=sheet)))[1][0] == text
        assert "in.xlsx: other sheets are left out: " in caplog.text
    with pytest.raises(DataError, match=r"in\.xlsx: no sheet '4'; the sheets are First, 2, Third$"):
        convert(data, "in.xlsx", read=ReadOptions(sheet="4"))


COVER = [["Report of May"], [], ["by Anna"]]
TABLE = [["id", "text"], [1, "x"], [2, "xx"]]


@pytest.mark.parametrize(
    ("first", "chosen"),
    [
        ([], "Data"),
        (COVER, "Data"),
        ([["id", "text"]], "Cover"),
        (TABLE, "Cover"),
        ([["text"], ["x"]], "Cover"),
        ([["What is good?"], *[["x"]] * 20], "Cover"),
    ],
)
def test_the_first_sheet_with_a_table_is_read(convert, caplog, first, chosen):
    out = convert(workbook(Cover=first, Data=TABLE), "in.xlsx", ".csv")
    assert out.count(b"\n") == len(TABLE if chosen == "Data" else first)
    said = "in.xlsx: texts taken from the sheet 'Data', other sheets are left out: Cover; choose with --sheet"
    assert (said in caplog.text) == (chosen == "Data")
    assert ("left out: Data" in caplog.text) == (chosen == "Cover")


def test_without_a_table_the_first_sheet_with_cells_is_read(convert):
    assert convert(workbook(A=[], B=[["Rooms"], ["x"]]), "in.xlsx", ".csv").count(b"\n") == 2
    assert convert(workbook(A=[], B=[]), "in.xlsx", ".csv") == b""


# Formulas as openpyxl, XlsxWriter, Excel (twice) and the Open XML SDK write them.
NO_VALUE = '<c r="B2"><f>1+1</f><v /></c>'
ZERO = '<c r="B2"><f>1+1</f><v>0</v></c>'
WITH_VALUES = '<c r="B2"><f>1+1</f><v>2</v></c>'
EMPTY_STRING = '<c r="B2" t="str"><f>A1</f><v></v></c>'
PREFIXED = '<x:c r="B2"><x:f>1+1</x:f></x:c>'


@pytest.mark.parametrize(
    ("cell", "is_open", "count"),
    [
        (NO_VALUE, True, 1),
        (NO_VALUE.replace(' r="B2"', ""), True, 1),
        (ZERO, True, 1),
        (ZERO, False, 0),
        (WITH_VALUES, True, 0),
        (EMPTY_STRING, True, 0),
        (PREFIXED, False, 1),
    ],
)
def test_formulas_without_a_value_are_counted(run, tmp_path, caplog, cell, is_open, count):
    data = edited(
        workbook(A=[["text", "n"], ["x", 5]]),
        ("xl/worksheets/sheet1.xml", '<c r="B2"><v>5</v></c>', cell),
        ("xl/workbook.xml", ' fullCalcOnLoad="1"', ' fullCalcOnLoad="1"' * is_open),
    )
    if cell == PREFIXED:
        data = edited(
            data,
            (
                "xl/worksheets/sheet1.xml",
                "<worksheet ",
                '<worksheet xmlns:x="http://schemas.openxmlformats.org/spreadsheetml/2006/main" ',
            ),
        )
    (tmp_path / "in.xlsx").write_bytes(data)
    assert run(tmp_path / "in.xlsx", tmp_path / "out.csv").formulas_without_value == count
    cell_name = "a cell without a name" if 'r="B2"' not in cell else "B2"
    said = f"in.xlsx: 1 formula without a value, the first in {cell_name}, read as 0 or empty; open the"
    assert (said in caplog.text) == bool(count)
    assert (tmp_path / "out.csv").read_text().count("\n") == 2


def edited(data, *edits):
    """Return a workbook with other text in its parts."""
    old, file = zipfile.ZipFile(io.BytesIO(data)), io.BytesIO()
    with zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            text = old.read(name).decode()
            for _, before, after in (edit for edit in edits if edit[0] == name):
                assert before in text
                text = text.replace(before, after)
            new.writestr(name, text)
    return file.getvalue()


def test_a_title_is_not_the_header(convert, caplog):
    data = workbook(A=[["Report of May"], [], ["id", "text", "n"], [1, "x", 2], [2, "x", 3]])
    out = convert(data, "in.xlsx")
    assert "in.xlsx: the header is row 3: read with --skip-lines 2" in caplog.text
    assert out == convert(data, "in.xlsx", read=ReadOptions(skip_lines=2))
    assert cells_of(out)[0][0] == "Report of May"
    assert cells_of(out)[3][:3] == [1.0, "x", 2.0]
    doubtful = workbook(A=[["Report of May"], [], ["id", "words", "n"], [1, "x", 2], [2, "x", 3]])
    with pytest.raises(DataError, match=r"in\.xlsx: .*; if the header is line 3, add --skip-lines 2$"):
        convert(doubtful, "in.xlsx")


def test_a_sheet_without_a_header_gets_numbers_as_names(convert):
    data = workbook(A=[["Report"], [1, "x"], [2, "y" * 9]])
    options = ReadOptions(header=False, skip_lines=1, text_column="2")
    out = cells_of(convert(data, "in.xlsx", read=options))
    assert [row[:2] for row in out] == [["Report", ""], ["1", "2"], [1.0, "x"], [2.0, "y" * 9]]
    assert [row[2] for row in out] == ["", "sentiment", "odd", "odd"]
    assert convert(data, "in.xlsx", ".csv", read=options).startswith(b"1,x,odd,")


@pytest.mark.parametrize(
    "header",
    [
        [["Respondent ID", "text"], ["", "Open-Ended Response"]],
        [["ResponseId", "text"], ["Response ID", "How was it?"]],
    ],
)
def test_a_second_header_of_a_survey_has_no_score(convert, caplog, header):
    data = workbook(A=[["Report, May"], *header, [1, "x"]])
    assert [row[2] for row in cells_of(convert(data, "in.xlsx"))] == ["", "sentiment", "", "odd"]
    assert "1 further header of a survey: read with --skip-rows 1" in caplog.text


SAID = ("It works well.", "It broke after a day.", "So bad!")


@pytest.mark.parametrize(
    ("cells", "is_row"),
    [
        ([[text] for text in SAID], True),
        ([["what a great little film"], ["so bad"]], True),
        ([["What can we do better?"], ["so bad"]], False),
        ([["Ada", text] for text in SAID], True),
        ([["Name", "Tell us about your visit."], ["Ada", "so bad"]], True),
        ([["Score", "Tell us about your visit."], [5, "it was so bad"]], False),
        ([[5, text] for text in SAID], True),
        ([["2024-03-01 09:30", text] for text in SAID], True),
    ],
)
def test_a_first_row_that_seems_to_be_no_header_is_asked_about(convert, cells, is_row):
    lines = "".join(",".join(map(str, row)) + "\n" for row in cells).encode()
    for name, data in (("in.csv", lines), ("in.xlsx", workbook(A=cells))):
        if not is_row:
            assert convert(data, name, ".jsonl").count(b"\n") == 1
            continue
        with pytest.raises(DataError, match="if the first line is a row, add --no-header, else name"):
            convert(data, name)
        options = ReadOptions(header=False, text_column=str(len(cells[0])))
        assert convert(data, name, ".jsonl", read=options).count(b"\n") == len(cells)


def test_titles_and_second_headers_stay_without_a_score(convert):
    data = workbook(A=[["Report"], ["id", "text"], ["", "Open-Ended Response"], [1, "x"]])
    options = ReadOptions(skip_lines=1, skip_rows=1)
    assert cells_of(convert(data, "in.xlsx", read=options)) == [
        ["Report", "", "", ""],
        ["id", "text", "sentiment", "sentiment_score"],
        ["", "Open-Ended Response", "", ""],
        [1.0, "x", "odd", 0.142857],
    ]
    assert convert(data, "in.xlsx", ".csv", read=options).splitlines()[1:] == [b"1,x,odd,0.142857"]


def test_a_sheet_may_begin_anywhere_and_be_empty(convert, rejects):
    out = convert(workbook(A=[[], [], [None, "text"], [None, "y" * 200], [None, "x"]]), "in.xlsx")
    assert cells_of(out)[2:4] == [
        ["text", "sentiment", "sentiment_score"],
        ["y" * 200, "even", 0.571429],
    ]
    out = convert(
        workbook(A=[[], [], [None, "text"], [None, "y" * 200], [None, "x"]]),
        *("in.xlsx", ".jsonl"),
        read=ReadOptions(max_row_bytes=100),
    )
    assert out.count(b"\n") == 1
    (found,) = rejects()
    assert (found["line"], found["offset"], found["raw"]) == (4, None, f'["{"y" * 200}"]\n')
    assert found["reason"] == "longer than 100 bytes; try a higher --max-row-bytes"
    assert cells_of(convert(workbook(A=[]), "in.xlsx")) == []
    assert cells_of(convert(workbook(A=[["text"]]), "in.xlsx")) == [["text", "sentiment", "sentiment_score"]]


def test_several_columns_are_one_text(convert):
    data = workbook(A=[["title", "body"], ["x", "y"], [None, "y"]])
    rows = cells_of(convert(data, "in.xlsx", read=ReadOptions(text_column="title,body")))
    assert [row[3] for row in rows[1:]] == [0.428571, 0.142857]


def test_several_workbooks_have_the_same_columns(run, tmp_path):
    for name, columns in (("a", ["id", "text"]), ("b", ["id", "text"]), ("c", ["text", "id"])):
        (tmp_path / f"{name}.xlsx").write_bytes(workbook(A=[columns, [name, name]]))
    run([tmp_path / "a.xlsx", tmp_path / "b.xlsx"], tmp_path / "out.xlsx")
    rows = cells_of((tmp_path / "out.xlsx").read_bytes())
    assert [row[0] for row in rows] == ["id", "a", "b"]
    with pytest.raises(
        DataError, match=r"c\.xlsx: the columns are 'text', 'id', in the first input the columns"
    ):
        run([tmp_path / "a.xlsx", tmp_path / "c.xlsx"], tmp_path / "no.xlsx")


LONG, EMOJI = "y" * 32_768, "\N{GRINNING FACE}" * 16_384
REASON = "32,768 characters in a cell, Excel holds 32,767; try -o OUT.csv"


@pytest.mark.parametrize("value", [LONG, EMOJI])
@pytest.mark.parametrize("is_quoted", [True, False])
def test_a_row_with_a_long_cell_of_csv_is_rejected(convert, rejects, value, is_quoted):
    field = f'"{value[:-1]}{value[-1]}"' if is_quoted else value
    data = f"id,text\n1,x\n2,{field}\n3,{value[:-1]}\n4,xx\n5\n"
    out = convert(data.encode(), target=".xlsx")
    assert [row[0] for row in cells_of(out)] == ["id", 1.0, 3.0, 4.0]
    assert [(found["line"], found["reason"]) for found in rejects()] == [
        (3, REASON),
        (6, "1 field instead of 2"),
    ]


def test_a_row_with_a_long_cell_is_rejected(convert, rejects, run, tmp_path):
    data = "".join(f"{orjson.dumps({'text': text}).decode()}\n" for text in ("x", LONG, "xx"))
    assert len(cells_of(convert(data.encode(), "in.jsonl", ".xlsx"))) == 3
    assert [(found["line"], found["reason"]) for found in rejects()] == [(2, REASON)]
    assert len(cells_of(convert(f"x\n{LONG}\nxx\n".encode(), "in.lines", ".xlsx"))) == 3
    assert [(found["line"], found["reason"]) for found in rejects()] == [(2, REASON)]
    table = {"text": ["x", "y", "xx"], "list": [["1"], [LONG], []]}
    pq.write_table(pa.table(table), tmp_path / "in.parquet")
    run(tmp_path / "in.parquet", tmp_path / "out.xlsx", overwrite=True)
    assert len(cells_of((tmp_path / "out.xlsx").read_bytes())) == 3
    assert [found["line"] for found in rejects()] == [2]


def test_a_row_with_a_long_cell_of_another_workbook_is_rejected(convert, rejects, monkeypatch):
    data = workbook(A=[["text"], ["x"], ["y" * 200], ["xx"]])
    monkeypatch.setattr(xlsx, "_LONGEST", 100)
    assert len(cells_of(convert(data, "in.xlsx"))) == 3
    assert [found["line"] for found in rejects()] == [3]


def test_what_a_sheet_cannot_hold_is_an_error(convert, monkeypatch):
    monkeypatch.setattr(xlsx, "_AS_GIVEN", {})
    with pytest.raises(OutputError, match=r"no room for row 1, column 16,385: .*; write .*: -o OUT.csv"):
        convert(b"text" + b"".join(b",%d" % number for number in range(16384)) + b"\n", target=".xlsx")


def parts_of(data):
    with zipfile.ZipFile(io.BytesIO(data)) as book:
        return {name: book.read(name).decode() for name in book.namelist()}


def test_a_workbook_is_made_for_people(convert):
    """Header in bold and frozen, filter, widths, labels shaded by a rule, scores with three decimals."""
    out = convert(b"id,text\n1,x\n2,xx\n3,\n" + b"4," + b"long " * 99 + b"\n", target=".xlsx")
    parts = parts_of(out)
    sheet, styles = parts["xl/worksheets/sheet1.xml"], parts["xl/styles.xml"]
    assert '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>' in sheet
    assert '<autoFilter ref="A1:D5"/>' in sheet
    assert re.findall(r'<col min="(\d)" max="\d" width="(\d+)\.', sheet) == [
        ("1", "8"),
        ("2", "60"),
        ("3", "11"),
        ("4", "17"),
    ]
    assert '<conditionalFormatting sqref="C2:C5"><cfRule type="cellIs" ' in sheet
    assert re.findall(r"<formula>([^<>]*)<", sheet) == ['"even"', '"odd"']
    assert 'formatCode="0.000"' in styles
    assert styles.count("<b/>") == 1


def test_a_workbook_tells_about_the_run_on_a_second_sheet(convert):
    out = convert(b"id,text\n1,x\n2,xx\n3,\n4,xxx\n5\n", target=".xlsx")
    assert cells_of(out, 1) == [
        ["model", "parity", ""],
        ["texts in", "text", ""],
        ["", "", ""],
        ["", "rows", "share of labeled"],
        ["all", 4.0, ""],
        ["even", 1.0, 1 / 3],
        ["odd", 2.0, 2 / 3],
        ["blank", 1.0, ""],
        ["no known word", 0.0, ""],
        ["rejected", 1.0, ""],
        ["perhaps in another language", 0.0, ""],
    ]
    assert CalamineWorkbook.from_filelike(io.BytesIO(out)).sheet_names == ["Sheet1", "Summary"]
    out = convert(workbook(summary=[["text"], ["x"]]), "in.xlsx")
    assert CalamineWorkbook.from_filelike(io.BytesIO(out)).sheet_names == ["summary", "Summary 2"]


@pytest.mark.parametrize("is_first", [True, False])
def test_the_sheet_about_a_run_is_no_input(convert, caplog, is_first):
    data = convert(b"id,text\n1,x\n", target=".xlsx")
    if is_first:
        sheets = re.findall("<sheet [^<>]*>", parts_of(data)["xl/workbook.xml"])
        data = edited(data, ("xl/workbook.xml", "".join(sheets), "".join(reversed(sheets))))
    again = convert(data, "in.xlsx", write=WriteOptions(prefix="new_"))
    assert cells_of(again)[1] == [1.0, "x", "odd", 0.142857, "odd", 0.142857]
    assert [cells[0] for cells in cells_of(again, 1)][:2] == ["model", "texts in"]
    assert "left out" not in caplog.text
    chosen = convert(data, "in.xlsx", ".csv", read=ReadOptions(sheet="Summary", text_column="parity,model"))
    assert chosen.startswith(b"model,parity,")


def test_a_summary_of_another_program_is_not_left_out_in_silence(convert, caplog):
    convert(workbook(Data=TABLE, Summary=[["model", "price"], ["A1", 5]]), "in.xlsx")
    assert "other sheets are left out: Summary; choose with --sheet" in caplog.text


@pytest.mark.parametrize(
    ("labels", "shaded"),
    [
        (("even", "odd"), 2),
        (("even", "neutral", "odd"), 3),
        (("even", "neutral", "odd", "mixed"), 4),
        (("even", 'o"d', "a", "b"), 0),
    ],
)
def test_labels_in_an_order_are_shaded(run, tmp_path, labels, shaded):
    folder = tmp_path / "shop=north"  # a column of its own, whose values are no labels
    folder.mkdir()
    (folder / "in.csv").write_bytes(b"text\nx\n")
    run(folder / "in.csv", tmp_path / "out.xlsx", scorer=ParityScorer(given_labels=labels))
    sheet = parts_of((tmp_path / "out.xlsx").read_bytes())["xl/worksheets/sheet1.xml"]
    assert {*re.findall("<formula>(.*?)</formula>", sheet)} == {f'"{label}"' for label in labels[:shaded]}


def test_nothing_in_a_workbook_is_of_today(convert):
    out = convert(b"id,text\n1,x\n2,xx\n", target=".xlsx")
    with zipfile.ZipFile(io.BytesIO(out)) as book:
        assert {part.date_time[0] for part in book.infolist()} == {1980}
    assert {*re.findall(r"20\d\d-[^<]*", parts_of(out)["docProps/core.xml"])} == {"2000-01-01T00:00:00Z"}


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("soffice"), reason="LibreOffice is not installed")
@pytest.mark.parametrize("form", [".csv", ".parquet"])
def test_libreoffice_opens_a_workbook_and_its_numbers_add_up(run, tmp_path, form):
    table = pa.table(
        {
            "id": [*range(1000)],
            "price": [number / 100 for number in range(1000)],
            "text": ["x" * (number % 9) + "\n" * (number % 2) for number in range(1000)],
        }
    )
    (pq.write_table if form == ".parquet" else write_csv)(table, tmp_path / f"in{form}")
    run(tmp_path / f"in{form}", tmp_path / "out.xlsx")
    run(tmp_path / f"in{form}", tmp_path / "out.csv")
    profile = f"-env:UserInstallation=file://{tmp_path}/profile"
    command = [
        "soffice",
        profile,
        "--headless",
        "--convert-to",
        "csv",
        "--outdir",
        tmp_path / "opened",
        "out.xlsx",
    ]
    subprocess.run(command, check=True, cwd=tmp_path, timeout=120, capture_output=True)
    opened, written = (
        read_csv(tmp_path / name, parse_options=ParseOptions(newlines_in_values=True))
        for name in ("opened/out.csv", "out.csv")
    )
    assert opened.column_names == written.column_names
    for name in ("id", "price"):
        assert sum(opened[name].to_pylist()) == pytest.approx(sum(table[name].to_pylist()))
    assert opened["sentiment"].to_pylist() == written["sentiment"].to_pylist()
    scores = zip(opened["sentiment_score"].to_pylist(), written["sentiment_score"].to_pylist(), strict=True)
    assert all(shown == exact or abs(shown - exact) < 0.001 for shown, exact in scores)
