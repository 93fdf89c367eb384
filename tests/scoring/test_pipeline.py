"""Streams: chunks that are read ahead, scored here or in other processes, and given back in order."""

import itertools
import multiprocessing
import os
import shutil
import signal
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from test_processes import PATIENCE, wait
from texts import Piece, pairs

from sentcli.backends.onnx import OnnxBackend
from sentcli.errors import BundleError, DataError
from sentcli.model.bilstm import has_lstm
from sentcli.model.bundle import load_bundle
from sentcli.scoring import pipeline, processes
from sentcli.scoring.pipeline import LIMITS, Limits
from sentcli.scoring.scorer import Scorer


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


def test_waiting_for_a_chunk_takes_no_time_of_the_processor(scorer):
    def slow() -> Iterator[Piece]:
        yield Piece(["warm"])
        time.sleep(1)
        yield Piece(["dull"])

    stream = scorer.stream(slow())
    next(stream)
    started = time.process_time()
    next(stream)
    assert time.process_time() - started < 0.2


def test_the_end_waits_for_no_others(trained):
    """A last chunk has none to share batches with, so it is encoded while the one before is scored."""
    is_scored, is_encoded = threading.Event(), threading.Event()

    def pieces() -> Iterator[Piece]:
        yield Piece(["warm"])
        assert is_scored.wait(timeout=20)
        yield Piece(["dull"])

    with Scorer(trained, workers=2) as scorer:
        logits, encode = scorer._pipeline.engine.backend.logits, scorer._pipeline.engine.encoder.encode

        def scored(ids, lengths):
            is_scored.set()
            assert is_encoded.wait(timeout=20)
            return logits(ids, lengths)

        def encoded(texts):
            if [*texts] == ["dull"]:
                is_encoded.set()
            return encode(texts)

        scorer._pipeline.engine.backend.logits, scorer._pipeline.engine.encoder.encode = scored, encoded
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
    assert 2 <= max(ahead) <= (pipeline._WINDOWS + 1) * LIMITS.window_chunks + 1


def test_while_texts_are_scored_the_next_are_read_and_encoded(trained, monkeypatch):
    is_next_encoded = threading.Event()
    waited = []
    with Scorer(trained, workers=2) as scorer:
        logits, encode = scorer._pipeline.engine.backend.logits, scorer._pipeline.engine.encoder.encode

        def scored(ids, lengths):
            waited.append(is_next_encoded.wait(timeout=20))
            return logits(ids, lengths)

        def encoded(texts):
            if "later" in texts:
                is_next_encoded.set()
            return encode(texts)

        monkeypatch.setattr(scorer._pipeline.engine.backend, "logits", scored)
        monkeypatch.setattr(scorer._pipeline.engine.encoder, "encode", encoded)
        pieces = [Piece(["warm"])] * LIMITS.window_chunks + [Piece(["later"])] * LIMITS.window_chunks
        assert len(list(scorer.stream(pieces))) == len(pieces)
    assert waited[0]


def test_while_texts_are_encoded_no_more_is_read_than_there_was_room_for(trained, monkeypatch):
    """Both need the interpreter's lock, and would hold each other up."""
    seen, read = [], 0

    def pieces() -> Iterator[Piece]:
        nonlocal read
        for read in range(1, 40):
            yield Piece([f"warm {read}"])

    with Scorer(trained, workers=2) as scorer:
        encode = scorer._pipeline.engine.encoder.encode

        def encoded(texts):
            if not seen:
                wait(lambda: read > LIMITS.window_chunks)
                time.sleep(0.05)
                seen.append(read)
            return encode(texts)

        monkeypatch.setattr(scorer._pipeline.engine.encoder, "encode", encoded)
        assert len(list(scorer.stream(pieces()))) == 39
    assert seen == [LIMITS.window_chunks + 1]


def test_the_next_window_has_the_threads_that_one_leaves_free(trained, monkeypatch):
    is_next_begun, calls = threading.Event(), itertools.count()
    with Scorer(trained, workers=2) as scorer:
        logits = scorer._pipeline.engine.backend.logits

        def scored(ids, lengths):
            if next(calls):
                is_next_begun.set()
            assert is_next_begun.wait(timeout=20)
            return logits(ids, lengths)

        monkeypatch.setattr(scorer._pipeline.engine.backend, "logits", scored)
        pieces = [Piece(["warm"])] * LIMITS.window_chunks + [Piece(["later"])] * LIMITS.window_chunks
        assert len(list(scorer.stream(pieces))) == len(pieces)


