"""Workbooks as XlsxWriter and pandas write them."""

import builtins
import io
from datetime import date, datetime, time, timedelta

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter
from jobs import ParityScorer
from python_calamine import CalamineWorkbook

from sentcli.errors import DataError, InterruptedRunError, MissingExtraError, OutputError
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
    assert CalamineWorkbook.from_filelike(io.BytesIO(out)).sheet_names == ["Reviews"]


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


def test_a_title_is_not_the_header(convert):
    data = workbook(A=[["Report of May"], [], ["id", "text", "n"], [1, "x", 2], [2, "x", 3]])
    with pytest.raises(DataError, match=r"in\.xlsx: .*; if the header is row 3, add --skip-lines 2$"):
        convert(data, "in.xlsx")
    assert cells_of(convert(data, "in.xlsx", read=ReadOptions(skip_lines=2)))[3][:3] == [1.0, "x", 2.0]


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


def test_what_a_sheet_cannot_hold_is_an_error(convert, monkeypatch):
    with pytest.raises(
        OutputError, match=r"no room for row 3, column 2: .*; write another format: -o OUT.csv"
    ):
        convert(b"id,text\n1,x\n2," + b"y" * 32768 + b"\n", target=".xlsx")
    monkeypatch.setattr(xlsx, "_AS_GIVEN", {})
    with pytest.raises(OutputError, match="column 16,385"):
        convert(b"text" + b"".join(b",%d" % number for number in range(16384)) + b"\n", target=".xlsx")


@pytest.mark.parametrize("stop_after", [1, 3])
@pytest.mark.parametrize("target", ["out.xlsx", "out.csv"])
def test_a_stopped_run_continues_to_the_same_bytes(run, tmp_path, monkeypatch, stop_after, target):
    monkeypatch.setattr("sentcli.runs.ledger.COMMIT_SECONDS", 0.0)
    (tmp_path / "in.xlsx").write_bytes(
        workbook(A=[["id", "text"], *([n, "x" * (n % 9)] for n in range(3000))])
    )
    run(tmp_path / "in.xlsx", tmp_path / f"whole-{target}")
    with pytest.raises(InterruptedRunError):
        run(tmp_path / "in.xlsx", tmp_path / target, scorer=ParityScorer(stop_after))
    rest = ParityScorer()
    run(tmp_path / "in.xlsx", tmp_path / target, scorer=rest)
    assert rest.scored < 3000
    assert (tmp_path / target).read_bytes() == (tmp_path / f"whole-{target}").read_bytes()


@pytest.mark.parametrize("target", [".csv", ".xlsx"])
def test_without_the_extra_the_command_is_named(convert, monkeypatch, target):
    real = builtins.__import__

    def no_packages(name, *arguments, **options):
        if name in ("python_calamine", "xlsxwriter"):
            raise ModuleNotFoundError(name=name)
        return real(name, *arguments, **options)

    data = workbook(A=[["text"], ["x"]])
    monkeypatch.setattr(builtins, "__import__", no_packages)
    with pytest.raises(MissingExtraError, match=r"pip install 'sentcli\[excel\]'"):
        convert(data, "in.xlsx", target, write=WriteOptions())
