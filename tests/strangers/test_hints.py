"""Each command and option that a message proposes works when it is typed as it stands.

A case is a folder of files, a command, and the message. What the message proposes is found by `proposals`, as
for the files of `people_files`, and typed in a copy of the folder.
"""

import json
import re
import shlex
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import invoke
from first_commands import Done, is_there, is_well_formed, proposals, shell
from people_files import csv_text, grid, rows_of
from workbooks import workbook

ROWS = rows_of("id=number, stars=stars, name=person, text*=texts")
CSV = csv_text(ROWS)
NO_USUAL_NAME = "id=number, stars=stars, name=person, what they said=texts"
UNUSUAL = csv_text(rows_of(NO_USUAL_NAME))
POLISH = "id;text\n1;Hotel był wspaniały, źle było łóżko\n2;Śniadanie smaczne, jeść można\n".encode("cp1250")
FEED = (
    '<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom"><title>x</title><author><name>x</name></author>'
    "<entry><content>It is good.</content><author><name>Ada</name></author></entry>"
    "<entry><content>It is bad.</content><author><name>Bo</name></author></entry></feed>"
)
PAGE = "<!DOCTYPE html><html><table><tr><td>text</td></tr><tr><td>good</td></tr></table></html>"
LINES = "".join(json.dumps(row) + "\n" for row in ROWS)
TWO = csv_text(rows_of("id=number, liked=texts, missed=others"))
UNNAMED = csv_text(rows_of("1=number, 2=texts, 3=stars")).partition("\n")[2]


def write(**files: str | bytes) -> Callable[[Path], None]:
    """Return a function that writes files; `__` stands for the dot of a name."""

    def make(folder: Path) -> None:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            path = folder / name.replace("__", ".")
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)

    return make


def sheets(name: str, **grids: list) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(workbook(grids)) and None


def table(name: str, **columns: list) -> Callable[[Path], None]:
    return lambda folder: pq.write_table(pa.table(columns), folder / name)


def write_database(folder: Path) -> None:
    base = sqlite3.connect(folder / "shop.db")
    with base:
        base.execute("CREATE TABLE reviews (id, text)")
        base.executemany("INSERT INTO reviews VALUES (?, ?)", [(row["id"], row["text"]) for row in ROWS])
    base.close()


def write_letter(folder: Path) -> None:
    name = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    with zipfile.ZipFile(folder / "a.docx", "w") as file:
        lines = "<w:p><w:r><w:t>It is </w:t></w:r><w:r><w:t>good.</w:t></w:r></w:p><w:p/>" * 2
        file.writestr("word/document.xml", f'<w:document xmlns:w="{name}">{lines}</w:document>')