def test_while_a_window_is_scored_others_gather_for_the_next(trained, monkeypatch):
    is_begun, are_read, sizes = threading.Event(), threading.Event(), []

    def pieces() -> Iterator[Piece]:
        yield Piece(["warm"])
        assert is_begun.wait(timeout=20)
        for number in range(LIMITS.window_chunks):
            time.sleep(0.05)
            yield Piece([f"later {number}"])
        are_read.set()
        yield Piece(["last"])

    with Scorer(trained, workers=2) as scorer:
        logits, window = scorer._pipeline.engine.backend.logits, pipeline.Window

        def scored(ids, lengths):
            is_begun.set()
            assert are_read.wait(timeout=20)
            return logits(ids, lengths)

        def counted(texts, *others):
            sizes.append(len(texts))
            return window(texts, *others)

        monkeypatch.setattr(scorer._pipeline.engine.backend, "logits", scored)
        monkeypatch.setattr(pipeline, "Window", counted)
        list(scorer.stream(pieces()))
    assert sizes[:2] == [1, LIMITS.window_chunks]


def test_the_last_chunk_is_scored_while_those_before_it_are_written(trained, monkeypatch):
    is_begun, is_read, sizes = threading.Event(), threading.Event(), []

    def pieces() -> Iterator[Piece]:
        yield Piece(["warm"])
        assert is_begun.wait(timeout=20)
        for number in range(LIMITS.window_chunks):
            yield Piece([f"later {number}"])

    class Ahead(pipeline.ReadAhead):
        def _run(self) -> None:
            super()._run()
            is_read.set()

        def make_room(self, count: int) -> None:
            super().make_room(count)
            assert is_read.wait(timeout=20)

    with Scorer(trained, workers=2) as scorer:
        window = pipeline.Window

        def counted(texts, *others):
            is_begun.set()
            sizes.append(len(texts))
            return window(texts, *others)

        monkeypatch.setattr(pipeline, "ReadAhead", Ahead)
        monkeypatch.setattr(pipeline, "Window", counted)
        list(scorer.stream(pieces()))
    assert sizes == [1, LIMITS.window_chunks - 1, 1]


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

    monkeypatch.setattr(scorer._pipeline.engine.backend, "logits", broken)
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


@pytest.mark.parametrize("call", ["score", "probabilities", "stream"])
def test_of_an_interrupted_call_no_batch_is_begun_any_more(trained, monkeypatch, call):
    batches, may_end = [], threading.Event()

    def interrupting(ids, lengths):
        batches.append(len(ids))
        if len(batches) == 1:
            time.sleep(0.3)  # the others are handed over
            os.kill(os.getpid(), signal.SIGUSR1)
            assert may_end.wait(timeout=20)
        return np.zeros((len(ids), 2), np.float32)

    def interrupt(*_):
        raise TimeoutError  # as a time limit does

    before = signal.signal(signal.SIGUSR1, interrupt)
    texts = [f"text {number}" for number in range(5 * LIMITS.batch_rows)]
    try:
        with Scorer(trained, workers=1) as scorer:
            monkeypatch.setattr(scorer._pipeline.engine.backend, "logits", interrupting)
            with pytest.raises(TimeoutError):
                list(scorer.stream([Piece(texts)])) if call == "stream" else getattr(scorer, call)(texts)
            may_end.set()
            scorer.score(["warm"])
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert batches == [LIMITS.batch_rows, 1]


@pytest.fixture
def split(trained, monkeypatch):
    """A scorer all of whose windows go to two other processes."""
    monkeypatch.setattr(pipeline, "PROCESSES_FROM", 0)
    with Scorer(trained, workers=2, processes=2) as scorer:
        list(scorer.stream([Piece(["warm"])]))
        wait(scorer._pipeline._processes.are_ready)
        monkeypatch.setattr(pipeline, "Window", None)
        yield scorer


@pytest.mark.parametrize("sizes", [[1] * 60, [0, 5, 0, 100], [], [3] * 30])
def test_other_processes_give_the_same_bits(split, texts, expected, sizes):
    chunks, start = [], 0
    for size in [*sizes, len(texts)]:
        chunks.append(Piece(texts[start : start + size]))
        start += size
    streamed = list(split.stream(chunks))
    assert [chunk for chunk, _ in streamed] == chunks
    assert [pair for _, scores in streamed for pair in pairs(scores)] == pairs(expected)
    for name in ("blank", "truncated", "tokens", "unknown"):
        assert sum(getattr(scores, name) for _, scores in streamed) == getattr(expected, name)


