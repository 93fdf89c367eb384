"""Windows: what shares batches, in which order it is run, and what is run at all."""

import gc
import os
import threading
import time
import weakref
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sentcli.errors import BundleError
from sentcli.model.bundle import default_bundle_path, load_bundle
from sentcli.scoring.pipeline import LIMITS
from sentcli.scoring.window import _MANY, Engine, Window
from sentcli.scoring.workers import Workers
from sentcli.text.encoder import Encoder
from sentcli.text.vocabulary import PAD, UNK, Vocab

VOCAB = Vocab([PAD, UNK, "a", "b", "c"])


class Sums:
    """A backend whose logits are the first id of a text and the sum of all; it remembers its batches."""

    name = runtime = "sums"
    batch_factor = 1

    def __init__(self):
        self.batches = []
        self.prepared_after = []  # batches

    def prepare(self):
        self.prepared_after.append(len(self.batches))

    def logits(self, ids, lengths):
        self.batches.append((ids, lengths))
        return np.stack([ids[:, 0], ids.sum(axis=1)], axis=1).astype(np.float32)


@pytest.fixture
def backend():
    return Sums()


@pytest.fixture
def engine(backend):
    with closing(Workers(1)) as workers:
        yield Engine(workers, Encoder(VOCAB), backend, max_tokens=8, classes=2, batch_tokens=24, batch_rows=4)


def test_a_window_by_hand(engine):
    result = Window(["a b", None, "zzz c zzz", "", "c"], engine).result()
    nothing = [np.nan, np.nan]
    assert np.array_equal(result.logits, [[2, 5], nothing, [1, 6], nothing, [4, 4]], equal_nan=True)
    assert result.lengths.tolist() == [2, 0, 3, 0, 1]
    assert result.unknown.tolist() == [0, 0, 2, 0, 0]
    part = result.part(2, 5)
    assert np.array_equal(part.logits, result.logits[2:], equal_nan=True)
    assert (part.lengths.tolist(), part.unknown.tolist()) == ([3, 0, 1], [2, 0, 0])


def test_equal_texts_are_run_once(engine, backend):
    result = Window(["a b", "c", "a b", "a  b", "c", "a b"], engine).result()
    assert sum(len(lengths) for _, lengths in backend.batches) == 3
    assert result.logits[:, 1].tolist() == [5, 4, 5, 5, 4, 5]
    assert result.lengths.tolist() == [2, 1, 2, 2, 1, 2]


def test_the_longest_are_run_first_and_none_alone(engine, backend):
    texts = [
        " ".join("abc"[number % 3] for number in range(length)) for length in (1, 30, 3, 8, 2, 9, 7, 1, 5)
    ]
    Window(texts, engine).result()
    assert [lengths.tolist() for _, lengths in backend.batches] == [[8, 8], [8, 7], [5, 3, 2, 1]]
    assert all(ids.shape == (len(lengths), lengths[0]) for ids, lengths in backend.batches)


def test_of_a_long_text_the_model_gets_the_beginning_and_the_end(engine, backend):
    result = Window(["a b c " + "zzz " * 20 + "a b c a b c"], engine).result()
    ((ids, lengths),) = backend.batches
    assert ids.tolist() == [[2, 3, 2, 3, 4, 2, 3, 4]]
    assert (lengths.tolist(), result.lengths.tolist(), result.unknown.tolist()) == ([8], [29], [20])


def test_a_window_of_nothing_is_done_at_once(engine, backend):
    for texts in ([], [None, "", ";"]):
        window = Window(texts, engine)
        window.start()
        assert window.is_done
        assert np.isnan(window.result().logits).all()
        assert window.result().logits.shape == (len(texts), 2)
    assert backend.batches == []


def test_a_window_tells_when_it_has_gone_on_and_not_of_each_batch(engine, backend):
    told = threading.Semaphore(0)
    window = Window([" ".join("a" * length) for length in range(1, 9)], engine, told.release)
    assert told.acquire(timeout=20)
    assert window.is_encoded
    window.start()
    assert told.acquire(timeout=20)
    assert window.is_done
    assert len(backend.batches) > 2
    assert not told.acquire(timeout=0.05)


def test_a_window_is_gone_when_it_is_let_go(engine):
    """Were it in a cycle, windows would gather until the garbage collector has gone through old objects."""
    gc.collect()
    gc.disable()
    try:
        window = Window(["a b", "c"], engine)
        window.result()
        engine.workers.close()  # a worker may hold the last batch for a moment more
        alive = weakref.ref(window)
        del window
        assert alive() is None
    finally:
        gc.enable()


