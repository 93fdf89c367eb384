"""Chunks and batches: what is run, in which order, how much at once, and how a stream ends."""

import os
import signal
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from texts import Piece, pairs

from sentcli.backends.onnx import OnnxBackend
from sentcli.errors import BundleError, StopRequested
from sentcli.files import stop
from sentcli.scoring import inference
from sentcli.scoring.batches import BATCH_ROWS
from sentcli.scoring.scorer import Scorer


class Sums:
    """A backend whose logits are the first id of a text and the sum of all; it remembers its batches."""

    name = runtime = "sums"
    batch_factor = 1

    def __init__(self):
        self.batches = []

    def logits(self, ids, lengths):
        self.batches.append((ids, lengths))
        return np.stack([ids[:, 0], ids.sum(axis=1)], axis=1).astype(np.float32)


@pytest.fixture
def backend(monkeypatch):
    backend = Sums()
    monkeypatch.setattr("sentcli.scoring.scorer.load_backend", lambda *_, **options: backend)
    return backend


@pytest.fixture
def summing(trained, backend, monkeypatch):
    """A scorer of one worker with that backend."""
    monkeypatch.setattr(inference, "BATCH_TOKENS", 24)
    monkeypatch.setattr(inference, "BATCH_ROWS", 4)
    with Scorer(trained, workers=1) as scorer:
        yield scorer


def test_equal_texts_are_run_once(summing, backend):
    texts = ["warm film", "dull", "warm film", "warm  film", "dull", "warm film"]
    scores = summing.score(texts)
    assert sum(len(lengths) for _, lengths in backend.batches) == 3
    for text, score in zip(texts, scores.scores, strict=True):
        assert score == summing.score([text]).scores[0]
    assert scores.counts.tokens == 10


def test_a_large_call_is_cut_into_chunks_of_about_the_same_size(summing, backend, monkeypatch):
    monkeypatch.setattr(inference, "_CHUNK_TEXTS", 10)
    texts = [f"warm {number} {'dull ' * (number % 5)}" for number in range(31)]
    one_by_one = [pair for text in texts for pair in pairs(summing.score([text]))]
    backend.batches.clear()
    assert pairs(summing.score(texts)) == one_by_one
    assert sum(len(lengths) for _, lengths in backend.batches) == 31
    assert [len(chunk) for chunk in inference._chunks(texts)] == [8, 8, 8, 7]
    monkeypatch.setattr(inference, "_CHUNK_CHARACTERS", 100)
    assert len(inference._chunks(["warm " * 20] * 6)) == 6
    assert inference._chunks([]) == [[]]


def test_a_batch_has_the_limits_times_the_factor_of_the_backend(trained, monkeypatch):
    rows = []

    def counted(ids, lengths):
        rows.append(len(ids))
        return np.zeros((len(ids), 2), np.float32)

    for factor, most in ((1, 4), (3, 4), (1, BATCH_ROWS)):
        monkeypatch.setattr(OnnxBackend, "batch_factor", factor)
        monkeypatch.setattr(inference, "BATCH_ROWS", most)
        with Scorer(trained, workers=1) as scorer:
            monkeypatch.setattr(scorer._inference.backend, "logits", counted)
            scorer.score([f"warm {number}" for number in range(24)])
    assert rows == [4] * 6 + [12] * 2 + [24]


def test_a_chunk_is_answered_before_the_next_one_comes(scorer):
    asked = threading.Event()
    answered_first = []

    def slow() -> Iterator[Piece]:
        yield Piece(["warm"])
        answered_first.append(asked.wait(timeout=20))
        yield Piece(["dull"])

    stream = scorer.stream(slow())
    assert next(stream)[1].labels == ["positive"]
    asked.set()
    assert next(stream)[1].labels == ["negative"]
    assert answered_first == [True]


def test_while_a_chunk_is_run_the_next_one_is_encoded_and_idle_threads_begin_it(trained, monkeypatch):
    is_next_begun = threading.Barrier(2)
    with Scorer(trained, workers=2) as scorer:
        logits = scorer._inference.backend.logits

        def scored(ids, lengths):
            is_next_begun.wait(timeout=20)
            return logits(ids, lengths)

        monkeypatch.setattr(scorer._inference.backend, "logits", scored)
        assert len(list(scorer.stream([Piece(["warm"]), Piece(["dull"])]))) == 2


@pytest.mark.parametrize("place", ["backend.logits", "_encoder.encode"])
def test_an_error_of_the_model_comes_out_and_ends_the_reader(scorer, monkeypatch, place):
    def broken(*_: object) -> None:
        raise BundleError("no such operator")

    owner, name = place.split(".")
    monkeypatch.setattr(getattr(scorer._inference, owner), name, broken)
    with pytest.raises(BundleError, match="no such operator"):
        list(scorer.stream(Piece(["warm"]) for _ in range(100)))
    with pytest.raises(BundleError, match="no such operator"):
        scorer.score(["warm"])
    assert not any(thread.name == "sentcli-reader" for thread in threading.enumerate())


@pytest.mark.parametrize("call", ["score", "probabilities", "stream"])
def test_a_stop_request_begins_no_further_batch(trained, monkeypatch, call):
    batches, may_end = [], threading.Event()

    def interrupting(ids, lengths):
        batches.append(len(ids))
        if len(batches) == 1:
            os.kill(os.getpid(), signal.SIGTERM)
            assert may_end.wait(timeout=20)
        return np.zeros((len(ids), 2), np.float32)

    texts = [f"warm {number}" for number in range(5 * BATCH_ROWS)]
    with Scorer(trained, workers=1) as scorer:
        monkeypatch.setattr(scorer._inference.backend, "logits", interrupting)
        stop.install()
        with pytest.raises(StopRequested):
            list(scorer.stream([Piece(texts)])) if call == "stream" else getattr(scorer, call)(texts)
        stop.install()
        may_end.set()
        scorer.score(["warm"])
    assert batches == [BATCH_ROWS, 1]


def test_a_closed_scorer_has_no_threads_and_says_that_it_is_closed(trained, texts):
    before = {*threading.enumerate()}
    with Scorer(trained, workers=3) as scorer:
        scorer.score(texts)
        stream = scorer.stream(Piece(["warm"]) for _ in range(100))
        next(stream)
        assert any(thread.name.startswith("sentcli-worker") for thread in threading.enumerate())
    left = {*threading.enumerate()} - before
    assert not any(thread.name.startswith(("sentcli-w", "sentcli-e")) for thread in left)
    with pytest.raises(RuntimeError, match=r"closed|shutdown"):
        list(stream)
    with pytest.raises(RuntimeError, match=r"closed|shutdown"):
        scorer.score(["warm"])