@pytest.mark.parametrize(
    "precision",
    [
        "fp32",
        pytest.param(
            "bf16", marks=pytest.mark.skipif(not has_lstm(torch.bfloat16), reason="no bf16 on this processor")
        ),
    ],
)
def test_other_processes_have_the_backend_and_the_precision_of_this_one(trained, texts, precision):
    options = {"backend": "torch", "device": "cpu", "precision": precision}
    with Scorer(trained, workers=2, processes=2, **options) as scorer:
        own = scorer._pipeline.run(texts)
        (theirs,) = scorer._pipeline._works[1](iter([Piece(texts)]))
    assert np.array_equal(theirs.logits, own.logits, equal_nan=True)


def test_other_processes_share_the_threads_and_have_the_limits(trained):
    limits = Limits(batch_tokens=100, batch_rows=4, window_chunks=2)
    with Scorer(trained, workers=5, processes=2, limits=limits) as scorer:
        given = [work.keywords for work in scorer._pipeline._works]
    assert [each["workers"] for each in given] == [2, 3]
    # What comes to them is a window already.
    assert [each["limits"] for each in given] == [replace(limits, window_chunks=1)] * 2


def test_other_processes_find_the_model_wherever_this_one_has_gone(trained, monkeypatch, tmp_path):
    monkeypatch.chdir(trained.path.parent)
    with Scorer(load_bundle(Path(trained.path.name)), workers=2, processes=2) as scorer:
        monkeypatch.chdir(tmp_path)
        (result,) = scorer._pipeline._works[1](iter([Piece(["warm"])]))
    assert result.lengths.tolist() == [1]


def test_an_error_of_the_input_comes_out_after_the_chunks_before_it(split):
    def chunks():
        yield from [Piece(["warm"])] * 9
        raise BundleError("the end")

    stream = split.stream(chunks())
    assert [len(scores.labels) for _, scores in (next(stream) for _ in range(9))] == [1] * 9
    with pytest.raises(BundleError, match="the end"):
        next(stream)


def test_reading_ahead_is_bounded_and_wide_enough_for_all(split):
    read = 0

    def chunks():
        nonlocal read
        while read < 199:
            read += 1
            yield Piece(["warm"] * 20)

    ahead = []
    for given, _ in enumerate(split.stream(chunks())):
        ahead.append(read - given)
        time.sleep(0.001)
    assert given == 198
    assert 2 <= max(ahead) <= (2 * pipeline._WINDOWS + 1) * LIMITS.window_chunks + 1


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_has_processes_of_its_own(trained, monkeypatch):
    monkeypatch.setattr(pipeline, "PROCESSES_FROM", 0)
    with Scorer(trained, workers=2, processes=2) as scorer:
        list(scorer.stream([Piece(["warm"])]))
        wait(scorer._pipeline._processes.are_ready)
        forked = multiprocessing.get_context("fork").Process(target=in_fork, args=(scorer,), daemon=True)
        forked.start()
        forked.join(PATIENCE)
        assert forked.exitcode == 5
        assert len(list(scorer.stream([Piece(["warm"])] * 7))) == 7


def in_fork(scorer: Scorer) -> None:
    with scorer:
        answers = len(list(scorer.stream([Piece(["warm"])] * 5)))
    os._exit(answers)


