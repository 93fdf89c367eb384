"""The parts of an .xlsx file: whether a library may read them, and which formulas of a sheet have no value.

calamine aborts the process where it cannot get the memory that a small file asks for. A workbook asks for
it by the number of its strings, by a cell in the last column and row, or by parts that unpack to a thousand
times their size. XML of sheets is searched, not parsed: where it may be read in two ways, the larger counts.
"""

import posixpath
import re
import struct
import zipfile
from contextlib import suppress
from functools import reduce
from typing import IO
from xml.etree import ElementTree as ET

from sentcli.errors import DataError
from sentcli.files.compression import damage

_RATIO = 100  # of unpacked bytes to those of the file, if they are many: the bound of Apache POI
_UNPACKED = 16 << 20  # bytes of all parts that any workbook may have
_AREA = 4_000_000  # cells, empty ones included, that the sheets of any workbook may have
_AREA_RATIO = 4  # more may be so many times the bytes of the file
_ROW = re.compile(rb"row(?<=[<:]row)[\s/>]")
_CELL = re.compile(rb"c(?<=[<:]c)[\s/>]")
_CELL_WITHOUT_PLACE = re.compile(rb"c(?<=[<:]c)(?=[\s/>])(?!\s+r\s*=)")  # as far as one can see
_EMPTY_CELL = re.compile(rb"""<(?:[\w.-]+:)?c(?:\s+[\w:.-]+\s*=\s*(?:"[^"<>]*"|'[^'<>]*'))*\s*/>""")
_FORMULA_CELL = re.compile(  # its attributes and its value
    rb"<(?:\w+:)?c(\s[^<>]*)?>\s*<(?:\w+:)?f(?:\s[^<>]*)?(?:/>|>[^<]*</(?:\w+:)?f\s*>)\s*(?:<(?:\w+:)?v>([^<]*))?"
)
_PLACE = re.compile(rb"""r\s*=\s*["']([A-Za-z]*)(\d+)["']""")  # B2; of a row, 2
_STRINGS = re.compile(rb"""uniqueCount\s*=\s*["']\+?(\d+)""")
_IS_STRING = re.compile(rb"""\st=["']str["']""")  # of a formula whose value may be an empty string
_WIDE = (b"\xff\xfe", b"\xfe\xff", b"<\0", b"\0<")  # how XML in UTF-16 begins
_UNCHECKED = (".xls", ".xlsb", ".ods")  # read where the user asks for it
_PARTS_OF_OTHERS = {"xl/workbook.bin", "content.xml"}  # of .xlsb and .ods in the name of .xlsx
_DAMAGE: tuple[type[Exception], ...] = (*damage(), struct.error, LookupError, RuntimeError, ValueError)


def check_workbook(file: IO[bytes], name: str) -> None:
    """Check that the memory for a workbook is in proportion to its size; leave the file at its start."""
    if name.lower().endswith(_UNCHECKED):
        return
    size = file.seek(0, 2)
    room, most, span = max(_UNPACKED, _RATIO * size), max(_AREA, _AREA_RATIO * size), 0
    try:
        with zipfile.ZipFile(file) as book:
            if not _PARTS_OF_OTHERS.isdisjoint(map(str.lower, book.namelist())):
                hint = "rename it to .xlsb or .ods, or save it as .xlsx"
                raise DataError(f"{name}: not an .xlsx workbook; {hint}")
            for part in book.infolist():
                with book.open(part) as stream:
                    data = stream.read(room + 1)
                if data.startswith(_WIDE):
                    raise DataError(f"{name}: {part.filename} is in UTF-16; save it again")
                rows, columns = _extent(data)
                room, span = room - len(data), span + rows * columns
                summed = f", with the sheets before it {span:,} cells" if span > rows * columns else ""
                strings = max(map(int, _STRINGS.findall(data)), default=0)
                faults = {
                    "it is packed too densely": room < 0,
                    f"it says that it has {strings:,} strings": strings > len(data),
                    f"a sheet spans {rows:,} rows and {columns:,} columns{summed}": span > most,
                }
                for fault in filter(faults.get, faults):
                    raise DataError(f"{name}: {fault}, too much for a file of {size:,} bytes; save it again")
    except _DAMAGE as error:
        reason = str(error) or type(error).__name__
        raise DataError(f"{name}: not a workbook that can be read: {reason}") from error
    file.seek(0)


def _extent(data: bytes) -> tuple[int, int]:
    """Return at least the numbers of rows and columns of a sheet; zeros for what is no sheet."""
    if b"sheetData" not in data:
        return 0, 0
    places = _PLACE.findall(data)
    height = max(map(int, {row for _, row in places}), default=0)
    width = max(map(_column, {letters for letters, _ in places}), default=0)
    if _CELL_WITHOUT_PLACE.search(data):  # it follows the one before
        rows = _ROW.split(data)
        return height + len(rows), width + max(len(_CELL.findall(row)) for row in rows)
    if height * width > len(data) and _EMPTY_CELL.search(data):  # cells with a style alone take no memory
        return _extent(_EMPTY_CELL.sub(b"", data))
    return height, width


def _column(letters: bytes) -> int:
    """Return the number of a column, from 1, by its letters."""
    return reduce(lambda number, letter: 26 * number + letter - ord("A") + 1, letters.upper(), 0)


def formulas_without_value(file: IO[bytes], sheet: int) -> tuple[int, str]:
    """Return how many formulas of a sheet have no value, and the place of the first one.

    A program that does not calculate writes no value, or 0 and a request to calculate all formulas.

    :param file: a workbook that was checked.
    :param sheet: the index of the sheet among all; if it is not found, as in other formats, the count is 0.
    """
    with suppress(zipfile.BadZipFile, LookupError, ValueError, ET.ParseError):
        parts = zipfile.ZipFile(file)
        texts = map(parts.read, ("xl/workbook.xml", "xl/_rels/workbook.xml.rels"))
        book, relations = map(ET.fromstring, texts)  # expat refuses entity bombs
        is_open = any(found.get("fullCalcOnLoad") in ("1", "true") for found in book.iterfind("{*}calcPr"))
        attributes = book.findall("{*}sheets/{*}sheet")[sheet].items()
        wanted = next(value for name, value in attributes if name.endswith("}id"))
        targets = {relation.get("Id"): relation.get("Target", "") for relation in relations}
        cells = _FORMULA_CELL.findall(parts.read(posixpath.join("/xl", targets[wanted]).lstrip("/")))
        missing = [
            _PLACE.search(attributes)
            for attributes, value in cells
            if (is_open and value == b"0") or not (value or _IS_STRING.search(attributes))
        ]
        if missing:
            first = missing[0]
            return len(missing), b"".join(first.groups()).decode() if first else "a cell without a name"
    return 0, ""
