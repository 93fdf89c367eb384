"""Fixtures for tests of the formats, which go through jobs with an invented scorer."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jobs import convert, no_fsync, run, small_chunks  # noqa: F401  # fixtures

from sentcli.runs.summary import Summary


@pytest.fixture(autouse=True)
def _flag_names(flag_names: None) -> None:
    """Expect messages as on the command line; `test_options` has examples of those in Python."""


@pytest.fixture
def rejects(tmp_path: Path) -> Callable[[], list[dict[str, Any]]]:
    """Read the rejects file of the last `convert`."""

    def rejects() -> list[dict[str, Any]]:
        import orjson

        files = list(tmp_path.glob("out*.rejects.jsonl"))
        return [orjson.loads(line) for file in files for line in file.read_bytes().splitlines()]

    return rejects


@pytest.fixture
def score_table(tmp_path: Path, run: Callable[..., Summary]) -> Callable[..., Any]:  # noqa: F811
    """Score a table of pyarrow, written with the options that are given."""
    import pyarrow.parquet as pq

    def score_table(table: Any, read: Any = None, **options: Any) -> Any:
        pq.write_table(table, tmp_path / "in.parquet", **options)
        run(tmp_path / "in.parquet", tmp_path / "out.parquet", overwrite=True, read=read)
        return pq.ParquetFile(tmp_path / "out.parquet")

    return score_table
