import math
from dataclasses import replace
from types import SimpleNamespace

import invented
import numpy as np
import pyarrow as pa
import pytest
from texts import BLANK, pairs

from sentcli import load
from sentcli.errors import UsageError
from sentcli.scoring.scorer import Scorer


def test_labels_and_scores_are_those_of_the_model(scorer):
    scores = scorer.score(["a wonderful, warm film", "a dreadful, dull film"])
    assert scores.labels == ["positive", "negative"]
    positive, negative = scores.scores
    assert negative < 0.5 < positive


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
    assert scores.counts.blank == len(BLANK)
    assert np.isnan(probabilities).all(axis=1).tolist() == [False, *[True] * len(BLANK), False]


def test_an_empty_text_has_no_label_and_no_score(scorer):
    nulls, unknown = ["NULL", " n/a", "NaN", "-", "None"], ["zzz", "👍", "4711", "哈哈!", "zzz 👍 ..."]
    texts = ["warm", *nulls, *unknown, "warm zzz qqq"]
    scores = scorer.score(texts)
    assert [label is None for label in scores.labels] == [False, *[True] * 10, False]
    assert [score is None for score in scores.scores] == [False, *[True] * 10, False]
    assert (scores.counts.blank, scores.counts.no_known_word, scores.counts.other_language) == (5, 5, 6)
    for text in texts:
        assert pairs(scorer.score([text])) == [pairs(scores)[texts.index(text)]]


def test_the_null_values_can_be_set(trained):
    with load(trained.path, workers=1, null_values=["warm"]) as scorer:
        assert scorer.score(["Warm ", "warm film"]).counts.blank == 1
        assert scorer.fingerprint["null_values"] == ["warm"]
    with load(trained.path, workers=1, null_values=()) as scorer:
        assert scorer.score(["N/A", "warm"]).counts.blank == 0


def test_no_text_at_all_is_fine(scorer):
    for nothing in ([], list(BLANK)):
        scores = scorer.score(nothing)
        assert scores.labels == scores.scores == [None] * len(nothing)
        assert scorer.probabilities(nothing).shape == (len(nothing), 2)


def test_words_unknown_words_and_long_texts_are_counted(scorer):
    max_tokens = scorer.bundle.config.text.max_tokens
    scores = scorer.score(["warm zzz qqq", "warm " * max_tokens, "warm " + "zzz " * max_tokens, None])
    assert (scores.counts.tokens, scores.counts.unknown) == (3 + 2 * max_tokens + 1, 2 + max_tokens)
    assert (scores.counts.truncated, scores.counts.blank) == (1, 1)


def test_the_middle_of_a_long_text_is_not_read(scorer):
    limit = scorer.bundle.config.text.max_tokens
    head, tail = "warm " * (limit // 4), "fine " * (limit - limit // 4)
    whole, one_more = head + tail, head + "dreadful " + tail
    assert pairs(scorer.score([whole])) == pairs(scorer.score([one_more]))


def test_a_single_string_is_refused_and_not_taken_for_its_characters(scorer):
    with pytest.raises(TypeError, match="list"):
        scorer.score("warm")


@pytest.mark.parametrize("texts", [b"warm", {"text": "warm"}, pa.table({"text": ["warm"]})])
def test_what_would_give_its_names_is_refused(scorer, texts):
    with pytest.raises(TypeError, match=f"of the type {type(texts).__name__}; pass a list or a column"):
        scorer.score(texts)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["warm", 5], r"texts\[1\] is 5 \(int\); pass strings, and None for no text"),
        ([1.5], r"texts\[0\] is 1.5 \(float\)"),
        (np.array([["warm"]]), r"texts\[0\] is array\(\['warm'\]"),
        (pa.array([None, 5]), r"texts\[1\] is 5 \(int\)"),
        (["warm", None, b"dull"], r"texts\[2\] is b'dull' \(bytes\)"),
        ([["warm"] * 1000], r"texts\[0\] is \['warm', .{0,100} \(list\)"),
    ],
)
def test_what_is_no_text_is_refused_by_its_place(scorer, texts, message):
    for call in (scorer.score, scorer.probabilities):
        with pytest.raises(TypeError, match=message):
            call(texts)


def test_what_is_no_text_is_refused_in_a_stream_after_the_chunks_before_it(scorer):
    chunks = (SimpleNamespace(texts=texts) for texts in (["warm"], [1.5], ["dull"]))
    stream = scorer.stream(chunks)
    assert next(stream)[1].labels == scorer.score(["warm"]).labels
    with pytest.raises(TypeError, match=r"texts\[0\] is 1.5"):
        next(stream)
    assert len([*scorer.stream(SimpleNamespace(texts=["warm"]) for _ in range(2))]) == 2


