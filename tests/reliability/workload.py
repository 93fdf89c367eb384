"""Tables of each format that have something of everything, and what a run leaves of them."""

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from invented import reviews

from sentcli.runs.ledger import Ledger

FORMATS = ("csv", "jsonl", "parquet", "csv.gz")
DONE = {"csv": 3, "jsonl": 3, "csv.gz": 3, "parquet": 0}  # exit codes: all but Parquet have bad rows
PRIVATE = ".sentcli-"  # in the names of files that exist only while a run does


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
    """Return the content of all files that are not private to a run."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if PRIVATE not in path.name}


def remove_results(folder: Path) -> None:
    for path in folder.glob("out.*"):
        path.unlink()


def finished(folder: Path, score, form: str, **conditions) -> dict[str, bytes]:
    """Run once without a fault and return all files; the results are gone afterwards."""
    run = score(f"in.{form}", "-o", f"out.{form}", "-q", **conditions)
    assert run.wait() == DONE[form], run.error
    complete = files(folder)
    remove_results(folder)
    return complete


def ledger_of(folder: Path, form: str) -> Path:
    return folder / f".out.{form}{PRIVATE}ledger"


def rows_done(folder: Path, form: str) -> int:
    """Return the rows whose scores a stopped run has left."""
    return Ledger(folder / f"out.{form}", overwrite=False).rows


def finish(folder: Path, score, form: str, **conditions) -> None:
    """Give the same command again: it makes the output, or says that it is finished."""
    run = score(f"in.{form}", "-o", f"out.{form}", **conditions)
    code = run.wait()
    if code != DONE[form]:
        assert code == 1, run.error
        assert "exists; give another name" in run.error
        assert (folder / f"out.{form}").exists()
