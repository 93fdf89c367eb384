"""Rows in engines: the same scores as in files, where the engine is installed."""

import sys
from types import ModuleType, SimpleNamespace

import pyarrow as pa
import pytest

import sentcli.ray
import sentcli.spark
from sentcli import load
from sentcli.errors import DataError, UsageError

TABLE = pa.table({"id": ["01", "NA", "3", "4"], "review": ["an absolute joy", None, "a waste of time", "ok"]})


@pytest.fixture(scope="module")
def scored():
    with load(probabilities=True) as scorer:
        return scorer.score_arrow(TABLE, "review", "my_")


def test_the_class_for_ray_scores_a_batch(scored):
    scorer = sentcli.ray.Scorer("review", "my_", probabilities=True)
    assert scorer(TABLE).equals(scored)
    assert scorer(TABLE.slice(0, 0)).schema == scored.schema
    with pytest.raises(DataError, match="no column 'text'"):
        sentcli.ray.Scorer("text")(TABLE)


@pytest.mark.slow
def test_ray_data(scored, monkeypatch):
    ray = pytest.importorskip("ray")
    data = pytest.importorskip("ray.data")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_raylet_start_wait_time_s", "120")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        data.DataContext.get_current().execution_options.preserve_order = True
        found = data.from_arrow(TABLE).map_batches(
            sentcli.ray.Scorer,
            fn_constructor_args=["review", "my_"],
            fn_constructor_kwargs={"probabilities": True},
            batch_format="pyarrow",
            batch_size=2,
            num_cpus=1,
            concurrency=1,
        )
        assert pa.concat_tables(ray.get(found.to_arrow_refs())).to_pylist() == scored.to_pylist()
    finally:
        ray.shutdown()


def test_spark(scored):
    sql = pytest.importorskip("pyspark.sql")
    session = sql.SparkSession.builder.master("local[1]").getOrCreate()
    try:
        df = session.createDataFrame(TABLE.to_pylist(), "id string, review string")
        found = sentcli.spark.score(df, "review", "my_", probabilities=True)
        rows = [row.asDict() for row in found.collect()]
        assert sorted(rows, key=lambda row: row["id"]) == sorted(
            scored.to_pylist(), key=lambda row: row["id"]
        )
    finally:
        session.stop()


def test_the_function_for_spark_adds_its_columns_to_each_batch(scored, monkeypatch):
    """The same without Spark, of which only the types of columns are made up."""
    types = ModuleType("pyspark.sql.types")
    types.StructField, types.StructType = (lambda *field: field), list
    types.StringType, types.DoubleType = pa.string, pa.float64
    for name, module in (("pyspark", ModuleType("pyspark")), ("pyspark.sql", ModuleType("pyspark.sql"))):
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setitem(sys.modules, "pyspark.sql.types", types)
    fields = [(field.name, field.type) for field in TABLE.schema]

    def map_in_arrow(run, schema):
        return pa.Table.from_batches(run(iter(TABLE.to_batches(max_chunksize=3))), pa.schema(schema))

    df = SimpleNamespace(schema=SimpleNamespace(fields=fields), mapInArrow=map_in_arrow)
    assert sentcli.spark.score(df, "review", "my_", probabilities=True).equals(scored)
    with pytest.raises(UsageError, match=r"^workers is 0"):
        sentcli.spark.score(df, "review", workers=0)
