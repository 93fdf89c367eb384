"""Four times as many files, members, sheets, columns, cells or links take about four times as long."""

import io
import time
import zipfile
from pathlib import Path

import pytest
from jobs import ParityScorer, score_files
from xlsxwriter import Workbook

from sentcli.files import stop

CSV = b"id,text\n1,x\n2,xx\n"


def files(count, here):
    for number in range(count):
        (here / f"{number}.csv").write_bytes(CSV)


def members(count, here):
    with zipfile.ZipFile(here / "in.zip", "w") as archive:
        for number in range(count):
            archive.writestr(f"{number}.csv", CSV)


def links(count, here):
    (here / "a.csv").write_bytes(CSV)
    for number in range(count):
        (here / f"{number}").symlink_to(here)
        (here / f"{number}.csv").symlink_to(here / "a.csv")


def columns(count, here):
    names = ",".join(map(str, range(count)))
    (here / "in.csv").write_text(f"text,{names}\n" + 20 * f"good,{names}\n")


def workbook(here, rows):
    """Write rows to as many sheets as there are lists of rows."""
    book = Workbook(here / "in.xlsx")
    for rows_of_sheet in rows:
        sheet = book.add_worksheet()
        for number, cells in enumerate(rows_of_sheet):
            sheet.write_row(number, 0, cells)
    book.close()


def sheets(count, here):
    workbook(here, [[["id", "text"], *([number, "good"] for number in range(50))]] * count)


def cells(count, here):
    workbook(here, [[["id", "text"], *([number, "=A1"] for number in range(count))]])


def empty_cells(count, here):
    """Write what a search for formulas without a value could read again and again."""
    workbook(here, [[["id", "text"], [1, "good"]]])
    data = io.BytesIO((here / "in.xlsx").read_bytes())
    with zipfile.ZipFile(data) as book, zipfile.ZipFile(here / "in.xlsx", "w", zipfile.ZIP_DEFLATED) as copy:
        for name in book.namelist():
            part = book.read(name)
            if name.endswith("sheet1.xml"):
                part = part.replace(b"<sheetData>", b"<!--" + b'<c r="A1" ><f>' * count + b"--><sheetData>")
            copy.writestr(name, part)


@pytest.mark.parametrize(
    ("make", "count", "output"),
    [
        (files, 100, "out/"),
        (files, 100, "out.csv"),
        (members, 100, "out/"),
        (members, 100, "out.csv"),
        (links, 200, "out/"),
        (columns, 500, "out.csv"),
        (columns, 500, "out.xlsx"),
        (sheets, 10, "out.xlsx"),
        (cells, 1000, "out.xlsx"),
        (empty_cells, 50_000, "out.csv"),
    ],
)
def test_the_time_is_linear(tmp_path, monkeypatch, make, count, output):
    monkeypatch.chdir(tmp_path)
    for name, size in (("small", count), ("large", 4 * count)):
        (tmp_path / name).mkdir()
        make(size, tmp_path / name)

    def seconds(name):
        start = time.process_time()
        assert score_files(ParityScorer(), [name], f"{name}-{output}", overwrite=True).failed == 0
        return time.process_time() - start

    seconds("small")  # imports
    assert any(seconds("large") < 6 * seconds("small") for _ in range(3))
    assert [path for path in Path().glob("large-*") if path.stat().st_size]


@pytest.mark.parametrize(("make", "output"), [(files, "out/"), (files, "out.csv"), (members, "out.csv")])
def test_a_signal_is_looked_for_at_each_file(tmp_path, monkeypatch, make, output):
    monkeypatch.chdir(tmp_path)
    make(30, tmp_path)
    checks = []
    monkeypatch.setattr(stop, "check", lambda: checks.append(0))
    score_files(ParityScorer(), ["*.csv" if make is files else "in.zip"], output)
    assert len(checks) >= 2 * 30  # to inspect and to open it
