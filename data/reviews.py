"""Make the collections of `sources.toml` from local copies: `python data/reviews.py FOLDER -o reviews`.

FOLDER has a clone of each repository, such as FOLDER/ccsasuke/man. A file with another SHA-256 than that of
`sources.toml` is an error; so is one that is missing, unless `--only NAME...` leaves its collection out.
"""

import argparse
import csv
import gzip
import hashlib
import html
import io
import json
import re
import sys
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pyarrow as pa
import pyarrow.parquet as pq

SOURCES = Path(__file__).with_name("sources.toml")
NEGATIVE, POSITIVE, NEUTRAL = 0, 1, 2
Source = dict[str, Any]
Pair = tuple[str, str]  # the text, and the label or the stars of the source


def columns(rows: Iterator[dict[str, Any]], source: Source) -> Iterator[Pair]:
    for row in rows:
        yield row.get(source["text"]) or "", str(row.get(source.get("stars") or source["label"]))


def read_csv(data: bytes, source: Source) -> Iterator[Pair]:
    csv.field_size_limit(1 << 30)
    text = io.StringIO(data.decode("utf-8", "replace").removeprefix("\ufeff"), newline="")
    quoting = csv.QUOTE_NONE if source["format"] == "tsv" else csv.QUOTE_MINIMAL
    delimiter = "\t" if source["format"] == "tsv" else ","
    yield from columns(csv.DictReader(text, delimiter=delimiter, quoting=quoting), source)


def read_jsonl(data: bytes, source: Source) -> Iterator[Pair]:
    lines = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    yield from columns(map(json.loads, filter(None, lines.split(b"\n"))), source)


def read_tags(data: bytes, source: Source) -> Iterator[Pair]:
    """Yield the reviews of a file with tags that is not XML, as that of J. Blitzer."""
    text = data.decode("latin-1")
    for review in re.findall(r"<review>(.*?)</review>", text, re.DOTALL):
        row = {name: value.strip() for name, value in re.findall(r"<(\w+)>(.*?)</\1>", review, re.DOTALL)}
        yield row[source["text"]], row[source["stars"]]


def read_lines(data: bytes, source: Source) -> Iterator[Pair]:
    """Yield the lines, which have the stars or the label before a separator."""
    for line in data.decode("utf-8", "replace").split("\n"):
        label, found, text = line.partition(source["separator"])
        if found:
            yield text, label


def read_opinions(data: bytes, source: Source) -> Iterator[Pair]:
    """Yield the reviews of XML whose opinions on aspects agree."""
    del source
    for review in ET.fromstring(data).iter("Review"):
        found = {opinion.get("polarity", "").capitalize() for opinion in review.iter("Opinion")}
        if len(found) == 1:
            stars = {"Negative": "1", "Positive": "5"}.get(found.pop(), "3")
            yield review.findtext("text") or "", stars


def read_pros_and_cons(data: bytes, source: Source) -> Iterator[Pair]:
    del source
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name in archive.namelist():
            text = archive.read(name).decode("latin-1")
            for field, content in re.findall(r"<(Pros|Cons)>(.*?)</\1>", text, re.DOTALL):
                yield content, "5" if field == "Pros" else "1"


def read_rda(data: bytes, source: Source) -> Iterator[Pair]:
    """Yield the rows of a data frame of R; `pip install pyreadr`."""
    import tempfile

    import pyreadr

    with tempfile.NamedTemporaryFile(suffix=".rda") as file:
        file.write(data)
        file.flush()
        (frame,) = pyreadr.read_r(file.name).values()
    yield from columns(iter(frame.to_dict("records")), source)


READERS: dict[str, Callable[[bytes, Source], Iterator[Pair]]] = {
    "csv": read_csv,
    "tsv": read_csv,
    "jsonl": read_jsonl,
    "tags": read_tags,
    "lines": read_lines,
    "opinions": read_opinions,
    "pros and cons": read_pros_and_cons,
    "rda": read_rda,
}


def label_of(value: str, source: Source) -> int | None:
    """Return the label of a value of the source; None if it has none."""
    if labels := source.get("labels"):
        found: int | None = labels.get(value)
        return found
    try:
        stars = 5 * float(value) / source.get("best", 5)
    except ValueError:
        return None
    return None if stars != stars else NEGATIVE if stars <= 2 else POSITIVE if stars >= 3.5 else NEUTRAL


def clean(text: str) -> str:
    """Return a text without HTML entities and control characters, and with single spaces."""
    return " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", html.unescape(text)).split())


def read(file: Path, digest: str | None) -> bytes:
    """Return the bytes of a file of a source, which have to be those that the model learned from."""
    if not file.exists():
        sys.exit(f"{file} is missing; clone its repository there, or leave it out with --only")
    data = file.read_bytes()
    if digest and hashlib.sha256(data).hexdigest() != digest:
        sys.exit(f"{file} has another SHA-256 than in {SOURCES.name}; check out the commit that it names")
    return data


def collection(table: dict[str, Any], folder: Path) -> pa.Table:
    """Return the texts of a collection, each once, with their labels."""
    labels: dict[str, int] = {}
    for source in table["sources"]:
        for file in source["files"]:
            data = read(folder / source["repository"] / file["path"], file.get("sha256"))
            for text, value in READERS[source["format"]](data, source):
                label = label_of(value, source)
                if label is not None and (text := clean(text)):
                    labels.setdefault(text, label)
    return pa.table({"text": pa.array(labels, pa.string()), "label": pa.array(labels.values(), pa.int8())})


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="has OWNER/REPOSITORY for each source")
    parser.add_argument("-o", "--output", type=Path, default=Path("reviews"))
    parser.add_argument("--sources", type=Path, default=SOURCES)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="only these collections")
    options = parser.parse_args()
    tables = tomllib.loads(options.sources.read_text("utf-8"))
    options.output.mkdir(parents=True, exist_ok=True)
    for name in options.only or tables:
        texts = collection(tables[name], options.folder)
        pq.write_table(texts, options.output / f"{name}.parquet")
        print(f"{name}: {texts.num_rows:,} texts ({tables[name]['rows']:,} in the included model's)")


if __name__ == "__main__":
    main()
