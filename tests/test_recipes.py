"""The recipes of docs/databases.md and docs/python.md, where the programs and packages are installed."""

import csv
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import invented
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import invoke

import sentcli

ROOT = Path(__file__).parents[1]
SECTIONS = re.split(r"^##+ ", (ROOT / "docs" / "python.md").read_text("utf-8"), flags=re.MULTILINE)[1:]
IN_PYTHON = {
    section.partition("\n")[0]: code
    for section in SECTIONS
    for code in re.findall(r"^```python\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
}
ROWS = [(1, 'Sturdy, and "cheap".'), (2, "It rattles.\nTwice."), (3, ""), (10, None), (11, "I hate it.")]
SCORED = "SELECT id, text, sentiment, sentiment_score FROM scored ORDER BY id"


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
    """Check that rows have their types, and the scores that Python gets."""
    with sentcli.load() as scorer:
        scores = scorer.score([text for _, text in ROWS])
    for row, (key, text), label, score in zip(found, ROWS, scores.labels, scores.scores, strict=True):
        assert (row[0], row[1] or "", row[2]) == (key, text or "", label)
        assert row[3] == (score if score is None else pytest.approx(score, abs=1e-6))


@pytest.mark.skipif(not shutil.which("sqlite3"), reason="needs the program sqlite3")
def test_sqlite(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "shop.db") as database:
        database.execute("CREATE TABLE reviews (id INTEGER, text TEXT)")
        database.executemany("INSERT INTO reviews VALUES (?, ?)", ROWS)
    run(recipe("SQLite"), tmp_path)
    check(database.execute(SCORED).fetchall())
    low = "SELECT sentiment, count(*) FROM scored WHERE sentiment_score < 0.5 GROUP BY 1"
    assert database.execute(low).fetchall() == [("negative", 2)]
    types = "SELECT DISTINCT typeof(id), typeof(sentiment_score) FROM scored ORDER BY 2"
    assert database.execute(types).fetchall() == [("integer", "null"), ("integer", "real")]


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
        check(database.execute(SCORED).fetchall())


@pytest.fixture
def wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pa.Table:
    """What `sentcli score` makes of the file that the recipes in Python read."""
    monkeypatch.chdir(tmp_path)
    with (ROOT / "tests" / "data" / "reviews.csv").open(newline="", encoding="utf-8") as file:
        texts = [row["review"] for row in csv.DictReader(file)]
    texts = [*texts, None, "", "N/A", *(text for _, text in ROWS)]
    table = pa.table({"id": range(len(texts)), "review": texts})
    pq.write_table(table, "reviews.parquet")
    assert invoke("score", "reviews.parquet", "-o", "wanted.parquet").exit_code == 0
    return pq.read_table("wanted.parquet")


def run_python(title: str) -> None:
    for name in re.findall(r"^(?:import|from) (\w+)", IN_PYTHON[title], re.MULTILINE):
        pytest.importorskip(name)
    exec(IN_PYTHON[title], {})


def check_file(wanted: pa.Table) -> None:
    found = pq.read_table("scored.parquet").select(wanted.column_names).sort_by("id")
    assert found.to_pylist() == wanted.to_pylist()


def test_all_recipes_in_python_are_tested() -> None:
    files = ["pandas", "polars", "pyarrow and NumPy", "DuckDB", "Spark", "Dask"]
    assert sorted(IN_PYTHON) == sorted([*files, "scikit-learn", "Ray Data"])


@pytest.mark.parametrize("title", ["pandas", "polars", "pyarrow and NumPy", "DuckDB", "Spark", "Dask"])
def test_a_recipe_in_python_gives_the_scores_of_a_file(
    title: str, wanted: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)  # of its workers
    run_python(title)
    check_file(wanted)


@pytest.mark.slow
def test_ray_data(wanted: pa.Table, monkeypatch: pytest.MonkeyPatch) -> None:
    ray = pytest.importorskip("ray")
    pytest.importorskip("ray.data")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_raylet_start_wait_time_s", "120")
    ray.init("local", num_cpus=4, include_dashboard=False, log_to_driver=False)
    try:
        run_python("Ray Data")
    finally:
        ray.shutdown()
    check_file(wanted)


def test_scikit_learn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    invented.write_csv(tmp_path / "labeled.csv", invented.reviews(60, seed=1))
    run_python("scikit-learn")
    with sentcli.load("my-model") as scorer:
        assert scorer.score(["an absolute joy", "dull and lifeless"]).labels == ["positive", "negative"]
