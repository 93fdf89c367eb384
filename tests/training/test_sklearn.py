"""The scikit-learn estimator, on tiny models."""

import pickle
from pathlib import Path
from tempfile import gettempdir

import invented
import numpy as np
import pytest

pytest.importorskip("torch")

import pandas as pd
from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_checks

from sentcli import load
from sentcli.errors import RejectsError, SentcliError, UsageError
from sentcli.training import sklearn
from sentcli.training.sklearn import SentimentClassifier

TINY = {"hidden_size": 8, "embedding_dim": 12, "max_tokens": 40, "batch_size": 16, "lr": 0.02, "min_freq": 1}
TINY |= {"ema_decay": 0.9, "precision": "fp32"}
TEXTS, LABELS = map(list, zip(*invented.reviews(200, seed=1), strict=True))


def classifier(**parameters) -> SentimentClassifier:
    return SentimentClassifier(glove="none", settings=TINY, **{"epochs": 6, **parameters})


@pytest.fixture(scope="module")
def fitted() -> SentimentClassifier:
    return classifier().fit(TEXTS, LABELS)


@pytest.fixture(scope="module")
def folder(fitted, tmp_path_factory) -> Path:
    """The folder of the fitted model."""
    folder = tmp_path_factory.mktemp("model")
    for name, content in fitted.files_.items():
        (folder / name).write_bytes(content)
    return folder


