"""The bytes of outputs do not change: each pair of formats, uninterrupted and after a kill.

`python tests/golden/test_golden.py` rewrites the kept outputs, after an intended change.
"""

import codecs
import gzip
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

FOLDER = Path(__file__).parent / "files"
# Input, output, further options.
CASES = [
    ("reviews.csv", "csv.csv", ()),
    ("reviews.csv", "csv.jsonl", ()),
    ("reviews.csv", "csv.parquet", ()),
    ("reviews.csv", "csv.txt", ()),
    ("reviews.csv", "prefix.csv.gz", ("--prefix", "new_", "--neutral", "0.3,0.7")),
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

_SCORE = re.compile(rb"\b[01]\.\d{6}\b|\b[01]\.\d{1,17}\b(?=\}?$)", re.MULTILINE)
_SAME = 2e-6  # of a score on another kind of processor
REJECTED = 3  # exit code


def content(path: Path) -> object:
    """Return the decompressed bytes of a file, or the schema and values of Parquet."""
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        return str(table.schema), table.schema.metadata, table.drop_columns(["sentiment_score"])
    data = path.read_bytes()
    if path.suffix == ".gz":
        return gzip.decompress(data)
    return data.decode("utf-16").encode() if data.startswith(codecs.BOM_UTF16_LE) else data


def scores(path: Path) -> list[float]:
    """Return the scores in a file, which may differ in their last digit."""
    if path.suffix == ".parquet":
        return [score or 0.0 for score in pq.read_table(path)["sentiment_score"].to_pylist()]
    return [float(found) for found in _SCORE.findall(content(path))]


def check_same(path: Path, kept: Path) -> None:
    found, expected = content(path), content(kept)
    if isinstance(found, bytes):
        found, expected = _SCORE.sub(b"#", found), _SCORE.sub(b"#", expected)
    assert found == expected, kept.name
    assert scores(path) == pytest.approx(scores(kept), abs=_SAME), kept.name


def rejects(name: str) -> str:
    return f"{name}.rejects.jsonl"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "work").mkdir()
    for source in {source for source, *_ in CASES}:
        shutil.copy(FOLDER / source, tmp_path / "work")
    return tmp_path / "work"


def check_output(folder: Path, name: str) -> None:
    work = folder / f"new.{name}"
    check_same(work, FOLDER / f"out.{name}")
    was_rejected = (FOLDER / rejects(f"out.{name}")).exists()
    assert (folder / rejects(f"new.{name}")).exists() == was_rejected
    if was_rejected:
        kept = (FOLDER / rejects(f"out.{name}")).read_bytes()
        assert (folder / rejects(f"new.{name}")).read_bytes() == kept


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[1])
def test_output_bytes_are_the_kept_ones_after_a_kill_too(folder, case):
    from processes import Run

    source, name, options = case
    words = [source, "-o", f"new.{name}", "-q", *options]
    for number in (None, 6, 14):  # the call to the disk at which the first run is killed
        if number:
            killed = Run(folder, *words, chunk_rows=8, fail_at=number)
            assert killed.wait() == -signal.SIGKILL
        code = Run(folder, *words, chunk_rows=8).wait()
        assert code == (REJECTED if (FOLDER / rejects(f"out.{name}")).exists() else 0)
        check_output(folder, name)
        assert not list(folder.glob(".*")), "no private file is left"
        for path in folder.glob("new.*"):
            path.unlink()


def _make() -> None:
    for path in FOLDER.glob("out.*"):
        path.unlink()
    for source, name, options in CASES:
        words = [source, "-o", f"out.{name}", "-q", *options]
        subprocess.run([sys.executable, "-m", "sentcli", "score", *words], cwd=FOLDER, check=False)


if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = "1"
    _make()
