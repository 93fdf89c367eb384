"""The parts of an .xlsx file: which formulas of a sheet have no value.

XML is searched, not parsed, and the sheet passes through memory row by row.
"""

import posixpath
import re
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from html import unescape
from typing import IO

_BLOCK = 1 << 20
_BOOK, _RELATIONS = "xl/workbook.xml", "xl/_rels/workbook.xml.rels"

_SHEET = re.compile(r"<(?:\w+:)?sheet\s[^<>]*>")
_RELATION = re.compile(r"<Relationship\s[^<>]*>")
_ATTRIBUTE = re.compile(r"""\s([\w:]+)\s*=\s*["']([^"']*)["']""")
_RECALCULATES = re.compile(r"""fullCalcOnLoad\s*=\s*["'](1|true)""")
_ROW_END = re.compile(rb"</(?:\w+:)?row\s*>|<(?:\w+:)?row(?:\s[^<>]*)?/>")
_CELL = re.compile(rb"<(?:\w+:)?c(?=[\s/>])([^<>]*?)(?:/>|>(.*?)</(?:\w+:)?c\s*>)", re.DOTALL)
_PLACE = re.compile(rb"""\sr=["']([A-Z]+\d+)["']""")
_FORMULA = re.compile(rb"<(?:\w+:)?f[\s/>]")
_VALUE = re.compile(rb"<(?:\w+:)?v>([^<]+)<")
_IS_STRING = re.compile(rb"""\st=["']str["']""")  # of a formula whose value may be an empty string


def formulas_without_value(file: IO[bytes], sheet: int) -> tuple[int, str]:
    """Return how many formulas of a sheet have no value, and the place of the first one.

    A program that does not calculate writes no value, or 0 and a request to calculate all formulas.

    :param sheet: the index of the sheet among all; if it is not found, as in other formats, the count is 0.
    """
    count, first = 0, ""
    with suppress(zipfile.BadZipFile, LookupError, ValueError):
        parts = zipfile.ZipFile(file)
        book, part = _find_sheet(parts, sheet)
        is_open = _RECALCULATES.search(book)
        for row in filter(_FORMULA.search, _rows(parts, part)):
            for attributes, content in _CELL.findall(row):
                value = _VALUE.search(content)
                has_none = value[1] == b"0" and is_open if value else not _IS_STRING.search(attributes)
                if has_none and _FORMULA.search(content):
                    count += 1
                    place = _PLACE.search(attributes)
                    first = first or (place[1].decode() if place else "a cell without a name")
    return count, first


def _find_sheet(parts: zipfile.ZipFile, sheet: int) -> tuple[str, str]:
    """Return the XML of the workbook, and the name of a sheet's part."""
    book, relations = (parts.read(name).decode("utf-8", "replace") for name in (_BOOK, _RELATIONS))
    found = map(_attributes, _RELATION.findall(relations))
    targets = {relation["Id"]: relation["Target"] for relation in found}
    of_sheet = _attributes(_SHEET.findall(book)[sheet])
    wanted = next(value for name, value in of_sheet.items() if name.endswith(":id"))
    return book, posixpath.join("/xl", targets[wanted]).lstrip("/")


def _rows(parts: zipfile.ZipFile, part: str) -> Iterator[bytes]:
    """Yield the XML of each row, the first with all before it."""
    data = b""
    with parts.open(part) as file:
        while block := file.read(_BLOCK):
            data += block
            start = 0
            for end in _ROW_END.finditer(data):
                yield data[start : end.end()]
                start = end.end()
            data = data[start:]


def _attributes(element: str) -> dict[str, str]:
    return {name: unescape(value) for name, value in _ATTRIBUTE.findall(element)}
