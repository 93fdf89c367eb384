"""Jobs with a made-up scorer: what is tested here needs no model."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from sentcli.runs.job import Job
from sentcli.runs.opening import open_job


def score(texts: Sequence[str | None]) -> tuple[list[str | None], list[float | None]]:
    """Label a text by the parity of its length; a blank one has no label."""
    is_blank = [not (text and text.strip()) for text in texts]
    labels = [
        None if blank else ("even", "odd")[len(text or "") % 2]
        for text, blank in zip(texts, is_blank, strict=True)
    ]
    scores = [
        None if blank else (len(text or "") % 7) / 7 for text, blank in zip(texts, is_blank, strict=True)
    ]
    return labels, scores


def run_job(inputs: Path | str | Sequence[Path | str], output: Path | str, **options: Any) -> Job:
    """Score inputs to an output, as `sentcli score` does but for the model."""
    names = [inputs] if isinstance(inputs, (str, Path)) else inputs
    with open_job([str(name) for name in names], str(output), **options) as job:
        for chunk in job:
            job.write(chunk, *score(chunk.texts))
        job.finish()
    return job


@pytest.fixture(autouse=True)
def no_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare the disk; the tests of durability put their own in its place."""
    monkeypatch.setattr("os.fsync", lambda descriptor: None)


@pytest.fixture
def run() -> Callable[..., Job]:
    return run_job


@pytest.fixture
def scored() -> Callable[..., Any]:
    return score


@pytest.fixture
def convert(tmp_path: Path) -> Callable[..., bytes]:
    """Write an input, score it, give the output; `rejects` of it are in `tmp_path / "rejects"`."""

    def convert(data: bytes, source: str = "in.csv", target: str | None = None, **options: Any) -> bytes:
        path, output = tmp_path / source, tmp_path / ("out" + (target or "".join(Path(source).suffixes)))
        path.write_bytes(data)
        run_job(path, output, overwrite=True, **options)
        return output.read_bytes()

    return convert


@pytest.fixture
def rejects(tmp_path: Path) -> Callable[[], list[dict[str, Any]]]:
    """Read the rejects file of the last `convert`."""

    def rejects() -> list[dict[str, Any]]:
        import orjson

        files = list(tmp_path.glob("out*.rejects.jsonl"))
        return [orjson.loads(line) for file in files for line in file.read_bytes().splitlines()]

    return rejects


@pytest.fixture
def score_table(tmp_path: Path, run: Callable[..., Job]) -> Callable[..., Any]:
    """Score a table of pyarrow, written with the options that are given."""
    import pyarrow.parquet as pq

    def score_table(table: Any, read: Any = None, **options: Any) -> Any:
        pq.write_table(table, tmp_path / "in.parquet", **options)
        run(tmp_path / "in.parquet", tmp_path / "out.parquet", overwrite=True, read=read)
        return pq.ParquetFile(tmp_path / "out.parquet")

    return score_table
