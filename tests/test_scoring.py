import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import invented
import numpy as np
import pandas as pd
import pytest

from sentcli import load, scoring
from sentcli.errors import BundleError, DataError, UsageError
from sentcli.scoring import Scorer, usable_cores

BLANK = (None, "", "   ", "\t\n", "<br />", ";:")
ODD = ("x", "Wonderful!", "ein Film für Zoë … wonderful", "dull " * 300, "ΣΑΣ", "🎬 warm", "\x00", "a.b.c")


@dataclass(frozen=True)
class Piece:
    texts: list[str | None]


@pytest.fixture(scope="module")
def texts():
    """Texts of all lengths in no order, blank ones among them."""
    made = [text for text, _ in invented.reviews(200, seed=5)] + [*ODD, *BLANK]
    random.Random(0).shuffle(made)
    return made


@pytest.fixture(scope="module")
def expected(trained, texts):
    with Scorer(trained, workers=1) as scorer:
        return scorer.score(texts)


@pytest.fixture
def scorer(trained):
    with Scorer(trained, workers=2) as scorer:
        yield scorer


def pairs(scores):
    return list(zip(scores.labels, scores.scores, strict=True))


def test_labels_and_scores_are_those_of_the_model(scorer):
    scores = scorer.score(["a wonderful, warm film", "a dreadful, dull film"])
    assert scores.labels == ["positive", "negative"]
    assert scores.scores[0] > 0.8
    assert scores.scores[1] < 0.2


def test_scores_come_in_the_order_of_the_texts(scorer, texts):
    for text, pair in zip(texts, pairs(scorer.score(texts)), strict=True):
        assert pair == pairs(scorer.score([text]))[0]


def test_of_two_classes_the_score_is_the_probability_of_the_second(scorer, texts):
    scores, probabilities = scorer.score(texts), scorer.probabilities(texts)
    for label, score, row in zip(scores.labels, scores.scores, probabilities, strict=True):
        if label is not None:
            assert score == row[1]
            assert label == scorer.labels[row.argmax()]


def test_of_three_classes_the_score_is_the_probability_of_the_predicted_one(trained_three):
    with Scorer(trained_three, workers=1) as scorer:
        made = [text for text, _ in invented.reviews(30, seed=6, labels=invented.THREE)]
        scores, probabilities = scorer.score([*made, None]), scorer.probabilities(made)
    assert set(scores.labels[:-1]) == set(invented.THREE)
    assert pairs(scores)[-1] == (None, None)
    for label, score, row in zip(scores.labels, scores.scores, probabilities, strict=False):
        assert label == scorer.labels[row.argmax()]
        assert score == row.max()


def test_a_blank_text_has_no_label_no_score_and_no_probabilities(scorer):
    mixed = ["warm", *BLANK, "dull"]
    scores, probabilities = scorer.score(mixed), scorer.probabilities(mixed)
    assert scores.labels == ["positive", *[None] * len(BLANK), "negative"]
    assert scores.scores[1:-1] == [None] * len(BLANK)
    assert scores.blank == len(BLANK)
    assert np.isnan(probabilities).all(axis=1).tolist() == [False, *[True] * len(BLANK), False]


def test_no_text_at_all_is_fine(scorer):
    for nothing in ([], list(BLANK)):
        scores = scorer.score(nothing)
        assert scores.labels == scores.scores == [None] * len(nothing)
        assert scorer.probabilities(nothing).shape == (len(nothing), 2)


def test_probabilities_add_up_to_one(scorer, texts):
    sums = scorer.probabilities([text for text in texts if text not in BLANK]).sum(axis=1)
    assert sums == pytest.approx(np.ones(len(sums)), abs=1e-12)


def test_words_unknown_words_and_long_texts_are_counted(scorer):
    max_tokens = scorer.bundle.config.text.max_tokens
    scores = scorer.score(["warm zzz qqq", "warm " * max_tokens, "zzz " * (max_tokens + 1), None])
    assert (scores.tokens, scores.unknown) == (3 + 2 * max_tokens + 1, 2 + max_tokens + 1)
    assert (scores.truncated, scores.blank) == (1, 1)


