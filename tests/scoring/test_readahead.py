"""Streams: chunks that are read ahead, scored, and given back in order."""

import threading
import time
from collections.abc import Iterator

import pytest
from texts import Piece

from sentcli import scoring
from sentcli.errors import BundleError, DataError
from sentcli.readahead import ReadAhead
from sentcli.scoring import Scorer


def test_a_stream_of_nothing_ends(scorer):
    assert list(scorer.stream([])) == []


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


def test_who_is_told_of_the_end_can_know_that_it_is_one():
    is_last = threading.Event()

    def items() -> Iterator[str]:
        yield "first"
        is_last.wait(timeout=20)
        yield "second"

    notes: list[bool] = []
    ahead = ReadAhead(items(), 3, lambda: notes.append(ahead.has_ended))
    with ahead:
        assert ahead.get() == "first"
        assert not ahead.has_ended
        is_last.set()
        assert [ahead.get(), ahead.get()] == ["second", None]
    assert notes[0] is False
    assert notes[-1] is True


def test_the_end_waits_for_no_others(trained):
    """A last chunk has none to share batches with, so it is encoded while the one before is scored."""
    is_scored, is_encoded = threading.Event(), threading.Event()

    def pieces() -> Iterator[Piece]:
        yield Piece(["warm"])
        assert is_scored.wait(timeout=20)
        yield Piece(["dull"])

    with Scorer(trained, workers=2) as scorer:
        logits, encode = scorer._backend.logits, scorer._encoder.encode

        def scored(ids, lengths):
            is_scored.set()
            assert is_encoded.wait(timeout=20)
            return logits(ids, lengths)

        def encoded(texts):
            if texts == ["dull"]:
                is_encoded.set()
            return encode(texts)

        scorer._backend.logits, scorer._encoder.encode = scored, encoded
        labels = [scores.labels for _, scores in scorer.stream(pieces())]
    assert labels == [["positive"], ["negative"]]


def test_reading_ahead_is_bounded(scorer):
    read = 0

    def endless() -> Iterator[Piece]:
        nonlocal read
        while True:
            read += 1
            yield Piece(["warm"])

    stream = scorer.stream(endless())
    ahead = []
    for given in range(1, 12):
        next(stream)
        time.sleep(0.02)
        ahead.append(read - given)
    stream.close()
    assert 2 <= max(ahead) <= (scoring._WINDOWS + 1) * scoring.WINDOW_CHUNKS + 1


def test_while_texts_are_scored_the_next_are_read_and_encoded(trained, monkeypatch):
    is_next_encoded = threading.Event()
    waited = []
    with Scorer(trained, workers=2) as scorer:
        logits, encode = scorer._backend.logits, scorer._encoder.encode

        def scored(ids, lengths):
            waited.append(is_next_encoded.wait(timeout=20))
            return logits(ids, lengths)

        def encoded(texts):
            if "later" in texts:
                is_next_encoded.set()
            return encode(texts)

        monkeypatch.setattr(scorer._backend, "logits", scored)
        monkeypatch.setattr(scorer._encoder, "encode", encoded)
        pieces = [Piece(["warm"])] * scoring.WINDOW_CHUNKS + [Piece(["later"])] * scoring.WINDOW_CHUNKS
        assert len(list(scorer.stream(pieces))) == len(pieces)
    assert waited[0]


def test_an_error_of_the_reader_comes_out_after_the_chunks_before_it(scorer):
    def broken() -> Iterator[Piece]:
        for _ in range(4):
            yield Piece(["warm"])
        raise DataError("line 5: broken")

    stream = scorer.stream(broken())
    assert [next(stream)[1].labels for _ in range(4)] == [["positive"]] * 4
    with pytest.raises(DataError, match="line 5: broken"):
        next(stream)


def test_an_error_of_the_model_comes_out_and_ends_the_reader(scorer, monkeypatch):
    def broken(ids: object, lengths: object) -> None:
        raise BundleError("no such operator")

    monkeypatch.setattr(scorer._backend, "logits", broken)
    with pytest.raises(BundleError, match="no such operator"):
        list(scorer.stream(Piece(["warm"]) for _ in range(100)))
    assert not reader_threads()


def test_leaving_a_stream_early_ends_its_reader_and_closes_what_it_read(scorer):
    closed = threading.Event()

    def endless() -> Iterator[Piece]:
        try:
            while True:
                yield Piece(["warm"])
        finally:
            closed.set()

    stream = scorer.stream(endless())
    next(stream)
    stream.close()
    assert not reader_threads()
    assert closed.is_set()


def test_a_reader_that_waits_for_a_pipe_does_not_hold_up_the_end(scorer):
    more = threading.Event()

    def waiting() -> Iterator[Piece]:
        yield Piece(["warm"])
        more.wait(timeout=20)

    stream = scorer.stream(waiting())
    next(stream)
    started = time.monotonic()
    stream.close()
    assert time.monotonic() - started < 10
    more.set()


def test_leaving_a_scorer_ends_its_threads(trained, texts):
    with Scorer(trained, workers=3) as scorer:
        scorer.score(texts)
        assert any(thread.name.startswith("sentcli-worker") for thread in threading.enumerate())
    assert not any(thread.name.startswith("sentcli-worker") for thread in threading.enumerate())


def reader_threads():
    return [thread for thread in threading.enumerate() if thread.name == "sentcli-reader"]
