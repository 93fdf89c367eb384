"""Rows in engines, without the engines; tests/test_recipes.py has them."""

import sys
from types import ModuleType, SimpleNamespace

import pyarrow as pa
import pytest

from sentcli import load
from sentcli.errors import DataError, UsageError
from sentcli.scoring.engines import RayScorer, score_spark

TABLE = pa.table({"id": ["01", "NA", "3", "4"], "review": ["an absolute joy", None, "a waste of time", "ok"]})


@pytest.fixture(scope="module")
def scored():
    with load(probabilities=True) as scorer:
        return scorer.score_arrow(TABLE, "review", "my_")


def test_the_class_for_ray_scores_a_batch(scored):
    scorer = RayScorer("review", "my_", probabilities=True)
    assert scorer(TABLE).equals(scored)
    assert scorer(TABLE.slice(0, 0)).schema == scored.schema
    with pytest.raises(DataError, match="no column 'text'"):
        RayScorer("text")(TABLE)


def test_the_function_for_spark_adds_its_columns_to_each_batch(scored, monkeypatch):
    """Without Spark, whose types are those of Arrow here."""
    for name in ("pyspark", "pyspark.sql", "pyspark.sql.pandas", "pyspark.sql.pandas.types"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    types = ModuleType("pyspark.sql.types")
    monkeypatch.setitem(sys.modules, "pyspark.sql.types", types)
    types.StructType = sys.modules["pyspark.sql.pandas.types"].from_arrow_schema = pa.schema
    fields = [*TABLE.schema]

    def map_in_arrow(run, schema):
        return pa.Table.from_batches(run(iter(TABLE.to_batches(max_chunksize=3))), schema)

    df = SimpleNamespace(schema=SimpleNamespace(fields=fields), mapInArrow=map_in_arrow)
    assert score_spark(df, "review", "my_", probabilities=True).equals(scored)
    with load(explain=2, sentences=True, about={"joy": ["joy"]}) as scorer:
        explained = scorer.score_arrow(TABLE, "review")
    options = {"explain": 2, "sentences": True, "about": {"joy": ["joy"]}}
    assert score_spark(df, "review", **options).equals(explained)
    assert RayScorer("review", **options)(TABLE).equals(explained)
    with pytest.raises(UsageError, match=r"^workers is 0"):
        score_spark(df, "review", workers=0)
