"""The recipes of docs/databases.md, where the databases are installed."""

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import sentcli

ROOT = Path(__file__).parents[1]
ROWS = [(1, 'Sturdy, and "cheap".'), (2, "It rattles.\nTwice."), (3, "")]


def recipe(database: str) -> str:
    """Return the commands for a database."""
    page = (ROOT / "docs" / "databases.md").read_text("utf-8")
    return re.findall(rf"^## {database}\n.*?^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)[0]


def run(commands: str, folder: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands], cwd=folder, check=True, env={**os.environ, "PATH": path}
    )


def check(found: Sequence[Sequence[Any]]) -> None:
    """Check that rows have the scores that Python gets."""
    with sentcli.load() as scorer:
        scores = scorer.score([text for _, text in ROWS])
    for row, (key, text), label, score in zip(found, ROWS, scores.labels, scores.scores, strict=True):
        assert (int(row[0]), row[1] or "", row[2] or None) == (key, text, label)
        assert (float(row[3]) if row[3] not in (None, "") else None) == (
            score if score is None else round(score, 6)
        )


@pytest.mark.skipif(not shutil.which("sqlite3"), reason="needs the program sqlite3")
def test_sqlite(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "shop.db") as database:
        database.execute("CREATE TABLE reviews (id INTEGER, text TEXT)")
        database.executemany("INSERT INTO reviews VALUES (?, ?)", ROWS)
    run(recipe("SQLite"), tmp_path)
    check(database.execute("SELECT id, text, sentiment, sentiment_score FROM scored").fetchall())


def test_duckdb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    duckdb = pytest.importorskip("duckdb")
    monkeypatch.chdir(tmp_path)
    commands = recipe("DuckDB")
    with duckdb.connect("shop.duckdb") as database:
        database.execute("CREATE TABLE reviews (id INTEGER, text VARCHAR)")
        database.executemany("INSERT INTO reviews VALUES (?, ?)", ROWS)
    for line in commands.splitlines():
        if query := re.fullmatch(r'duckdb shop\.duckdb -c "(.*)"', line):
            with duckdb.connect("shop.duckdb") as database:
                database.execute(query[1])
        else:
            run(line, tmp_path)
    with duckdb.connect("shop.duckdb") as database:
        check(database.execute("SELECT id, text, sentiment, sentiment_score FROM scored").fetchall())
