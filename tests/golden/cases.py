"""The pairs of input and output whose bytes are kept, and how their inputs are made."""

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

FOLDER = Path(__file__).parent / "files"

# Input, output, further options.
CASES = [
    ("reviews.csv", "csv.csv", ()),
    ("reviews.csv", "csv.jsonl", ()),
    ("reviews.csv", "csv.parquet", ()),
    ("reviews.csv", "csv.txt", ()),
    ("reviews.csv", "prefix.csv.gz", ("--prefix", "new_", "--uncertain", "0.3", "0.7")),
    ("crlf.tsv", "tsv.tsv", ()),
    ("wide.csv", "wide.csv", ("--encoding", "utf-16", "--delimiter", ";")),
    ("latin.csv.gz", "latin.jsonl", ("--encoding", "cp1252", "--skip-lines", "2")),
    ("reviews.jsonl", "jsonl.jsonl", ("--text-column", "data.body")),
    ("reviews.jsonl", "jsonl.csv", ("--text-column", "data.body")),
    ("reviews.jsonl", "jsonl.parquet", ("--text-column", "data.body")),
    ("reviews.parquet", "parquet.parquet", ()),
    ("reviews.parquet", "parquet.csv", ()),
    ("reviews.parquet", "parquet.jsonl", ()),
    ("reviews.txt", "lines.txt", ()),
    ("reviews.txt", "lines.csv", ()),
]

_TEXTS = [
    "An absolute joy from the first shot to the last.",
    "Dull, loud and far too long. A waste of a great cast.",
    'He said "it works", twice;\nand it did not.',
    "",
    "   ",
    "The pace sags, yet the ending -- which I won't spoil -- is lovely.",
    "Åsa's Kitchen: warm, funny and moving \u2013 a little gem!",
    "Room 12 was dirty, the staff rude, and nobody said sorry.",
    "It isn't good. It isn't bad either.",
    "Terrible " * 90,
    "Great value\tfor the price",
    "☕ five stars ☕",
]


def make_inputs() -> None:
    """Write the inputs anew; what is kept of them must not change by itself."""
    FOLDER.mkdir(exist_ok=True)
    rows = [(f"{number:03}", _TEXTS[number % len(_TEXTS)], number / 8) for number in range(40)]

    def csv(delimiter: str, end: str, texts: list[str]) -> str:
        quoted = ['"' + text.replace('"', '""') + '"' for text in texts]
        lines = [
            delimiter.join((number, text, f"{stars:g}"))
            for (number, _, stars), text in zip(rows, quoted, strict=True)
        ]
        lines[5:5] = [f"x{delimiter}too few", "", f'y{delimiter}"an open " quote{delimiter}1']
        return end.join([delimiter.join(("id", "review", "stars")), *lines])

    texts = [text for _, text, _ in rows]
    (FOLDER / "reviews.csv").write_bytes(csv(",", "\n", texts).encode())
    (FOLDER / "crlf.tsv").write_bytes(csv("\t", "\r\n", texts).encode() + b"\r\n")
    (FOLDER / "wide.csv").write_bytes(csv(";", "\r\n", texts).encode("utf-16"))
    latin = "Export of May\n\n" + csv(",", "\n", [text.replace("☕", "é") for text in texts]) + "\n"
    (FOLDER / "latin.csv.gz").write_bytes(gzip.compress(latin.encode("cp1252"), mtime=0))
    records = [
        json.dumps({"id": number, "data": {"body": text or None, "n": [1, None]}, "stars": stars})
        for number, text, stars in rows
    ]
    records[7:7] = ["", "{not json}", '["a list"]', '{"id": 1.50}']
    (FOLDER / "reviews.jsonl").write_text("\n".join(records) + "\n", "utf-8")
    lines = [text.replace("\n", " ") for text in texts]
    (FOLDER / "reviews.txt").write_bytes(("\n".join(lines)).encode() + b"\nnot \xff utf-8\n")
    table = pa.table(
        {
            "id": pa.array([int(number) for number, _, _ in rows], pa.int32()),
            "review": pa.array([text or None for text in texts]).dictionary_encode(),
            "stars": pa.array([stars for *_, stars in rows], pa.float32()),
            "when": pa.array([number * 10**9 + 7 for number in range(40)], pa.timestamp("ns", "UTC")),
            "tags": pa.array([[{"a": number, "b": None}] for number in range(40)]),
        },
        metadata={"made": "by hand"},
    )
    pq.write_table(table, FOLDER / "reviews.parquet", row_group_size=13, compression="zstd")
