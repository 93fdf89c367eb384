"""The recipes of docs/recipes.md and docs/python.md, where the programs and packages are installed."""

import csv
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import invented
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import invoke
from sampling import whole_only

import sentcli

ROOT = Path(__file__).parents[1]


def recipes(page: str, language: str) -> dict[str, str]:
    """Return the last block of a language in each section of a page, by the title of the section."""
    sections = re.split(r"^##+ ", (ROOT / "docs" / page).read_text("utf-8"), flags=re.MULTILINE)[1:]
    return {
        section.partition("\n")[0]: code
        for section in sections
        for code in re.findall(rf"^```{language}\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    }


IN_PYTHON = recipes("python.md", "python")
IN_SHELL = recipes("recipes.md", "sh")
OTHERS = recipes("recipes.md", "python")
MARKED = dict(
    re.findall(
        r"^<!-- ([\w ]+) -->\n```python\n(.*?)^```$",
        (ROOT / "docs" / "training.md").read_text("utf-8"),
        re.MULTILINE | re.DOTALL,
    )
)
ROWS = [(1, 'Sturdy, and "cheap".'), (2, "It rattles.\nTwice."), (3, ""), (10, None), (11, "I hate it.")]
SCORED = "SELECT id, text, sentiment, sentiment_score FROM scored ORDER BY id"


def run(commands: str, folder: Path) -> str:
    """Run commands of a shell, and return what they print."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    shell = ["bash", "-euo", "pipefail", "-c", commands]
    done = subprocess.run(
        shell, cwd=folder, check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, "PATH": path}
    )
    return done.stdout


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
    run(IN_SHELL["SQLite"], tmp_path)
    check(database.execute(SCORED).fetchall())
    low = "SELECT sentiment, count(*) FROM scored WHERE sentiment_score < 0.5 GROUP BY 1"
    assert database.execute(low).fetchall() == [("negative", 2)]
    types = "SELECT DISTINCT typeof(id), typeof(sentiment_score) FROM scored ORDER BY 2"
    assert database.execute(types).fetchall() == [("integer", "null"), ("integer", "real")]


def test_duckdb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    duckdb = pytest.importorskip("duckdb")
    monkeypatch.chdir(tmp_path)
    commands = IN_SHELL["DuckDB"]
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
@whole_only
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


@pytest.mark.skipif(not shutil.which("jq"), reason="needs the program jq")
def test_jq(tmp_path: Path) -> None:
    reviews = [{"id": 1, "body": "Sturdy."}, {"id": 2, "body": "It rattles.", "photos": ["a.jpg"]}]
    (tmp_path / "answer.json").write_text(json.dumps({"data": {"reviews": reviews}, "next": None}))
    assert run(IN_SHELL["jq"], tmp_path) == '"It rattles."\n'


def test_dbt(tmp_path: Path) -> None:
    pytest.importorskip("dbt.adapters.duckdb")
    duckdb = pytest.importorskip("duckdb")
    files = {
        "dbt_project.yml": "{name: shop, profile: shop}",
        "profiles.yml": "shop: {target: dev, outputs: {dev: {type: duckdb, path: shop.duckdb}}}",
        "seeds/reviews.csv": "id,review\n1,Sturdy.\n2,\n3,It rattles.\n",
        "models/scored.py": OTHERS["dbt"],
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    dbt = f"{sys.executable} -c 'from dbt.cli.main import cli; cli()' --no-send-anonymous-usage-stats"
    run(f"{dbt} build --profiles-dir .", tmp_path)
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as database:
        rows = database.sql("SELECT id, sentiment FROM scored ORDER BY id").fetchall()
    assert rows == [(1, "positive"), (2, None), (3, "negative")]


def test_airflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    pytest.importorskip("airflow.providers.standard.operators.bash")
    found: dict[str, Any] = {}
    exec(OTHERS["Airflow"], found)
    (tmp_path / "reviews").mkdir()
    (tmp_path / "reviews" / "june.csv").write_text("id,text\n1,Sturdy.\n2,It rattles.,?\n")
    command = found["dag"].get_task("score").bash_command
    run(command.replace("/data", str(tmp_path)), tmp_path)  # a rejected row is no failure
    assert (tmp_path / "scored" / "june.csv").read_text().startswith("id,text,sentiment,sentiment_score\n1,")


def test_knime(wanted: pa.Table, monkeypatch: pytest.MonkeyPatch) -> None:
    pandas = pytest.importorskip("pandas")

    class Table:
        def __init__(self, frame: Any) -> None:
            self.to_pandas = lambda: frame

        from_pandas = classmethod(lambda cls, frame: cls(frame))

    node = ModuleType("knime.scripting.io")
    node.Table = Table
    node.input_tables, node.output_tables = [Table(pandas.read_parquet("reviews.parquet"))], {}
    for name in ("knime", "knime.scripting", "knime.scripting.io"):
        monkeypatch.setitem(sys.modules, name, node)
    monkeypatch.setattr(node, "scripting", node, raising=False)
    monkeypatch.setattr(node, "io", node, raising=False)
    exec(OTHERS["KNIME"], {})
    node.output_tables[0].to_pandas().round({"sentiment_score": 6}).to_parquet("scored.parquet")
    check_file(wanted)


def test_presidio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    analyzer = pytest.importorskip("presidio_analyzer")
    pytest.importorskip("presidio_anonymizer")
    spacy = pytest.importorskip("spacy")
    monkeypatch.chdir(tmp_path)
    spacy.blank("en").to_disk("blank")  # finds no names, but addresses and numbers, and needs no download
    models = [{"lang_code": "en", "model_name": "blank"}]
    provider = pytest.importorskip("presidio_analyzer.nlp_engine").NlpEngineProvider
    engine = provider(nlp_configuration={"nlp_engine_name": "spacy", "models": models}).create_engine()
    monkeypatch.setattr(analyzer, "AnalyzerEngine", partial(analyzer.AnalyzerEngine, nlp_engine=engine))
    Path("scored.csv").write_text(
        "id,review,sentiment,sentiment_score\n"
        '1,"A lovely lamp,\nwrite to ada@example.org.",positive,0.9\n2,,,\n'
    )
    exec(OTHERS["Names and addresses in texts"], {})
    with Path("redacted.csv").open(newline="") as file:
        rows = [*csv.reader(file)]
    assert rows[1:] == [["1", "A lovely lamp,\nwrite to @redacted.", "positive", "0.9"], ["2", "", "", ""]]


@pytest.mark.parametrize("framework", ["starlette", "fastapi"])
def test_the_web_service(framework: str) -> None:
    pytest.importorskip("starlette")
    client = pytest.importorskip("starlette.testclient")
    found: dict[str, Any] = {}
    code = OTHERS["A web service"]
    if framework == "fastapi":
        pytest.importorskip("fastapi")
        start, _, _ = code.partition("app = ")
        lines = re.findall(r"`(app[ .].*?)`", (ROOT / "docs" / "recipes.md").read_text("utf-8"))
        code = "\n".join(["from fastapi import FastAPI", start, *lines])
    exec(code, found)
    texts = ["an absolute joy", None, "not my thing", "\ud800"]
    with client.TestClient(found["app"]) as service, sentcli.load() as scorer:
        answer = service.post("/score", content=json.dumps(texts))
        scores = [{"sentiment": label, "sentiment_score": score} for label, score in scorer.score(texts)]
        assert (answer.status_code, answer.json()) == (200, scores)
        assert service.post("/score", json=[]).json() == []
        for wrong in (b"", b"{", b"5", b"[5]", b'{"texts": []}', b'"a text"', b"\xff"):
            assert service.post("/score", content=wrong).status_code == 400, wrong