def test_texts_may_come_in_any_iterable(scorer):
    expected = scorer.score(["warm", None, "dull"])
    assert scorer.score(text for text in ("warm", None, "dull")) == expected


@pytest.mark.parametrize("missing", [None, math.nan, np.float64("nan")], ids=repr)
def test_a_missing_text_is_blank(scorer, missing):
    expected = scorer.score(["warm", None])
    assert scorer.score(["warm", missing]) == expected
    assert scorer.score(np.array(["warm", missing], object)) == expected


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())], ids=str
)
def test_texts_may_be_a_column_of_pyarrow(scorer, kind):
    column = pa.array(["warm", None, "dull"], kind)
    for texts in (column, pa.chunked_array([column.slice(0, 1), column.slice(1)])):
        assert scorer.score(texts) == scorer.score(["warm", None, "dull"])
    assert scorer.score(pa.nulls(1)).labels == [None]


def test_texts_may_be_an_array_of_numpy(scorer):
    of_strings = np.array(["warm", math.nan], np.dtypes.StringDType(na_object=math.nan))
    assert scorer.score(of_strings) == scorer.score(["warm", None])
    assert scorer.score(np.array(["warm", "dull"])) == scorer.score(["warm", "dull"])


def test_texts_may_be_a_column_of_polars(scorer):
    polars = pytest.importorskip("polars")
    for kind in (polars.String, polars.Categorical):
        column = polars.Series(["warm", None, "dull"], dtype=kind)
        assert scorer.score(column) == scorer.score(["warm", None, "dull"])


def test_scores_have_a_length_are_pairs_and_print_short(scorer):
    scores = scorer.score(["warm", None, "dull"] * 500)
    assert len(scores) == 1500
    assert [*scores] == [*zip(scores.labels, scores.scores, strict=True)]
    first = [*zip(scores.labels, scores.scores, strict=True)][:3]
    assert repr(scores) == f"<Scores of 1,500 texts, the first {first}>"
    assert repr(scorer.score([])) == "<Scores of 0 texts, the first []>"


def test_load_opens_a_folder_or_a_file_in_it(trained, texts, expected):
    for model in (str(trained.path), trained.path, trained.path / "model.onnx"):
        with load(model, workers=1) as scorer:
            assert scorer.backend == "onnx"
            assert scorer.score(texts) == expected


def test_load_knows_the_included_model_by_its_name(trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with load("imdb-bilstm") as scorer, load() as other:
        assert scorer.fingerprint == other.fingerprint
    (tmp_path / "imdb-bilstm").symlink_to(trained.path)
    with load("imdb-bilstm") as scorer:
        assert scorer.bundle.digest == trained.digest


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"neutral": (0.7, 0.3)}, r"^neutral 0.7,0.3: two .* such as 0.3,0.7$"),
        ({"neutral": True}, r"^neutral: the model trained has no neutral band; .* 0.3,0.7$"),
        ({"precision": "bf16"}, "^precision='bf16' is for backend='torch', not for onnx$"),
        ({"device": "cuda"}, "try backend='torch' device='cuda'$"),
        ({"workers": 0}, "^workers is 0"),
    ],
)
def test_errors_of_load_name_its_arguments(trained, options, message):
    with pytest.raises(UsageError, match=message):
        load(trained.path, **({"backend": "onnx"} | options))


@pytest.mark.usefixtures("torch")
def test_load_takes_another_backend(trained, texts, expected):
    with load(trained.path, backend="torch", device="cpu") as scorer:
        assert scorer.backend == "torch"
        scores = scorer.score(texts)
    assert scores.labels == expected.labels
    for one, other in zip(scores.scores, expected.scores, strict=True):
        assert one == (other if other is None else pytest.approx(other, abs=1e-5))