SCORE = "sentcli score a.csv -o b.csv"
# What is in `a.csv`, a part of the message to `SCORE`, and how many things it proposes.
FILES = {
    "two candidates": (TWO, "which column is the text", 2),
    "another column": (csv_text(rows_of("id=number, said=texts, title=title")), "texts taken from 'said'", 0),
    "longer texts in a column of titles": (
        csv_text(rows_of("id=number, text=product, title=texts")),
        "has longer ones",
        1,
    ),
    "a usual name next to longer texts": (
        csv_text(rows_of("id=number, text=title, description=texts")),
        "which column is the text",
        2,
    ),
    "a column of a new name": ("id,text,Sentiment\n1,good thing,x\n", "has a column 'Sentiment' already", 1),
    "no header": (UNNAMED, "a column is called 1", 1),
    "a text in place of a header": ("a good thing\nbad\n", "is taken for the header", 1),
    "a longer text in place of a header": ("a really good thing\nbad\n", "a column is called", 1),
    "backslashes": ('id,text\n1,"a \\"good\\" thing"\n2,"bad"\n', "text after a closing quote", 1),
    "backslashes in the first record": (
        'id,"the \\"text\\" here"\n1,"a good thing"\n',
        "the first record cannot be read",
        1,
    ),
    "bars": ("id|text|x\n1|good|b\n2|bad|c|d\n", "--delimiter", 1),
    "titles in CSV": (f"Reviews of March,,,\n{UNUSUAL}", "the first line has one cell", 1),
}
# The same for options that are added, with a file without a fault.
OPTIONS = {
    "rejects to the output": ("--rejects b.csv", "another --rejects", 0),
    "rejects compressed": ("--rejects r.jsonl.gz", "not compressed", 1),
    "a share of rejects": ("--max-rejects some", "a number of rows", 1),
    "a band": ("--neutral=0.3:0.7", "not two numbers", 2),
    "a band of two numbers": ("--neutral 0.7,0.3", "from 0 to 1", 0),
    "a name of an option elsewhere": ("--column text", "Did you mean", 0),
    "a file of the model that is missing": ("--backend torchscript", "sentcli export", 1),
    "a column to drop that is not there": ("--drop texts", "no column", 0),
    "mixed texts without a band": ("--mixed", "needs --neutral too", 1),
}
# The same for other commands, with what makes the folder.
CASES = {
    **{name: (write(a__csv=data), SCORE, part, count) for name, (data, part, count) in FILES.items()},
    **{
        name: (write(a__csv=CSV), f"{SCORE} {more}", part, count)
        for name, (more, part, count) in OPTIONS.items()
    },
    "no file, but a text": (write(), "sentcli score 'a great film'", "if this is a text", 1),
    "no inputs": (write(), "sentcli score -o out/", "has no name for a file in a folder; give -o FILE", 0),
    "an output that exists": (write(a__csv=CSV, b__csv=""), "sentcli score a.csv -o b.csv", "exists", 1),
    "two columns of one name": (
        write(a__csv="text,text\na,b\n" * 3),
        "sentcli score a.csv -c text -o b.csv",
        "several columns 'text'",
        2,
    ),
    "a key of a new name": (
        write(a__jsonl='{"text": "good"}\n{"text": "bad", "sentiment": 1}\n'),
        "sentcli score a.jsonl -o b.jsonl",
        "there is a 'sentiment' already",
        1,
    ),
    "titles in a workbook": (
        sheets("a.xlsx", Data=[["Reviews of March"], [], *grid(rows_of(NO_USUAL_NAME))]),
        "sentcli score a.xlsx -o b.xlsx",
        "the first line has one cell",
        1,
    ),
    "a line too long": (
        write(a__csv=f"id,text\n1,{'good ' * 100}\n2,bad\n"),
        "sentcli score a.csv -o b.csv --max-row-bytes 100",
        "longer than 100 bytes",
        0,
    ),
    "perhaps a table in a pipe": (
        write(a__txt="id,text\n1,x\n"),
        "cat a.txt | sentcli score -o b.csv",
        "if each line is a text",
        2,
    ),
    "a table of tabs in a pipe": (
        write(a__txt="said\tby\n" + 3 * "it works all the time\tan\nit broke on a day\tbo\n"),
        "cat a.txt | sentcli score -o b.tsv",
        "if it is lines of text",
        1,
    ),
    "formats that do not fit": (
        write(a__csv=CSV, b__jsonl=LINES),
        "sentcli score a.csv b.jsonl -o out.csv",
        "inputs of several formats",
        1,
    ),
    "a format that is unknown": (write(a__dat=CSV), "sentcli score a.dat -o b.csv", "what format is .dat", 0),
    "an output format that is unknown": (
        write(a__csv=CSV),
        "sentcli score a.csv -o b.dat",
        "--output-format with one of csv, tsv, jsonl, json, parquet, xlsx, lines",
        0,
    ),
    "an option of another format": (
        write(a__txt="good\n"),
        "sentcli score a.txt -o b.txt --input-format lines --delimiter ,",
        "does not apply to lines",
        0,
    ),
    "an output of several inputs without a suffix": (
        write(a__csv=CSV, b__csv=CSV),
        "sentcli score a.csv b.csv -o scored",
        "for one file each",
        1,
    ),
    "a shard": (write(a__csv=CSV), "sentcli score a.csv -o out/ --shard 5", "not I/N", 2),
    "an output that is compressed otherwise": (
        write(a__csv=CSV),
        "sentcli score a.csv -o b.csv.xz",
        "compressed with",
        0,
    ),
    "a table of tabs that is called a workbook": (
        write(a__xls=csv_text(ROWS, delimiter="\t")),
        "sentcli score a.xls -o b.xlsx",
        ".xls is not a supported format",
        1,
    ),
    "a database": (write_database, "sentcli score shop.db -o b.csv", "sqlite3", 1),
    "texts in another language": (
        write(a__txt="a good thing\nDas Hotel war schrecklich laut und schmutzig\n"),
        "sentcli score a.txt -o b.txt",
        "perhaps in another language",
        2,
    ),
    "an input that changed since": (
        write(a__csv=CSV),
        "sentcli score a.csv -o out/ -q && echo 99,1,Ada,good >> a.csv && sentcli score a.csv -o out/",
        "changed since",
        1,
    ),
    "a file that is no table, in a folder": (
        write(**{"in/a__csv": CSV, "in/notes__docx": "x"}),
        "sentcli score in -o out/",
        "in: 1 file left out: notes.docx",
        0,
    ),
    "a feed": (
        write(a__xml=FEED),
        "sentcli score a.xml -o b.csv",
        ".xml is not a supported format; try: python",
        1,
    ),
    "a letter": (write_letter, "sentcli score a.docx -o b.csv", ".docx is not a supported format; try:", 1),
    "a page": (write(a__html=PAGE), "sentcli score a.html -o b.csv", ".html is not a supported format", 1),
    "a page that is called CSV": (write(a__csv=PAGE), SCORE, "those of .html; rename it to end in .html", 0),
    "a paper": (
        write(a__pdf="%PDF-1.4"),
        "sentcli score a.pdf -o b.csv",
        "try: pdftotext a.pdf",
        1,
    ),
    "an encoding": (write(a__csv=POLISH), SCORE, "try --encoding cp1250", 1),
    "a mailbox to write": (write(a__csv=CSV), "sentcli score a.csv -o b.mbox", "give -o OUT.csv", 0),
    "a prefix for lines": (
        write(a__csv=CSV),
        "sentcli score a.csv -f lines --prefix new_ -o b.txt",
        "--prefix does not apply to lines",
        0,
    ),
    "an export of another graph": (
        write(),
        "sentcli export --graph folded --format torchscript -o m",
        "is for ONNX",
        1,
    ),
    "an export that exists": (
        write(**{"m/manifest__json": "{}"}),
        "sentcli export --format onnx -o m",
        "m exists",
        1,
    ),
    "targets that are no table": (
        write(a__csv=CSV),
        "sentcli evaluate --dataset a.csv --label-column stars --targets 1:0",
        "not TOML",
        0,
    ),
}


@pytest.fixture
def run(monkeypatch):
    """Run a command in a folder: in this process, where it needs no shell."""

    def run(command: str, folder: Path) -> Done:
        words = shlex.split(command)
        if words[0] != "sentcli" or set("|<>&") & set(command):
            return shell(command, folder)
        monkeypatch.chdir(folder)
        result = invoke(*words[1:])
        return Done(result.exit_code, result.stderr)

    return run


@pytest.mark.parametrize("name", CASES)
def test_what_a_message_proposes_works_as_it_stands(name, run, tmp_path):
    make, command, part, count = CASES[name]
    if "export" in command or "torchscript" in command:
        pytest.importorskip("torch")
    folder = tmp_path / "first"
    folder.mkdir()
    make(folder)
    message = run(command, folder).error
    assert re.search(part if "|" in part else re.escape(part), message), message
    assert "Traceback" not in message
    found = [*proposals(message, command)]
    assert len(found) >= count, message
    for number, proposal in enumerate(found):
        again = tmp_path / str(number)
        again.mkdir()
        make(again)
        if not is_there(proposal):
            assert is_well_formed(proposal, again)
            continue
        done = run(proposal, again)
        assert done.code in (0, 3), f"{message}\n{proposal}\n{done.error}"
