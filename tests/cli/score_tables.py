"""Tables of a few rows, written and read."""

import csv
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

TEXTS = ["a warm, wonderful film", "", "dull,\nclumsy and loud", 'a "joy" — gripping', "001"]


def write_csv(path, texts=TEXTS, name="review"):
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        rows = [(f"{number:03}", text) for number, text in enumerate(texts)]
        csv.writer(file, lineterminator="\n").writerows([("id", name), *rows])


def write_all():
    """Write the same texts as CSV, JSONL and Parquet."""
    write_csv("r.csv")
    table = {"id": [f"{number:03}" for number in range(len(TEXTS))], "review": TEXTS}
    rows = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
    Path("r.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    pq.write_table(pa.table(table), "r.parquet")


def read(path):
    """Give the rows of an output: id, text, label, score as it is written."""
    path = Path(path)
    if path.suffix == ".csv":
        rows = list(csv.DictReader(io.StringIO(path.read_text("utf-8"), newline="")))
    elif path.suffix == ".jsonl":
        rows = [json.loads(line, parse_float=str) for line in path.read_text("utf-8").splitlines()]
    else:
        rows = pq.read_table(path).to_pylist()
    columns = ["id", "review", "sentiment", "sentiment_score"]
    assert all(list(row) == columns for row in rows)
    return [(row["id"], row["review"], row["sentiment"] or "", six(row["sentiment_score"])) for row in rows]


def six(score):
    """Write a score as text formats have it; none is empty."""
    return "" if score in (None, "") else f"{float(score):.6f}"