def test_what_lies_in_the_band_is_neutral_and_keeps_its_score(trained, texts, expected):
    ranked = sorted(score for score in expected.scores if score is not None)
    low, high = ranked[len(ranked) // 3], ranked[2 * len(ranked) // 3]
    banded = replace(trained, config=replace(trained.config, neutral=(low, high)))
    with (
        load(trained.path, workers=1, neutral=(low, high)) as scorer,
        Scorer(banded, workers=1, neutral=True) as own,
    ):
        found = scorer.score(texts)
        assert own.score(texts) == found
        assert scorer.given_labels == ["negative", "neutral", "positive"]
    assert found.scores == expected.scores
    assert found.labels == [
        label if score is None or not low <= score <= high else "neutral"
        for label, score in zip(expected.labels, expected.scores, strict=True)
    ]
    assert {None, "neutral", "negative", "positive"} == set(found.labels)


def test_a_band_divides_the_labels_also_where_it_leaves_out_a_half(trained, texts, expected):
    with Scorer(trained, workers=1, neutral=(0.9, 0.9)) as scorer:
        labels = scorer.score(texts).labels
    for label, score in zip(labels, expected.scores, strict=True):
        assert label == (None if score is None else "negative" if score < 0.9 else "positive")


@pytest.mark.parametrize(
    ("labels", "neutral", "message"),
    [
        (("bad", "good"), True, "the model trained has no neutral band; give two numbers, such as 0.3,0.7"),
        (("bad", "neutral"), (0.4, 0.6), "the model trained has the labels bad, neutral"),
        (("a", "b", "c"), True, "the model trained has the labels a, b, c"),
    ],
)
def test_a_model_that_cannot_have_a_band(trained, labels, neutral, message):
    shape = replace(trained.config.model, num_classes=len(labels))
    bundle = replace(trained, config=replace(trained.config, model=shape, labels=labels))
    with pytest.raises(UsageError, match=message):
        Scorer(bundle, workers=1, neutral=neutral)


def test_of_phrases_the_words_are_counted():
    with load() as scorer:
        texts = ["not a joy . the end"]
        assert len(scorer._inference._encoder.encode(texts).ids) < 6
        assert scorer.score(texts).counts.tokens == 6


def test_the_probabilities_of_all_labels_are_returned_where_they_are_wanted(trained_three):
    made = [text for text, _ in invented.reviews(9, seed=6, labels=invented.THREE)]
    with load(trained_three.path, workers=1, probabilities=True) as scorer:
        scores, expected = scorer.score([*made, None]), scorer.probabilities(made)
    assert [column[-1] for column in scores.probabilities] == [None] * 3
    assert np.array([column[:-1] for column in scores.probabilities]).T.tolist() == expected.tolist()
    with load(trained_three.path, workers=1) as scorer:
        plain = scorer.score([*made, None])
    assert plain == replace(scores, probabilities=[])


def test_the_share_of_unknown_words_leaves_out_marks():
    texts = [
        "Das furchtbare Essen, das!",
        "a joy: zqxwy, but a joy",
        "a joy",
        "zqxwy",
        "... 12",
        "",
        None,
        "👍",
    ]
    expected = [0.5, 1 / 6, 0.0, 1.0, None, None, None, 0.0]
    with load(workers=1) as scorer:
        assert scorer.score(texts).unknown == expected
        assert [scorer.score([text]).unknown[0] for text in texts] == expected
        assert scorer.score([*texts, "a long text " * 40_000]).unknown == [*expected, 0.0]


def test_texts_with_a_larger_share_of_unknown_words_get_no_label(trained):
    texts = ["warm zzz", "warm zzz qqq", "zzz", None]
    with load(trained.path, workers=1, null_unknown=0.5, probabilities=True, unknown_words=True) as scorer:
        scores = scorer.score(texts)
        assert [label is None for label in scores.labels] == [False, True, True, True]
        assert [score is None for score in scores.scores] == [False, True, True, True]
        assert [number is None for number in scores.probabilities[0]] == [False, True, True, True]
        counts = scores.counts
        assert (counts.too_unknown, counts.no_known_word, counts.blank, counts.other_language) == (1, 1, 1, 3)
        assert (scorer.fingerprint["null_unknown"], scorer.fingerprint["unknown_words"]) == (0.5, True)
        table = scorer.score_arrow(pa.table({"text": texts}))
        assert table["sentiment_unknown"].to_pylist() == [0.5, 0.666667, 1.0, None]


def test_a_text_whose_labels_are_all_improbable_has_a_score_alone(trained_three):
    texts = ["warm wonderful", "film", "dull plain warm", None]
    with load(trained_three.path, workers=1, probabilities=True) as plain:
        scores = plain.score(texts)
        least = sorted(filter(None, scores.scores))[1]
    with load(trained_three.path, workers=1, probabilities=True, min_score=least) as scorer:
        found = scorer.score(texts)
        assert scorer.fingerprint["min_score"] == least
    assert (found.scores, found.probabilities) == (scores.scores, scores.probabilities)
    expected = [label if score and score >= least else None for label, score in scores]
    assert found.labels == expected
    assert (found.counts.unsure, found.counts.blank, found.counts.labels.total()) == (1, 1, 2)
