"""The cases of `mutations.py`: small tables of each format with damaged bytes."""

import csv
import gzip
import io
import json
import random
from functools import cache
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sentcli.tables.options import ReadOptions

FORMATS = ("csv", "jsonl", "parquet")
COMPRESSIONS = {
    ".gz": lambda data: gzip.compress(data, mtime=0),  # without a time, so that a case is always the same
    ".zst": lambda data: pa.Codec("zstd").compress(data, asbytes=True),
}
_WORDS = [
    "the",
    "a",
    "was",
    "film",
    "warm",
    "dull,",
    "slow;",
    "(twice)",
    "<br />",
    "naïve",
    "日本",
    "😀",
    "it's",
    "007",
]
_TOKENS = [
    *(b'"', b'""', b"'", b",", b";", b"\t", b"\n", b"\r", b"\r\n", b"\n\n", b"\x00", b"\xef\xbb\xbf"),
    *(b"{", b"}", b"[", b"]", b":", b"\\", b"\\u", b"\\ud800", b"null", b"1e999", b"\xe2\x80\xa8"),
    *(b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xff\xfe", b"\x1a", b"\x1f\x8b", b"PAR1"),
    *(b'"text":', b'{"text":"a"}\n', b'"a","b"\n', b"a,b,c\n", b'"' * 50, b"[" * 2000, b'{"text":' * 500),
]
_FILLINGS = (b"a", b"a ", b'"', b"\n", b"\x00", b"\xff", b",")
_ENCODINGS = ("utf-16", "utf-16-le", "utf-32-be", "latin-1", "utf-8-sig")


class Case:
    """A damaged table and the options to read it.

    :param number: the seed of all random choices.
    """

    def __init__(self, form: str, number: int) -> None:
        self._draw = draw = random.Random(f"{form} {number}")
        self.form = form
        self.options, table = {"csv": _csv, "jsonl": _jsonl, "parquet": _parquet}[form](draw)
        is_compressed = form != "parquet" and draw.random() < 0.05
        self.compression = draw.choice(list(COMPRESSIONS)) if is_compressed else ""
        self.suffix = f".{form}{self.compression}"
        self.output_format = form if draw.random() < 0.8 else draw.choice(FORMATS)
        self.data = COMPRESSIONS[self.compression](table) if self.compression else table
        for _ in range(draw.choice((0, 1, 1, 1, 2, 3, 5))):
            self.data = self._damage(self.data)

    def __str__(self) -> str:
        return f"in{self.suffix} to out.{self.output_format}, {len(self.data)} bytes, {self.options}"

    def _damage(self, data: bytes) -> bytes:
        draw = self._draw
        start = draw.randrange(len(data) + 1)
        # Parquet has its metadata at the end.
        if self.form == "parquet" and draw.random() < 0.3:
            start = max(0, len(data) - draw.randrange(600))
        end = min(len(data), start + draw.choice((1, 1, 2, 8, 100)))
        kind = draw.randrange(9)
        if kind == 0:
            return data[:start]
        if kind == 1:
            return data[:start] + data[end:]
        if kind == 2:
            return data[:end] + data[start:end] * draw.choice((1, 2, 50)) + data[end:]
        if kind == 3:
            other = draw.randrange(len(data) + 1)
            return data[:other] + data[start:end] + data[other:]
        if kind == 4:
            size = draw.choice((70, 5_000, 200_000))
            return data[:start] + draw.choice(_FILLINGS) * size + data[start:]
        if kind == 5:
            return data[:start] + draw.randbytes(end - start) + data[end:]
        if kind == 6 and start < end:
            flipped = bytes([data[start] ^ 1 << draw.randrange(8)])
            return data[:start] + flipped + data[start + 1 :]
        token = draw.choice(_TOKENS)
        return data[:start] + token + data[end if kind == 7 else start :]


def _text(draw: random.Random) -> str:
    text = " ".join(draw.choices(_WORDS, k=draw.choice((0, 1, 3, 8, 20))))
    return text + draw.choice(("", "", "", "\n", "\r\nmore", ' "quoted" ', "\u2028", "\x85"))


def _limit(draw: random.Random) -> int:
    return draw.choice((60, 4096, 16 << 20, 16 << 20))


def _csv(draw: random.Random) -> tuple[ReadOptions, bytes]:
    options: dict[str, Any] = {"max_row_bytes": _limit(draw)}
    delimiter, quotechar, encoding = ",", '"', "utf-8"
    if draw.random() < 0.3:
        options["delimiter"] = delimiter = draw.choice(";|\t")
    if draw.random() < 0.1:
        options["quotechar"] = quotechar = draw.choice("'|") if delimiter != "|" else "'"
    if draw.random() < 0.15:
        options["encoding"] = encoding = draw.choice(_ENCODINGS)
    header = draw.random() < 0.8
    if not header:
        options |= {"header": False, "text_column": "2"}
    buffer = io.StringIO(newline="")
    writer = csv.writer(
        buffer,
        delimiter=delimiter,
        quotechar=quotechar,
        quoting=draw.choice((csv.QUOTE_MINIMAL, csv.QUOTE_ALL)),
        lineterminator=draw.choice(("\n", "\r\n", "\r")),
    )
    if header:
        writer.writerow(("id", "text", "rest"))
    for row in range(draw.choice((0, 1, 5, 30))):
        writer.writerow((f"{row:03}", _text(draw), draw.choice(("", "NA", "1.0", "x"))))
    return ReadOptions(**options), buffer.getvalue().encode(encoding, "replace")


def _jsonl(draw: random.Random) -> tuple[ReadOptions, bytes]:
    nested = draw.random() < 0.2
    lines = []
    for row in range(draw.choice((0, 1, 5, 30))):
        text = draw.choice((_text(draw), _text(draw), None))
        record = (
            {"id": row, "a": {"text": text}} if nested else {"id": row, "text": text, "n": [1.5, None, True]}
        )
        lines.append(
            json.dumps(record, ensure_ascii=draw.random() < 0.5, separators=draw.choice(((",", ":"), None)))
        )
    column = {"text_column": "a.text" if nested else "text"} if nested or draw.random() < 0.5 else {}
    data = "".join(line + draw.choice(("\n", "\n", "\n", "\r\n", "\n\n")) for line in lines).encode()
    return ReadOptions(max_row_bytes=_limit(draw), **column), data


def _parquet(draw: random.Random) -> tuple[ReadOptions, bytes]:
    return ReadOptions(max_row_bytes=_limit(draw)), _parquet_table(draw.randrange(40))


@cache
def _parquet_table(number: int) -> bytes:
    draw = random.Random(number)
    rows = draw.choice((0, 1, 5, 30, 200))
    kind = draw.choice((pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())))
    texts = [draw.choice((_text(draw), _text(draw), None)) for _ in range(rows)]
    table = pa.table(
        {
            "id": pa.array(range(rows), draw.choice((pa.int64(), pa.int16(), pa.uint8()))),
            "text": pa.array(texts, pa.string()).cast(kind),
            "kind": pa.array([f"k{row % 3}" for row in range(rows)]).dictionary_encode(),
            "tags": pa.array([["a", "b"]] * rows, pa.list_(pa.dictionary(pa.int32(), pa.string()))),
            "pair": pa.array([{"a": "b"}] * rows, pa.struct([("a", pa.dictionary(pa.int32(), pa.string()))])),
            "raw": pa.array([b"\x00\xff"] * rows, pa.binary()),
            "at": pa.array([1] * rows, pa.timestamp("us")),
        }
    )
    table = table.select(draw.choice((["id", "text"], ["text"], table.column_names)))
    buffer = io.BytesIO()
    pq.write_table(
        table,
        buffer,
        row_group_size=draw.choice((7, 1000)),
        compression=draw.choice(("none", "snappy", "zstd", "gzip")),
        use_dictionary=draw.random() < 0.5,
        data_page_version=draw.choice(("1.0", "2.0")),
        write_page_checksum=draw.random() < 0.3,
    )
    return buffer.getvalue()
