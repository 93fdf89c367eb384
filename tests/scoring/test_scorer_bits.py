"""The score of a text depends on the text and the model alone, to the last bit."""

import random

import pytest
from texts import Piece, pairs

from sentcli import load
from sentcli.scoring.scorer import Scorer


@pytest.mark.parametrize("size", [1, 3, 7, 64])
def test_in_batches_of_any_size(trained, texts, expected, size):
    with Scorer(trained, workers=1) as fresh:
        scored = [
            pair
            for start in range(0, len(texts), size)
            for pair in pairs(fresh.score(texts[start : start + size]))
        ]
    assert scored == pairs(expected)


@pytest.mark.parametrize(
    ("workers", "tokens", "rows"),
    [(2, 1, 256), (1, 97, 256), (5, 1000, 3), (1, 65_536, 1), (2, 65_536, 10_000)],
)
def test_with_any_limits_of_a_batch_and_any_workers(
    trained, texts, expected, monkeypatch, workers, tokens, rows
):
    monkeypatch.setattr("sentcli.scoring.inference.BATCH_TOKENS", tokens)
    monkeypatch.setattr("sentcli.scoring.inference.BATCH_ROWS", rows)
    with Scorer(trained, workers=workers) as scorer:
        assert scorer.score(texts) == expected


def test_in_any_order(scorer, texts, expected):
    order = random.Random(1).sample(range(len(texts)), len(texts))
    shuffled = pairs(scorer.score([texts[row] for row in order]))
    assert shuffled == [pairs(expected)[row] for row in order]


@pytest.mark.parametrize("sizes", [[1] * 60, [0, 5, 0, 100], [214]])
def test_in_any_chunks_of_a_stream(scorer, texts, expected, sizes):
    chunks, start = [], 0
    for size in [*sizes, len(texts)]:
        chunks.append(Piece(texts[start : start + size]))
        start += size
    streamed = list(scorer.stream(chunks))
    assert [chunk for chunk, _ in streamed] == chunks
    assert [pair for _, scores in streamed for pair in pairs(scores)] == pairs(expected)


def test_with_the_model_in_the_box_too(texts):
    """It is large enough for a batch of one text to be computed in another way."""
    with load(workers=2) as scorer:
        together = pairs(scorer.score(texts))
        alone = [pairs(scorer.score([text]))[0] for text in texts]
        by_three = [
            pair
            for start in range(0, len(texts), 3)
            for pair in pairs(scorer.score(texts[start : start + 3]))
        ]
    assert alone == by_three == together
