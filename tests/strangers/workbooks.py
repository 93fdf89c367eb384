"""Write and read workbooks with the standard library alone, so that no library of sentcli judges itself."""

import io
import re
import zipfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_PARTS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPES = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'


class Formula(str):
    """A formula, without the equals sign."""


def workbook(sheets: dict[str, list[list[Any]]], *, inline: bool = False, cached: int | None = None) -> bytes:
    """Return an .xlsx file.

    :param inline: whether strings are written into the cells, not into a shared table.
    :param cached: the value of each formula; None: none.
    """
    shared: dict[str, int] = {}
    parts = {
        f"xl/worksheets/sheet{n}.xml": _sheet(rows, None if inline else shared, cached)
        for n, rows in enumerate(sheets.values(), 1)
    }
    links = [(f"worksheets/sheet{n}.xml", "worksheet") for n in range(1, len(sheets) + 1)]
    links += [("styles.xml", "styles")] + ([] if inline else [("sharedStrings.xml", "sharedStrings")])
    listed = "".join(
        f'<sheet name="{name}" sheetId="{n}" r:id="rId{n}"/>' for n, name in enumerate(sheets, 1)
    )
    calculate = "" if cached is None else '<calcPr calcId="124519" fullCalcOnLoad="1"/>'  # as XlsxWriter
    strings = "".join(f'<si><t xml:space="preserve">{escape(text)}</t></si>' for text in shared)
    styles = (
        '<fonts count="1"><font/></fonts><fills count="2"><fill/><fill/></fills>'
        '<borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs>'
        '<cellXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/></cellXfs>'
    )
    parts |= {"xl/styles.xml": f'<styleSheet xmlns="{_MAIN}">{styles}</styleSheet>'}
    if not inline:
        parts["xl/sharedStrings.xml"] = f'<sst xmlns="{_MAIN}" count="{len(shared)}">{strings}</sst>'
    kinds = {"styles": "styles", "shared": "sharedStrings", "sheet": "worksheet"}
    types = "".join(
        f'<Override PartName="/{name}" ContentType="{_TYPES}.{kind}+xml"/>'
        for name in parts
        for start, kind in kinds.items()
        if Path(name).name.startswith(start)
    )
    parts |= {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPES}.sheet.main+xml"/>{types}</Types>',
        "_rels/.rels": _relations([("xl/workbook.xml", "officeDocument")]),
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_PARTS}">'
        f"<sheets>{listed}</sheets>{calculate}</workbook>",
        "xl/_rels/workbook.xml.rels": _relations(links),
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, _HEAD + text)
    return file.getvalue()


def _relations(links: list[tuple[str, str]]) -> str:
    inner = "".join(
        f'<Relationship Id="rId{n}" Type="{_PARTS}/{kind}" Target="{target}"/>'
        for n, (target, kind) in enumerate(links, 1)
    )
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{inner}</Relationships>'


def _sheet(rows: list[list[Any]], shared: dict[str, int] | None, cached: int | None) -> str:
    lines = []
    for line, row in enumerate(rows, 1):
        cells = [_cell(f"{chr(65 + place)}{line}", value, shared, cached) for place, value in enumerate(row)]
        lines.append(f'<row r="{line}">{"".join(cells)}</row>')
    return f'<worksheet xmlns="{_MAIN}"><sheetData>{"".join(lines)}</sheetData></worksheet>'


def _cell(place: str, value: Any, shared: dict[str, int] | None, cached: int | None) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, Formula):
        known = "<v></v>" if cached is None else f"<v>{cached}</v>"
        return f'<c r="{place}"><f>{escape(value)}</f>{known}</c>'
    if isinstance(value, bool):
        return f'<c r="{place}" t="b"><v>{value:d}</v></c>'
    if not isinstance(value, str):
        return f'<c r="{place}"><v>{value!r}</v></c>'
    if shared is None:
        return f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'
    return f'<c r="{place}" t="s"><v>{shared.setdefault(value, len(shared))}</v></c>'


def read_workbook(path: Path) -> list[dict[str, Any]]:
    """Return the rows below the first header with a label; blank cells are None."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        shared = _strings(archive.read("xl/sharedStrings.xml")) if "xl/sharedStrings.xml" in names else []
        sheets = sorted(name for name in names if re.fullmatch(r"xl/worksheets/sheet\d+\.xml", name))
        grids = [_grid(archive.read(name), shared) for name in sheets]
    for grid in grids:
        for line, head in enumerate(grid):
            if "sentiment" in head.values():
                rows = grid[line + 1 :]
                return [{name: row.get(place) for place, name in head.items()} for row in rows]
    return []


def _strings(data: bytes) -> list[str]:
    return ["".join(each.itertext()) for each in ET.fromstring(data)]


def _grid(data: bytes, shared: list[str]) -> list[dict[str, Any]]:
    grid = []
    for row in ET.fromstring(data).iter(f"{{{_MAIN}}}row"):
        cells: dict[str, Any] = {}
        for cell in row:
            text = (
                "".join(cell.find(f"{{{_MAIN}}}is").itertext())
                if cell.get("t") == "inlineStr"
                else (cell.findtext(f"{{{_MAIN}}}v") or "")
            )
            column = re.sub(r"\d", "", cell.get("r", ""))
            kind = cell.get("t", "n")
            if kind == "n":
                cells[column] = float(text) if text else None
            else:
                cells[column] = shared[int(text)] if kind == "s" else text == "1" if kind == "b" else text
        grid.append(cells)
    return grid