def test_threads_that_stream_at_once_share_the_processes(trained, monkeypatch):
    made, begin = [], threading.Barrier(4)

    class Slow(processes.Processes):
        def __init__(self, works):
            made.append(self)
            time.sleep(0.3)
            super().__init__(works)

    monkeypatch.setattr(processes, "Processes", Slow)
    monkeypatch.setattr(pipeline, "PROCESSES_FROM", 0)

    def stream() -> None:
        begin.wait(PATIENCE)
        list(scorer.stream([Piece(["warm"])]))

    with Scorer(trained, workers=2, processes=2) as scorer:
        threads = [threading.Thread(target=stream) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(made) == 1


def test_a_closed_scorer_says_so_whoever_scores(split):
    stream = split.stream([Piece(["warm"])] * 100)
    next(stream)
    split._pipeline.close()
    for left in (stream, split.stream([Piece(["warm"])])):
        with pytest.raises(RuntimeError, match="the scorer was closed"):
            list(left)


def test_a_closed_scorer_starts_no_process(trained, monkeypatch):
    monkeypatch.setattr(pipeline, "PROCESSES_FROM", 0)
    with Scorer(trained, workers=2, processes=2) as scorer:
        pass
    with pytest.raises(RuntimeError, match="the scorer was closed"):
        list(scorer.stream([Piece(["warm"])]))
    assert scorer._pipeline._processes is None


def test_few_texts_start_no_process(trained, texts):
    with Scorer(trained, workers=2, processes=2) as scorer:
        list(scorer.stream([Piece(texts)] * 10))
        assert scorer._pipeline._processes is None


def test_this_process_goes_on_until_the_others_are_ready(trained, texts, expected, monkeypatch):
    monkeypatch.setattr(pipeline, "PROCESSES_FROM", 1000)
    own, switched = 0, False
    window = pipeline.Window

    def counting(*arguments):
        nonlocal own
        own += 1
        return window(*arguments)

    monkeypatch.setattr(pipeline, "Window", counting)

    def chunks(scorer):
        nonlocal switched
        end = time.monotonic() + PATIENCE
        while not switched and time.monotonic() < end:
            switched = scorer._pipeline._processes is not None and scorer._pipeline._processes.are_ready()
            yield Piece(texts)
        yield from [Piece(texts)] * 20

    with Scorer(trained, workers=2, processes=2) as scorer:
        streamed = list(scorer.stream(chunks(scorer)))
    assert switched
    assert 2 <= own < len(streamed) - 5
    assert all(pairs(scores) == pairs(expected) for _, scores in streamed)


def test_a_stream_comes_to_its_end_when_the_scorer_is_closed_beside_it(trained, texts, monkeypatch):
    monkeypatch.setattr(pipeline, "PROCESSES_FROM", 0)
    with Scorer(trained, workers=2, processes=2) as scorer:
        of = scorer._pipeline
        list(scorer.stream([Piece(texts)]))
        ready = of._processes.are_ready

        def close_and_tell():
            of._works = []  # as `close` does, in another thread
            return ready() or True

        monkeypatch.setattr(of._processes, "are_ready", close_and_tell)
        assert of._most_windows() >= 1


def test_a_model_that_was_changed_since_is_refused(trained, tmp_path, monkeypatch):
    folder = shutil.copytree(trained.path, tmp_path / "model")
    monkeypatch.setattr(pipeline, "PROCESSES_FROM", 0)
    with Scorer(load_bundle(folder), workers=2, processes=2) as scorer:
        with (folder / "vocab.txt").open("a") as file:
            file.write("more\n")
        slowly = (time.sleep(0.001) or Piece(["warm"]) for _ in itertools.count())
        with pytest.raises(BundleError, match=r"vocab\.txt: damaged or changed"):
            deque(scorer.stream(slowly), maxlen=0)


def test_other_backends_take_one_process_unless_more_are_asked_for(trained):
    with Scorer(trained, workers=64, processes=None) as scorer:
        assert len(scorer._pipeline._works) == 4
    with Scorer(trained, backend="torch", device="cpu", workers=64, processes=None) as scorer:
        assert len(scorer._pipeline._works) == 1


def test_batches_have_the_limits_that_were_asked_for(trained, monkeypatch):
    rows = []

    def counted(ids, lengths):
        rows.append(len(ids))
        return np.zeros((len(ids), 2), np.float32)

    with Scorer(trained, workers=1, limits=Limits(batch_rows=4)) as scorer:
        monkeypatch.setattr(scorer._pipeline.engine.backend, "logits", counted)
        scorer.score([f"text {number}" for number in range(40)])
    assert rows == [4] * 10


def test_a_backend_that_wants_larger_batches_gets_them(trained, monkeypatch):
    rows = []

    def counted(ids, lengths):
        rows.append(len(ids))
        return np.zeros((len(ids), 2), np.float32)

    for factor in (1, 3):
        monkeypatch.setattr(OnnxBackend, "batch_factor", factor)
        with Scorer(trained, workers=1) as scorer:
            monkeypatch.setattr(scorer._pipeline.engine.backend, "logits", counted)
            scorer.score([f"text {number}" for number in range(3 * LIMITS.batch_rows)])
    assert rows == [LIMITS.batch_rows] * 3 + [3 * LIMITS.batch_rows]


def reader_threads():
    return [thread for thread in threading.enumerate() if thread.name == "sentcli-reader"]
