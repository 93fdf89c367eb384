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
_IS_STRING = re.compile(rb"""\st=["']str["']""")  # of a formula that may give an empty string


class Package:
    """The zip archive of an .xlsx file, of which one sheet is read.

    :param sheet: the index of the sheet among all.
    :ivar part: the name of the sheet's part; empty if it is not found, as in other formats.
    """

    def __init__(self, file: IO[bytes], sheet: int) -> None:
        self.part = ""
        with suppress(zipfile.BadZipFile, LookupError, ValueError):
            self.zip = zipfile.ZipFile(file)
            self.book = self.text(_BOOK)
            relations = [*map(_attributes, _RELATION.findall(self.text(_RELATIONS)))]
            targets = {relation["Id"]: relation["Target"] for relation in relations}
            of_sheet = _attributes(_SHEET.findall(self.book)[sheet])
            wanted = next(value for name, value in of_sheet.items() if name.endswith(":id"))
            part = posixpath.join("/xl", targets[wanted]).lstrip("/")
            self.part = self.zip.getinfo(part).filename

    def text(self, name: str) -> str:
        return self.zip.read(name).decode("utf-8", "replace")

    def formulas_without_value(self) -> tuple[int, str]:
        """Return how many formulas have no value, and the place of the first one.

        A program that does not calculate writes no value, or 0 and a mark that all is to be calculated.
        """
        is_open = bool(self.part and _RECALCULATES.search(self.book))
        count, first = 0, ""
        for row in self._rows() if self.part else ():
            for attributes, content in _CELL.findall(row) if _FORMULA.search(row) else ():
                value = _VALUE.search(content)
                has_none = value[1] == b"0" and is_open if value else not _IS_STRING.search(attributes)
                if has_none and _FORMULA.search(content):
                    count += 1
                    place = _PLACE.search(attributes)
                    first = first or (place[1].decode() if place else "a cell without a name")
        return count, first

    def _rows(self) -> Iterator[bytes]:
        """Yield the XML of each row, the first with all before it."""
        data = b""
        with self.zip.open(self.part) as file:
            while block := file.read(_BLOCK):
                data += block
                start = 0
                for end in _ROW_END.finditer(data):
                    yield data[start : end.end()]
                    start = end.end()
                data = data[start:]


def _attributes(element: str) -> dict[str, str]:
    return {name: unescape(value) for name, value in _ATTRIBUTE.findall(element)}
