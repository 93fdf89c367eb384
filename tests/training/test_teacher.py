"""The teacher: how its members are weighted, and which texts and passages it labels."""

import shutil
from dataclasses import replace

import invented
import numpy as np
import pandas as pd
import pytest

from sentcli.config import DataSet, ModelConfig, SelfTrainingConfig, TextConfig, TrainConfig
from sentcli.errors import DataError
from sentcli.evaluation.labels import LabeledTexts
from sentcli.evaluation.metrics import log_loss
from sentcli.evaluation.training_data import read_data_sets
from sentcli.training.corpus import DataSource, Texts, read_texts
from sentcli.training.self_training.teacher import (
    StackedEnsemble,
    check_labels,
    classify_by_ngrams,
    label,
    load_teachers,
)
from sentcli.training.settings import NO_VECTORS, Settings

SETTINGS = Settings(
    TextConfig(max_tokens=40), ModelConfig(vocab_size=2), TrainConfig(), device="cpu", threads=1, quiet=True
)
PLAN = SelfTrainingConfig(passage_sentences=1)


@pytest.fixture(scope="module")
def texts(tmp_path_factory) -> Texts:
    folder = tmp_path_factory.mktemp("data")
    few = invented.write_csv(folder / "few.csv", invented.reviews(60, seed=11))
    heap = folder / "heap.csv"
    pd.DataFrame({"review": [text for text, _ in invented.reviews(100, seed=12)]}).to_csv(heap, index=False)
    source = DataSource((DataSet(str(few)),), NO_VECTORS, str(heap))
    return read_texts(source, *read_data_sets(source.data), 0.1)


@pytest.fixture
def say(texts, trained):
    """Label with some settings changed."""
    return lambda **changes: label(texts, {"trained": trained}, SETTINGS, replace(PLAN, **changes))


def opinions(labels: np.ndarray, classes: int, share: float, seed: int) -> np.ndarray:
    """Probabilities that favour the label in a share of the texts, and another class in the rest."""
    draw = np.random.default_rng(seed)
    wrong = (labels + draw.integers(1, classes, len(labels))) % classes
    said = np.where(draw.random(len(labels)) < share, labels, wrong)
    values = draw.uniform(0.1, 0.5, (len(labels), classes))
    values[np.arange(len(labels)), said] += 1
    return values / values.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("classes", [2, 3])
def test_together_they_are_better_than_the_best_of_them(classes):
    labels = np.random.default_rng(0).integers(0, classes, 1200)
    members = {name: opinions(labels, classes, 0.8, seed) for seed, name in enumerate("abc")}
    members["noise"] = opinions(labels, classes, 1 / classes, 9)
    ensemble = StackedEnsemble(labels[:600], {name: values[:600] for name, values in members.items()})
    together = ensemble.probabilities({name: values[600:] for name, values in members.items()})
    assert together.sum(axis=1) == pytest.approx(np.ones(600), abs=1e-5)
    alone = max((values[600:].argmax(axis=1) == labels[600:]).mean() for values in members.values())
    accuracy = (together.argmax(axis=1) == labels[600:]).mean()
    assert accuracy > alone + 0.03
    # Its own figures are of texts that the weights were not fitted to.
    assert ensemble.reached["validation_accuracy"] == pytest.approx(accuracy, abs=0.04)
    assert ensemble.reached["validation_loss"] == pytest.approx(log_loss(labels[600:], together), abs=0.1)


@pytest.mark.parametrize("labels", [[0, 1] * 30, [0, 1], [0, 0, 0, 1]])
def test_a_member_that_is_sure_and_wrong_breaks_nothing(labels):
    labels = np.array(labels)
    sure = np.eye(2)[labels]
    sure[0] = sure[0, ::-1]
    together = StackedEnsemble(labels, {"sure": sure}).probabilities({"sure": sure})
    assert np.isfinite(together).all()
    assert together.argmax(axis=1)[1:].tolist() == labels[1:].tolist()


def test_ngrams_learn_from_labels():
    texts = ["it was not good", "it was not bad", "it was bad", "it was good"] * 20
    probabilities = classify_by_ngrams(texts, np.array([0, 1, 0, 1] * 20), [*texts[:4], "unknown", ""])
    assert probabilities.argmax(axis=1)[:4].tolist() == [0, 1, 0, 1]
    assert probabilities[4:] == pytest.approx(np.full((2, 2), 0.5), abs=0.1)


def test_teachers_have_other_classes_or_names(trained, tmp_path):
    check_labels(trained, ["negative", "positive"])
    with pytest.raises(DataError, match=r"trained.*negative, positive.*the data has bad, good"):
        check_labels(trained, ["bad", "good"])
    for folder in ("one/same", "two/same", "n-grams"):
        shutil.copytree(trained.path, tmp_path / folder)
    names = [str(tmp_path / folder) for folder in ("one/same", "auto", "two/same", "n-grams", "one/same")]
    assert [*load_teachers([name if "auto" not in name else "auto" for name in names])] == [
        *("same", "same (2)", "n-grams (2)")
    ]


def test_a_share_of_a_passage_s_label_is_that_of_its_text(texts, say):
    alone, half, context = (say(passage_context=share) for share in (0.0, 0.5, 1.0))
    assert alone.texts == half.texts == context.texts
    whole = len(texts.unlabeled)
    assert (half.targets[:whole] == alone.targets[:whole]).all()
    mean = (alone.targets[whole:] + context.targets[whole:]) / 2
    assert half.targets[whole:] == pytest.approx(mean, abs=1e-6)
    every = [*texts.train.texts, *texts.unlabeled]
    of_train = np.eye(2)[[texts.labels.index(name) for name in texts.train.labels]]
    said = [*of_train, *alone.targets[:whole]]
    for passage, target in zip(half.texts[whole:], context.targets[whole:], strict=True):
        assert any(
            passage in text and np.allclose(target, of, atol=1e-6)
            for text, of in zip(every, said, strict=True)
        )


def test_without_a_network_no_passages_are_cut(texts):
    said = label(texts, {}, SETTINGS, PLAN)
    assert (said.passages, said.texts) == (0, texts.unlabeled)
    truth = np.array([invented.TWO.index(name) for _, name in invented.reviews(100, seed=12)])
    assert (said.targets.argmax(1) == truth).mean() > 0.7


def test_a_fraction_of_passages_is_a_share_of_the_texts(texts, say):
    count = len(texts.train) + len(texts.unlabeled)
    for plan, passages in (
        ({"passages": 0.5}, round(0.5 * count)),
        ({"passages": 1.25}, count + round(0.25 * count)),
    ):
        assert 0.9 * passages <= say(**plan).passages <= passages  # a few are the same as validation texts


def test_a_passage_that_is_a_validation_text_is_left_out(texts, trained):
    held_out = LabeledTexts([f" {text.upper()}" for text in texts.train.texts], texts.train.labels)
    plan = replace(PLAN, passage_sentences=1000)
    said = label(replace(texts, validation=held_out), {"trained": trained}, SETTINGS, plan)
    passages = {text.lower().strip() for text in said.texts[len(texts.unlabeled) :]}
    assert not passages & {text.lower().strip() for text in held_out.texts}
