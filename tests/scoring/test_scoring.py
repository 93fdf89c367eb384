import math
from dataclasses import replace

import invented
import numpy as np
import pandas as pd
import pytest
import torch
from texts import BLANK, pairs

from sentcli import load, scoring
from sentcli.errors import BundleError, DataError, UsageError
from sentcli.model import has_lstm
from sentcli.scoring import Scorer


def test_labels_and_scores_are_those_of_the_model(scorer):
    scores = scorer.score(["a wonderful, warm film", "a dreadful, dull film"])
    assert scores.labels == ["positive", "negative"]
    positive, negative = scores.scores
    assert negative < 0.5 < positive


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


@pytest.mark.parametrize("texts", [b"warm", {"text": "warm"}, pd.DataFrame({"text": ["warm"]})])
def test_what_would_give_its_names_is_refused(scorer, texts):
    with pytest.raises(TypeError, match=f"of the type {type(texts).__name__}; give a list of strings"):
        scorer.score(texts)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["warm", 5], r"texts\[1\] is 5 \(int\); give strings, and None for no text"),
        ([math.nan], r"texts\[0\] is nan \(float\)"),
        (["warm", None, b"dull"], r"texts\[2\] is b'dull' \(bytes\)"),
        ([["warm"] * 1000], r"texts\[0\] is \['warm', .{0,100} \(list\)"),
    ],
)
def test_what_is_no_text_is_refused_by_its_place(scorer, texts, message):
    for call in (scorer.score, scorer.probabilities):
        with pytest.raises(TypeError, match=message):
            call(texts)


def test_texts_may_come_in_any_iterable(scorer):
    expected = scorer.score(["warm", None, "dull"])
    assert scorer.score(text for text in ("warm", None, "dull")) == expected
    assert scorer.score(np.array(["warm", None, "dull"], object)) == expected


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


@pytest.mark.skipif(not has_lstm(torch.bfloat16), reason="no bf16 on this processor")
def test_load_takes_another_precision(trained, texts, expected):
    with load(trained.path, backend="torch", device="cpu", precision="bf16") as scorer:
        assert scorer.backend == "torch bf16"
        scores = scorer.score(texts).scores
    assert scores != expected.scores
    for score, wanted in zip(scores, expected.scores, strict=True):
        assert score == (None if wanted is None else pytest.approx(wanted, abs=0.05))


def test_a_backend_that_wants_larger_batches_gets_them(trained, monkeypatch):
    rows = []

    def counted(ids, lengths):
        rows.append(len(ids))
        return np.zeros((len(ids), 2), np.float32)

    for factor in (1, 3):
        with Scorer(trained, workers=1) as scorer:
            monkeypatch.setattr(scorer._backend, "batch_factor", factor)
            monkeypatch.setattr(scorer._backend, "logits", counted)
            scorer.score([f"text {number}" for number in range(3 * scoring.BATCH_ROWS)])
    assert rows == [scoring.BATCH_ROWS] * 3 + [3 * scoring.BATCH_ROWS]


def test_load_refuses_what_is_no_model(tmp_path):
    with pytest.raises(BundleError, match="no such model"):
        load(tmp_path / "nothing")
    with pytest.raises(BundleError, match=r"manifest\.json"):
        load(tmp_path)


def test_load_refuses_options_that_do_not_go_together(trained):
    with pytest.raises(UsageError, match="cuda"):
        load(trained.path, backend="onnx", device="cuda")
    for workers in (0, -1):
        with pytest.raises(UsageError, match=f"workers is {workers}"):
            load(trained.path, workers=workers)


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


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA, pd.NaT])
@pytest.mark.parametrize("dtype", [object, "string"])
def test_a_missing_text_of_a_frame_is_blank(scorer, missing, dtype):
    scored = scorer.score_frame(pd.DataFrame({"text": pd.Series(["warm", missing], dtype=dtype)}))
    assert scored["sentiment"].isna().tolist() == [False, True]


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
        ({"text": ["a", None, 1]}, "text", r"does not hold texts alone: it has 1 \(int\); give strings"),
        ({"text": ["a", 5]}, None, r"'text' does not hold texts alone: it has 5 \(int\).*--text-column"),
        (
            {"review": ["a", 5], "title": ["b", "c"]},
            None,
            r"'review' does not hold texts alone: it has 5 \(int\)",
        ),
        ({"text": ["a", ["b"]]}, "text", r"it has \['b'\] \(list\)"),
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


def test_columns_of_several_levels_are_refused(scorer):
    levels = pd.MultiIndex.from_tuples([("text", ""), ("sentiment", "")])
    frame = pd.DataFrame([["good", 1]], columns=levels)
    for wanted in (None, "text", ("text", "")):
        with pytest.raises(DataError, match="the columns have 2 levels"):
            scorer.score_frame(frame, wanted)


def test_of_columns_that_come_twice_each_is_looked_at(scorer):
    frame = pd.DataFrame([["warm", 1, "x"]], columns=["text", "id", "id"])
    assert scorer.score_frame(frame)["sentiment"].tolist() == ["positive"]
    with pytest.raises(DataError, match="which column"):
        scorer.score_frame(pd.DataFrame([["warm", 1, 2]], columns=["words", "words", "id"]))


def test_what_lies_in_the_band_is_uncertain_and_keeps_its_score(trained, texts, expected):
    ranked = sorted(score for score in expected.scores if score is not None)
    low, high = ranked[len(ranked) // 3], ranked[2 * len(ranked) // 3]
    with load(trained.path, workers=1, uncertain=(low, high)) as scorer:
        found = scorer.score(texts)
    assert found.scores == expected.scores
    assert found.labels == [
        label if score is None or not low <= score <= high else "uncertain"
        for label, score in zip(expected.labels, expected.scores, strict=True)
    ]
    assert {None, "uncertain", "negative", "positive"} == set(found.labels)


def test_of_three_classes_uncertain_is_what_has_a_low_score(trained_three):
    made = [text for text, _ in invented.reviews(30, seed=6, labels=invented.THREE)]
    with Scorer(trained_three, workers=1) as scorer:
        plain = scorer.score(made)
    limit = sorted(plain.scores)[10]
    with Scorer(trained_three, workers=1, uncertain=(0, limit)) as scorer:
        found = scorer.score(made)
    assert found.scores == plain.scores
    assert [label == "uncertain" for label in found.labels] == [score <= limit for score in plain.scores]
    assert sum(label == "uncertain" for label in found.labels) >= 11


def test_a_band_that_is_none_is_refused(trained):
    with pytest.raises(UsageError, match="--uncertain"):
        Scorer(trained, uncertain=(0.7, 0.3))


def test_a_model_with_a_class_called_uncertain_has_no_room_for_another(trained):
    config = replace(trained.config, labels=("certain", "uncertain"))
    bundle = replace(trained, config=config)
    with Scorer(bundle, workers=1) as scorer:
        assert set(scorer.score(["warm", "dull"]).labels) == {"certain", "uncertain"}
    with pytest.raises(UsageError, match="trained has a label 'uncertain' of its own"):
        Scorer(bundle, workers=1, uncertain=(0.4, 0.6))