def test_many_characters_have_the_backend_prepared_before_their_first_batch(engine, backend):
    Window(["a b"] * 9, engine).result()
    Window([None, "c" * _MANY], engine).result()
    assert backend.prepared_after == []
    Window(["a b", "c" * _MANY], engine).result()
    assert backend.prepared_after == [2]
    assert len(backend.batches) == 3


def test_a_backend_is_prepared_before_there_is_a_result_of_blanks_alone(engine, backend, monkeypatch):
    """A process that is forked then must not find a lock of the backend taken."""
    is_prepared = threading.Event()

    def prepare():
        time.sleep(0.3)
        is_prepared.set()

    monkeypatch.setattr(backend, "prepare", prepare)
    with closing(Workers(2)) as workers:  # one would prepare before it encodes
        result = Window([" " * (_MANY + 1)], replace(engine, workers=workers)).result()
        assert is_prepared.is_set()
    assert result.lengths.tolist() == [0]


def test_an_error_of_a_batch_comes_out_where_the_result_is_asked_for(engine, backend, monkeypatch):
    def broken(ids, lengths):
        raise BundleError("no such operator")

    monkeypatch.setattr(backend, "logits", broken)
    with pytest.raises(BundleError, match="no such operator"):
        Window(["a"], engine).result()


@pytest.mark.skipif("SENTCLI_IMDB" not in os.environ, reason="SENTCLI_IMDB names no copy of IMDb")
@pytest.mark.parametrize("reads", ["words", "phrases"])
def test_of_the_steps_computed_on_imdb_at_most_three_in_a_hundred_are_padding(backend, reads):
    """Phrases make texts shorter, but for some words: with as many rows a batch they need more padding."""
    import pyarrow.parquet as pq

    vocab = load_bundle(default_bundle_path()).vocab
    assert vocab.bigrams
    encoder = Encoder(vocab if reads == "phrases" else VOCAB)

    (file,) = Path(os.environ["SENTCLI_IMDB"]).rglob("test-*.parquet")
    texts = pq.read_table(file)["text"].to_pylist()
    size = LIMITS.window_chunks * 4096
    with closing(Workers(1)) as workers:
        engine = Engine(workers, encoder, backend, 512, 2, LIMITS.batch_tokens, LIMITS.batch_rows)
        for start in range(0, len(texts), size):
            Window(texts[start : start + size], engine).result()
    words = sum(int(lengths.sum()) for _, lengths in backend.batches)
    steps = sum(ids.size for ids, _ in backend.batches)
    assert len(texts) == 25_000
    assert 1 - words / steps <= 0.03


def test_of_a_phrase_the_two_words_are_counted(engine):
    phrases = Encoder(Vocab([*VOCAB.words, "a b"]))
    result = Window(["c", "a b a b c", "zzz"], replace(engine, encoder=phrases)).result()
    for of, start in ((result, 0), (result.part(1, 3), 1)):
        assert of.lengths.tolist() == [1, 3, 1][start:]
        assert of.words.tolist() == [1, 5, 1][start:]
        assert of.unknown.tolist() == [0, 0, 1][start:]


def test_while_its_texts_wait_to_be_encoded_a_window_is_neither_encoded_nor_done(engine):
    may_end = threading.Event()
    engine.workers.encode(may_end.wait, 20)
    window = Window(["a"], engine)
    assert not window.is_encoded
    assert not window.is_done
    may_end.set()
    assert window.result().lengths.tolist() == [1]
    assert window.is_encoded


def test_of_a_closed_window_no_text_is_encoded_any_more(engine, monkeypatch):
    encode, encoded, may_end = engine.encoder.encode, [], threading.Event()
    monkeypatch.setattr(engine.encoder, "encode", lambda texts: encoded.append([*texts]) or encode(texts))
    engine.workers.encode(may_end.wait, 20)
    Window(["a"], engine).close()
    may_end.set()
    Window(["b"], engine).result()
    assert encoded == [["b"]]


def test_of_a_closed_window_no_batch_is_run_any_more(engine, backend):
    may_end = threading.Event()
    window = Window(["a"], engine)
    while not window.is_encoded:
        time.sleep(0.001)
    engine.workers.run(may_end.wait, 20)
    window.start()
    window.close()
    may_end.set()
    Window(["b"], engine).result()
    assert [ids[:, 0].tolist() for ids, _ in backend.batches] == [[3]]


def test_copies_of_a_text_do_not_make_it_many_characters(engine, backend):
    Window(["a b c"] * _MANY, engine).result()
    assert backend.prepared_after == []
