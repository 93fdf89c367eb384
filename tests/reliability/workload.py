"""Tables of each format that have something of everything, and what a run leaves of them."""

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from invented import reviews

FORMATS = ("csv", "jsonl", "parquet", "csv.gz")
DONE = {"csv": 3, "jsonl": 3, "csv.gz": 3, "parquet": 0}  # exit codes: of all but Parquet some rows are bad
PRIVATE = ".sentcli-"  # in the names of files that are there only while a run is


def write_table(folder: Path, form: str, rows: int) -> Path:
    """Write `in.FORM`: one row in nine is blank, and in text one in seven is bad."""
    path = folder / f"in.{form}"
    texts = [" " if row % 9 == 0 else text for row, (text, _) in enumerate(reviews(rows, seed=rows))]
    if form == "parquet":
        table = pa.table({"id": range(rows), "text": texts})
        pq.write_table(table, path, row_group_size=max(1, rows // 3))
        return path
    if form == "jsonl":
        header, lines = [], [json.dumps({"id": f"{row:03}", "text": text}) for row, text in enumerate(texts)]
    else:
        header, lines = ["id,text"], [f'{row:03},"{text}"' for row, text in enumerate(texts)]
    lines = [f"{line}!" if row % 7 == 6 else line for row, line in enumerate(lines)]
    data = "".join(f"{line}\n" for line in (*header, *lines)).encode()
    path.write_bytes(gzip.compress(data) if form.endswith(".gz") else data)
    return path


def files(folder: Path) -> dict[str, bytes]:
    """Give the content of all files that are not private to a run."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if PRIVATE not in path.name}


def remove_results(folder: Path) -> None:
    for path in folder.glob("out.*"):
        path.unlink()


def finished(folder: Path, score, form: str, **conditions) -> dict[str, bytes]:
    """Run once without a fault and give all files; the results are gone afterwards."""
    run = score(f"in.{form}", "-o", f"out.{form}", "-q", **conditions)
    assert run.wait() == DONE[form], run.error
    complete = files(folder)
    remove_results(folder)
    return complete


def rows_done(folder: Path, form: str) -> int:
    """Give the rows that the journal of an interrupted run says are done."""
    journal = folder / f".out.{form}{PRIVATE}journal"
    return json.loads(journal.read_bytes())["state"]["position"]["rows"] if journal.exists() else 0
