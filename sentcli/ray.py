"""Score the rows of a Ray data set, by `map_batches`."""

from typing import Any

from sentcli import load


class Scorer:
    """Scores batches: `ds.map_batches(sentcli.ray.Scorer, batch_format="pyarrow", ...)`.

    :param text_column, prefix: as of `Scorer.score_arrow`, whose errors are raised.
    :param workers: scoring threads, as many as the `num_cpus` of `map_batches`.
    :param options: the other arguments of `sentcli.load`.
    """

    def __init__(self, text_column: str, prefix: str = "", *, workers: int = 1, **options: Any) -> None:
        self._columns = text_column, prefix
        self._scorer = load(workers=workers, **options)

    def __call__(self, batch: Any) -> Any:
        return self._scorer.score_arrow(batch, *self._columns)
