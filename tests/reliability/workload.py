"""Tables of each format that have something of everything, and what a run leaves of them."""

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import xlsxwriter
from invented import reviews
from pyarrow import feather, orc

from sentcli.runs.ledger import Ledger

OUTPUTS = ("csv", "csv.gz", "tsv", "jsonl", "json", "parquet", "xlsx", "txt")  # in.txt has lines
INPUTS = (*OUTPUTS, "arrow", "orc", "mbox", "documents")
# Exit codes: these have bad rows.
DONE = dict.fromkeys(INPUTS, 0) | dict.fromkeys(("csv", "csv.gz", "tsv", "jsonl"), 3)
PRIVATE = ".sentcli-"  # in the names of files that exist only while a run does


def write_table(folder: Path, form: str, rows: int) -> Path:
    """Write `in.FORM`: one row in nine is blank; of those with bad rows, one in seven is."""
    path = folder / f"in.{form}"
    texts = [" " if row % 9 == 0 else text for row, (text, _) in enumerate(reviews(rows, seed=rows))]
    if form == "documents":
        path.mkdir()
        for row, text in enumerate(texts[: rows // 4]):
            (path / f"{row:04}.txt").write_text(text)
    elif form == "xlsx":
        with xlsxwriter.Workbook(path) as book:
            sheet = book.add_worksheet()
            for row, record in enumerate([("id", "text"), *enumerate(texts)]):
                sheet.write_row(row, 0, record)
    elif form in _TABLES:
        _TABLES[form](pa.table({"id": range(rows), "text": texts}), path)
    else:
        data = _lines(form, texts).encode()
        path.write_bytes(gzip.compress(data) if form.endswith(".gz") else data)
    return path


_TABLES = {
    "arrow": feather.write_feather,
    "orc": orc.write_table,
    "parquet": lambda table, path: pq.write_table(table, path, row_group_size=max(1, len(table) // 3)),
}


def _lines(form: str, texts: list[str]) -> str:
    records = [json.dumps({"id": f"{row:03}", "text": text}) for row, text in enumerate(texts)]
    if form == "mbox":
        start = "From a@example.org Mon Mar  3 10:15:00 2025\nSubject:"
        return "".join(f"{start} {row}\n\n{text}\n\n" for row, text in enumerate(texts))
    if form == "txt":
        records = texts
    elif form == "json":
        return f"[{','.join(records)}]"
    elif form != "jsonl":
        delimiter = "\t" if form == "tsv" else ","
        records = [f'{row:03}{delimiter}"{text}"' for row, text in enumerate(texts)]
    if DONE[form]:
        records = [f"{record}!" if row % 7 == 6 else record for row, record in enumerate(records)]
    header = [] if form in ("jsonl", "txt") else [f"id{delimiter}text"]
    return "".join(f"{line}\n" for line in (*header, *records))


def command_of(form: str, output: str) -> tuple[str, ...]:
    """Return the arguments that score `in.FORM` to `out.OUTPUT`."""
    inputs = ("in.documents/*.txt", "--documents") if form == "documents" else (f"in.{form}",)
    return *inputs, "-o", f"out.{output}"


def files(folder: Path) -> dict[str, bytes]:
    """Return the content of all files that are not private to a run."""
    names = [path for path in folder.iterdir() if PRIVATE not in path.name and path.is_file()]
    return {path.name: path.read_bytes() for path in names}


def remove_results(folder: Path) -> None:
    for path in folder.glob("out.*"):
        path.unlink()


def finished(folder: Path, score, form: str, output: str = "", **conditions) -> dict[str, bytes]:
    """Run once without a fault and return all files; the results are gone afterwards."""
    run = score(*command_of(form, output or form), "-q", **conditions)
    assert run.wait() == DONE[form], run.error
    complete = files(folder)
    remove_results(folder)
    return complete


def ledger_of(folder: Path, form: str) -> Path:
    return folder / f".out.{form}{PRIVATE}ledger"


def rows_done(folder: Path, form: str) -> int:
    """Return the rows whose scores a stopped run has left."""
    return Ledger(folder / f"out.{form}", overwrite=False).rows


def finish(folder: Path, score, form: str, output: str = "", **conditions) -> None:
    """Give the same command again: it makes the output, or says that it is finished."""
    run = score(*command_of(form, output or form), **conditions)
    code = run.wait()
    if code != DONE[form]:
        assert code == 1, run.error
        assert "exists; give another name" in run.error
        assert (folder / f"out.{output or form}").exists()