def test_the_middle_of_a_long_text_is_not_read(scorer):
    limit = scorer.bundle.config.text.max_tokens
    head, tail = "warm " * (limit // 4), "fine " * (limit - limit // 4)
    whole, one_more = head + tail, head + "dreadful " + tail
    assert pairs(scorer.score([whole])) == pairs(scorer.score([one_more]))


def test_a_single_string_is_refused_and_not_taken_for_its_characters(scorer):
    with pytest.raises(TypeError, match="list"):
        scorer.score("warm")


# The score of a text depends on the text and the model alone: to the last bit, here and below.


def test_alone_with_a_fresh_model_as_among_all_others(trained, texts, expected):
    """A fresh one answers its first small batches with a model of their words alone."""
    for text, pair in list(zip(texts, pairs(expected), strict=True))[:12]:
        with Scorer(trained, workers=1) as fresh:
            assert pairs(fresh.score([text])) == [pair]


def test_line_by_line_as_all_at_once(trained, texts, expected):
    """Its first batches are small ones, the later ones run on the whole model."""
    with Scorer(trained, workers=1) as fresh:
        assert [pairs(fresh.score([text]))[0] for text in texts] == pairs(expected)


@pytest.mark.parametrize("size", [2, 3, 7, 64])
def test_in_batches_of_any_size(trained, texts, expected, size):
    with Scorer(trained, workers=1) as fresh:
        scored = [
            pair
            for start in range(0, len(texts), size)
            for pair in pairs(fresh.score(texts[start : start + size]))
        ]
    assert scored == pairs(expected)


@pytest.mark.parametrize(("tokens", "rows"), [(1, 256), (97, 256), (1000, 3), (65_536, 1), (65_536, 10_000)])
def test_with_any_budget_of_a_batch(scorer, texts, expected, monkeypatch, tokens, rows):
    monkeypatch.setattr(scoring, "BATCH_TOKENS", tokens)
    monkeypatch.setattr(scoring, "BATCH_ROWS", rows)
    assert scorer.score(texts) == expected


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_with_any_number_of_workers(trained, texts, expected, workers):
    with Scorer(trained, workers=workers) as fresh:
        assert fresh.score(texts) == expected


def test_in_any_order(scorer, texts, expected):
    order = random.Random(1).sample(range(len(texts)), len(texts))
    shuffled = pairs(scorer.score([texts[row] for row in order]))
    assert shuffled == [pairs(expected)[row] for row in order]


def test_beside_long_neighbours(scorer, texts, expected):
    crowded = [neighbour for text in texts for neighbour in (text, "dreadful " * 5000)]
    assert pairs(scorer.score(crowded))[::2] == pairs(expected)


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


def test_for_three_classes_too(trained_three, texts):
    with Scorer(trained_three, workers=2) as scorer:
        together = pairs(scorer.score(texts))
        assert [pairs(scorer.score([text]))[0] for text in texts[:40]] == together[:40]


# Streams.


def test_a_stream_of_nothing_ends(scorer):
    assert list(scorer.stream([])) == []


def test_a_chunk_is_answered_before_the_next_one_comes(scorer):
    asked = threading.Event()
    answered_first = []

    def slow() -> Iterator[Piece]:
        yield Piece(["warm"])
        answered_first.append(asked.wait(timeout=5))
        yield Piece(["dull"])

    stream = scorer.stream(slow())
    assert next(stream)[1].labels == ["positive"]
    asked.set()
    assert next(stream)[1].labels == ["negative"]
    assert answered_first == [True]


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
    assert 2 <= max(ahead) <= 2 * scoring._CHUNKS_AHEAD + 1


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
    assert time.monotonic() - started < 2
    more.set()


def test_leaving_a_scorer_ends_its_threads(trained, texts):
    with Scorer(trained, workers=3) as scorer:
        scorer.score(texts)
        assert any(thread.name.startswith("sentcli-worker") for thread in threading.enumerate())
    assert not any(thread.name.startswith("sentcli-worker") for thread in threading.enumerate())


def reader_threads():
    return [thread for thread in threading.enumerate() if thread.name == "sentcli-reader"]


# Opening.


def test_load_opens_a_folder_or_a_file_in_it(trained, texts, expected):
    for model in (str(trained.path), trained.path, trained.path / "model.onnx"):
        with load(model, workers=1) as scorer:
            assert scorer.backend == "onnx"
            assert scorer.score(texts) == expected


def test_load_takes_another_backend(trained, texts, expected):
    with load(trained.path, backend="torch", device="cpu") as scorer:
        assert scorer.backend == "torch"
        scores = scorer.score(texts)
    assert scores.labels == expected.labels
    for one, other in zip(scores.scores, expected.scores, strict=True):
        assert one == (other if other is None else pytest.approx(other, abs=1e-5))


def test_load_refuses_what_is_no_model(tmp_path):
    with pytest.raises(BundleError, match="no such model"):
        load(tmp_path / "nothing")
    with pytest.raises(BundleError, match=r"manifest\.json"):
        load(tmp_path)


def test_load_refuses_options_that_do_not_go_together(trained):
    with pytest.raises(UsageError, match="cuda"):
        load(trained.path, backend="onnx", device="cuda")


@pytest.mark.parametrize(
    ("quota", "cores"),
    [
        (None, 8),
        ("max 100000\n", 8),
        ("150000 100000\n", 2),
        ("50000 100000\n", 1),
        ("900000 100000\n", 8),
        ("", 8),
        ("what is this", 8),
        ("1 0\n", 8),
    ],
)
def test_usable_cores_are_those_of_affinity_and_quota(monkeypatch, tmp_path, quota, cores):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setattr(scoring, "_CPU_QUOTA", tmp_path / "cpu.max")
    if quota is not None:
        (tmp_path / "cpu.max").write_text(quota)
    assert usable_cores() == cores


# Data frames.


def test_a_frame_gets_two_columns_and_keeps_all_else(scorer):
    frame = pd.DataFrame({"id": ["001", "NA", "1e5"], "review": ["warm", None, "dull"]}, index=[7, 7, -1])
    before = frame.copy()
    scored = scorer.score_frame(frame)
    pd.testing.assert_frame_equal(frame, before)
    pd.testing.assert_frame_equal(scored[["id", "review"]], before)
    assert list(scored.columns) == ["id", "review", "sentiment", "sentiment_score"]
    assert scored["sentiment"].dropna().tolist() == ["positive", "negative"]
    assert scored[["sentiment", "sentiment_score"]].isna().to_numpy().tolist() == [
        [False] * 2,
        [True] * 2,
        [False] * 2,
    ]
    alone = scorer.score(["warm", "dull"]).scores
    assert scored["sentiment_score"].dropna().tolist() == alone


def test_a_frame_may_call_its_columns_anything(scorer):
    frame = pd.DataFrame({"sentiment": ["?"], "words of mine": ["warm"]})
    scored = scorer.score_frame(frame, "words of mine", prefix="my_")
    assert list(scored.columns) == ["sentiment", "words of mine", "my_sentiment", "my_sentiment_score"]


def test_an_empty_frame_stays_empty(scorer):
    scored = scorer.score_frame(pd.DataFrame({"text": pd.Series([], dtype=object)}), "text")
    assert list(scored.columns) == ["text", "sentiment", "sentiment_score"]
    assert len(scored) == 0


@pytest.mark.parametrize(
    ("columns", "wanted", "message"),
    [
        ({"text": ["a"]}, "nope", "nope.*'text'"),
        ({"stars": [1, 2]}, None, "which column"),
        ({"stars": [1, 2], "text": ["a", "b"]}, "stars", "does not hold texts"),
        ({"text": ["a", 1]}, "text", "does not hold texts"),
        ({"text": ["a"], "sentiment": ["b"]}, "text", "sentiment"),
    ],
)
def test_a_frame_without_a_column_of_texts_or_room_is_refused(scorer, columns, wanted, message):
    with pytest.raises(DataError, match=message):
        scorer.score_frame(pd.DataFrame(columns), wanted)


def test_a_frame_with_the_text_column_twice_is_refused(scorer):
    frame = pd.DataFrame([["a", "b"]], columns=["text", "text"])
    with pytest.raises(DataError, match="twice"):
        scorer.score_frame(frame, "text")
