"""Folders of mutated workbooks and Parquet files: no file ends the run, and the good ones are scored.

Seconds by default; `SENTCLI_FUZZ=MINUTES` goes on with other mutations, for so long in each format.
"""

import io
import os
import random
import re
import subprocess
import sys
import time
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter
from mutated_tables import Case
from processes import environment

COUNT = 100  # files of a folder
MINUTES = float(os.environ.get("SENTCLI_FUZZ", "0"))
MOST_MEMORY = 600 << 10  # KiB
MOST_SECONDS = 20  # of CPU

_VALUES = (
    b"",
    b"0",
    b"-1",
    b"2147483648",
    b"4294967295",
    b"9" * 30,
    b"XFD1048576",
    b"ZZZZZZ3",
    b"A0",
    b"s",
    b"inlineStr",
)
_PIECES = (
    *(
        b"<c/>",
        b"<c><v>1</v></c>",
        b'<c r="XFD1048576" t="s"><v>7</v></c>',
        b"<row>",
        b"</row>",
        b"</sheetData>",
    ),
    *(
        b'<row r="1048576"/>',
        b"<v>9999999999</v>",
        b"<!--",
        b"<![CDATA[",
        b"]]>",
        b"&lol;",
        b"&#0;",
        b"<is>",
        b"\xff",
    ),
    *(
        b"<!DOCTYPE a [<!ENTITY lol 'lol'>]>",
        b'<dimension ref="A1:XFD1048576"/>',
        b"<x:c>" * 3000,
        b"_x0041_",
    ),
)


def workbook(seed):
    """Return a small workbook with some bytes of its parts, or of the archive, changed."""
    draw = random.Random(f"xlsx {seed}")
    data = io.BytesIO()
    book = xlsxwriter.Workbook(data, {"constant_memory": draw.random() < 0.5})
    sheet = book.add_worksheet()
    for row in range(draw.choice((1, 5, 30))):
        sheet.write_row(row, 0, ["id", "text"] if not row else [row, f"good film {row}"])
    book.close()
    parts = {}
    with zipfile.ZipFile(data) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    for _ in range(draw.choice((1, 1, 2, 4))):
        likely = ["xl/worksheets/sheet1.xml"] * 4 + ["xl/workbook.xml", "xl/sharedStrings.xml"]
        name = draw.choice([name for name in (*likely, *parts) if name in parts])
        parts[name] = _damaged(draw, parts[name])
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as new:
        for name, content in parts.items():
            new.writestr(name, content)
    archive = data.getvalue()
    return _damaged(draw, archive) if draw.random() < 0.2 else archive


def _damaged(draw, data):
    places = [found.span(1) for found in re.finditer(rb'="([^"]*)"', data)]
    start, end = (
        draw.choice(places) if places and draw.random() < 0.6 else [draw.randrange(len(data) + 1)] * 2
    )
    if start < end or draw.random() < 0.2:
        return data[:start] + draw.choice(_VALUES) + data[end:]
    size = draw.choice((0, 1, 20, 200))
    new = draw.choice((b"", draw.choice(_PIECES), draw.randbytes(size), data[start : start + size] * 50))
    return data[:start] + new + data[start + size :]


MUTATED = {"xlsx": workbook, "parquet": lambda seed: Case("parquet", seed).data}


@pytest.mark.linux
@pytest.mark.parametrize("form", MUTATED)
def test_no_mutated_file_ends_a_run(folder, trained, form):
    end = time.monotonic() + 60 * MINUTES
    seed = 0
    while not seed or time.monotonic() < end:
        inputs = folder / f"in{seed}"
        inputs.mkdir()
        for number in range(seed, seed + COUNT):
            (inputs / f"{number:06}.{form}").write_bytes(MUTATED[form](number))
        good = f"{seed + COUNT:06}.{form}"  # the last one
        (inputs / good).write_bytes(_good(form))
        check(folder, trained, inputs, good)
        seed += COUNT


def _good(form):
    data = io.BytesIO()
    if form == "parquet":
        pq.write_table(pa.table({"text": ["a good film"]}), data)
    else:
        with xlsxwriter.Workbook(data) as book:
            book.add_worksheet().write_column(0, 0, ["text", "a good film"])
    return data.getvalue()


# A process cannot ask how much memory another one used: `wait4` counts that of the parent too.
_RUN = """
import atexit, pathlib, time
from sentcli.__main__ import main

@atexit.register
def note():
    peak = pathlib.Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]
    pathlib.Path("used").write_text(f"{peak} {time.process_time()}")

main(prog_name="sentcli")
"""


def check(folder, trained, inputs, good):
    """Score a folder in one process: a file that ended it would leave the last one without an output."""
    arguments = (f"{inputs.name}/*", "-o", f"{inputs.name}-out/", "-q", "--max-rejects", "100%")
    command = [sys.executable, "-c", _RUN, "score", *arguments, "--model", trained.path]
    run = subprocess.run(command, cwd=folder, env=environment(), stderr=subprocess.PIPE, text=True)
    assert run.returncode in (0, 1, 3), run.stderr[-2000:]
    assert not re.search("Traceback|panicked", run.stderr), run.stderr[-2000:]
    assert (folder / f"{inputs.name}-out" / good).exists()
    memory, seconds = map(float, (folder / "used").read_text().split())
    assert memory < MOST_MEMORY
    assert seconds < MOST_SECONDS
