"""Scorers, texts and files that the tests of scoring share."""

import random
from functools import partial

import invented
import orjson
import pytest
from runs import CHUNK
from texts import BLANK, ODD

from sentcli.runs import single as scored_output
from sentcli.scoring.scorer import Scorer


@pytest.fixture(scope="session")
def texts():
    """Texts of all lengths in no order, blank ones among them."""
    made = [text for text, _ in invented.reviews(200, seed=5)] + [*ODD, *BLANK]
    random.Random(0).shuffle(made)
    return made


@pytest.fixture(scope="session")
def expected(trained, texts):
    with Scorer(trained, workers=1) as scorer:
        return scorer.score(texts)


@pytest.fixture
def scorer(trained):
    with Scorer(trained, workers=2) as scorer:
        yield scorer


@pytest.fixture
def small_chunks(monkeypatch):
    """Chunks of a few rows, each committed, so that a small run can be interrupted at many places."""
    monkeypatch.setattr("sentcli.tables.chunk.CHUNK_ROWS", CHUNK)
    monkeypatch.setattr(scored_output, "open_job", partial(scored_output.open_job, commit_seconds=0))


@pytest.fixture
def files(tmp_path):
    """Three JSON Lines files of 100 rows each, with blank texts, long ones and lines that are no JSON."""
    folder = tmp_path / "in"
    folder.mkdir()
    for number, name in enumerate("abc"):
        lines = [orjson.dumps({"text": text}) for text, _ in invented.reviews(100, seed=number)]
        lines[10] = b'{"text": ""}'
        lines[30] = orjson.dumps({"text": "warm zzz " * 200})
        lines[50 + number] = b"no JSON"
        (folder / f"{name}.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    return sorted(map(str, folder.iterdir()))
