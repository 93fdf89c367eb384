"""Score the rows of Ray data sets and of Spark data frames."""

from collections.abc import Iterator
from typing import Any

from sentcli.scoring.scorer import load
from sentcli.tables.options import WriteOptions


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
    from pyspark.sql.pandas.types import from_arrow_schema
    from pyspark.sql.types import StructType

    from sentcli.tables.arrow import result_field

    def run(batches: Iterator[Any]) -> Iterator[Any]:
        with load(workers=workers, **options) as scorer:
            for batch in batches:
                yield scorer.score_arrow(batch, text_column, prefix)

    with load(workers=workers, **options) as scorer:
        added = WriteOptions(prefix=prefix).columns(scorer.shown_classes, scorer.extras.columns)
    new = from_arrow_schema(map(result_field, added))
    return df.mapInArrow(run, StructType([*df.schema.fields, *new]))
