"""Score the rows of Ray data sets and of Spark data frames."""

from collections.abc import Iterator
from typing import Any

from sentcli.scoring.scorer import load
from sentcli.tables.options import ResultColumn, WriteOptions


class RayScorer:
    """Scores batches of Ray Data: `ds.map_batches(RayScorer, batch_format="pyarrow", ...)`.

    :param text_column, prefix: as for `Scorer.score_arrow`, whose errors are raised.
    :param workers: scoring threads, as many as the `num_cpus` of `map_batches`.
    :param options: the other arguments of `sentcli.load`.
    """

    def __init__(self, text_column: str, prefix: str = "", *, workers: int = 1, **options: Any) -> None:
        self._columns = text_column, prefix
        self._scorer = load(workers=workers, **options)

    def __call__(self, batch: Any) -> Any:
        return self._scorer.score_arrow(batch, *self._columns)


def score_spark(df: Any, text_column: str, prefix: str = "", *, workers: int = 1, **options: Any) -> Any:
    """Return a Spark data frame with a label and a score in each row, by `mapInArrow`.

    :param text_column, prefix: as for `Scorer.score_arrow`, whose errors the tasks raise.
    :param workers: scoring threads of a task, as many as `spark.task.cpus`.
    :param options: the other arguments of `sentcli.load`, whose errors are raised; all nodes need the model.
    """
    from pyspark.sql import types

    def run(batches: Iterator[Any]) -> Iterator[Any]:
        with load(workers=workers, **options) as scorer:
            for batch in batches:
                yield scorer.score_arrow(batch, text_column, prefix)

    with load(workers=workers, **options) as scorer:
        added = WriteOptions(prefix=prefix).columns(scorer.shown_classes, scorer.extras.columns)
    new = [types.StructField(column.name, _spark_type(column, types)) for column in added]
    return df.mapInArrow(run, types.StructType([*df.schema.fields, *new]))


def _spark_type(column: ResultColumn, types: Any) -> Any:
    """Return the type that Spark has for a new column."""
    if not column.items:
        return types.DoubleType() if column.is_number else types.StringType()
    of_arrow = {"string": types.StringType, "int64": types.LongType, "float64": types.DoubleType}
    fields = [types.StructField(name, of_arrow[kind]()) for name, kind in column.items]
    return types.ArrayType(types.StructType(fields))