def test_it_is_saved_and_loaded(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    loaded = SentimentClassifier.load(tmp_path / "model")
    assert loaded.get_params() == fitted.get_params()
    assert loaded.classes_.tolist() == fitted.classes_.tolist()
    texts = [*TEXTS[:9], None]
    assert np.array_equal(loaded.predict_proba(texts), fitted.predict_proba(texts))
    loaded.save(tmp_path / "model", overwrite=True)
    with load(tmp_path / "model") as scorer:
        assert scorer.labels == ("negative", "positive")


def test_a_model_of_the_command_line_is_loaded():
    loaded = SentimentClassifier.load("imdb-bilstm")
    assert loaded.predict(["an absolute joy", "dull and lifeless"]).tolist() == ["positive", "negative"]
    assert loaded.predict_proba([""]).tolist() == [[0.5, 0.5]]


def test_prediction_writes_no_file(fitted, monkeypatch):
    monkeypatch.setattr(sklearn, "TemporaryDirectory", None)
    assert len(fitted.predict(TEXTS[:3])) == 3


def test_weights_are_those_of_the_texts():
    """Every text also has the wrong label, with a weight of nearly nothing."""
    wrong = ["positive" if label == "negative" else "negative" for label in LABELS]
    weights = [1] * 200 + [1e-4] * 200
    found = classifier().fit(TEXTS * 2, LABELS + wrong, sample_weight=weights)
    assert found.score(TEXTS, LABELS) > 0.9
    share = LABELS.count("negative") / 200
    assert found.class_prior_ == pytest.approx([share, 1 - share], abs=1e-3)
    with pytest.raises(RejectsError, match=r"'-1\.0' is not a number of at least 0"):
        classifier().fit(TEXTS, LABELS, sample_weight=[-1] * 200)


def test_no_temporary_folder_is_named(caplog):
    with pytest.raises(SentcliError, match=r"^X and y: 7 different labels in 12 texts"):
        classifier().fit(TEXTS[:12], [*"abcdefgabcde"])
    classifier(epochs=1).fit([*TEXTS, TEXTS[0]], [*LABELS, "rare"])
    assert "X and y: " in caplog.text
    assert gettempdir() not in caplog.text


def test_predictions_are_those_of_its_model(fitted, folder):
    with load(folder) as scorer:
        expected = scorer.probabilities(TEXTS)
        assert scorer.labels == ("negative", "positive")
    assert fitted.classes_.tolist() == ["negative", "positive"]
    assert np.array_equal(fitted.predict_proba(TEXTS), expected)
    assert fitted.predict(TEXTS).tolist() == fitted.classes_[expected.argmax(axis=1)].tolist()
    assert fitted.score(TEXTS, LABELS) > 0.9


def test_an_empty_text_gets_the_shares_of_the_training_texts(fitted):
    shares = [LABELS.count(name) / len(LABELS) for name in ("negative", "positive")]
    assert fitted.predict_proba([None, "?", float("nan")]).tolist() == [shares] * 3
    assert fitted.predict([None])[0] == fitted.classes_[np.argmax(shares)]


def test_texts_and_labels_may_be_columns(fitted):
    again = classifier().fit(pd.Series(TEXTS), pd.Series(LABELS, dtype="category"))
    assert np.array_equal(again.predict_proba(np.array(TEXTS)), fitted.predict_proba(TEXTS))


@pytest.mark.parametrize(("first", "second"), [(2.0, -1.0), (True, False), ("neg", "pos")])
def test_classes_are_the_labels_as_they_were_given(first, second):
    labels = [first if name == "negative" else second for name in LABELS]
    found = classifier().fit(TEXTS, labels)
    assert found.classes_.tolist() == sorted([first, second])
    assert found.score(TEXTS, labels) > 0.9


def test_classes_may_differ_by_case_and_blanks_alone():
    names = {"negative": "fine ", "positive": "Fine"}
    fitted = classifier(epochs=2).fit(TEXTS, [names[label] for label in LABELS])
    assert fitted.classes_.tolist() == ["Fine", "fine "]
    assert fitted.predict_proba(TEXTS[:9]).sum(axis=1) == pytest.approx(1)


def test_three_classes():
    texts, labels = zip(*invented.reviews(150, seed=2, labels=invented.THREE), strict=True)
    found = classifier().fit(texts, labels)
    assert found.predict_proba(texts[:5]).shape == (5, 3)
    assert found.score(texts, labels) > 0.7


def test_a_model_can_be_the_start(folder):
    found = SentimentClassifier(finetune=folder, epochs=1).fit(TEXTS, LABELS)
    assert found.score(TEXTS, LABELS) > 0.9
    with pytest.raises(UsageError, match="embedding-dim 9"):
        SentimentClassifier(finetune=folder, settings={"embedding_dim": 9}).fit(TEXTS, LABELS)


def test_it_is_cloned_pickled_and_cross_validated(fitted):
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    assert not hasattr(copy, "classes_")
    again = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(again.predict_proba(TEXTS[:9]), fitted.predict_proba(TEXTS[:9]))
    pipeline = make_pipeline(FunctionTransformer(lambda texts: [text.lower() for text in texts]), copy)
    assert cross_val_score(pipeline, TEXTS, LABELS, cv=2).mean() > 0.7


@pytest.mark.parametrize(
    "check",
    [
        estimator_checks.check_do_not_raise_errors_in_init_or_set_params,
        estimator_checks.check_estimator_cloneable,
        estimator_checks.check_estimator_repr,
        estimator_checks.check_estimators_unfitted,
        estimator_checks.check_get_params_invariance,
        estimator_checks.check_mixin_order,
        estimator_checks.check_no_attributes_set_in_init,
        estimator_checks.check_parameters_default_constructible,
        estimator_checks.check_set_params,
        estimator_checks.check_valid_tag_types,
    ],
)
def test_checks_of_scikit_learn_that_need_no_numbers(check):
    check("SentimentClassifier", SentimentClassifier())


@pytest.mark.parametrize(
    ("texts", "labels", "kind", "message"),
    [
        (["a", "b"], ["x"], ValueError, "inconsistent numbers of samples"),
        (["a", 5], ["x", "y"], TypeError, r"texts\[1\] is 5"),
        ("a", ["x", "y"], TypeError, "texts is one string"),
        (["a", "b"], ["x", "x"], ValueError, "1 class"),
        (["a", "b", "c"], [0.0, 1.0, np.nan], ValueError, "no label .* for 1 of 3 texts"),
        (["a", "b", "c"], ["x", "y", None], ValueError, "no label .* for 1 of 3 texts"),
        (["a", "b"], [0.5, 1.25], ValueError, "Unknown label type: continuous"),
    ],
)
def test_what_cannot_be_learned_is_refused(texts, labels, kind, message):
    with pytest.raises(kind, match=message):
        classifier().fit(texts, labels)
