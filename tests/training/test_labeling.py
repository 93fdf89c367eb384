"""What a teacher says, and what it does only once."""

from dataclasses import replace

import invented
import numpy as np
import pandas as pd
import pytest

from sentcli.config import ModelConfig, SelfTrainingConfig, TextConfig, TrainConfig
from sentcli.evaluation.labels import LabeledTexts, label_ids
from sentcli.evaluation.metrics import log_loss
from sentcli.model.bundle import load_bundle
from sentcli.scoring.predict import predict
from sentcli.training.corpus import DataSource, Texts, read_labeled, read_texts
from sentcli.training.self_training import labels as labeling
from sentcli.training.self_training.labels import label
from sentcli.training.settings import NO_VECTORS, Settings

SETTINGS = Settings(
    text=TextConfig(max_tokens=40),
    model=ModelConfig(vocab_size=2),
    config=TrainConfig(),
    device="cpu",
    threads=1,
    quiet=True,
)
PLAN = SelfTrainingConfig(passage_sentences=1, document_vectors=8)


@pytest.fixture(scope="module")
def texts(tmp_path_factory) -> Texts:
    folder = tmp_path_factory.mktemp("data")
    few = invented.write_csv(folder / "few.csv", invented.reviews(60, seed=11))
    heap = folder / "heap.csv"
    pd.DataFrame({"review": [text for text, _ in invented.reviews(100, seed=12)]}).to_csv(heap, index=False)
    source = DataSource(str(few), None, None, NO_VECTORS, str(heap))
    return read_texts(source, read_labeled(source), 0.1)


@pytest.fixture
def say(texts, trained, tmp_path):
    """Label with some parts of the plan changed."""
    bundles = {"trained": load_bundle(trained.path)}
    return lambda **changes: label(texts, bundles, SETTINGS, replace(PLAN, **changes), 1, tmp_path)


def test_a_share_of_a_passage_s_label_is_that_of_its_text(texts, say):
    alone, half, context = (say(passage_context=share) for share in (0.0, 0.5, 1.0))
    whole = np.flatnonzero(~half.is_passage)
    passages = np.flatnonzero(half.is_passage)
    assert alone.texts == half.texts == context.texts
    assert (context.targets[whole] == alone.targets[whole]).all()
    assert half.targets[passages] == pytest.approx(
        (alone.targets[passages] + context.targets[passages]) / 2, abs=1e-6
    )
    every = [*texts.train.texts, *texts.unlabeled]
    said = [*np.eye(2)[[texts.labels.index(name) for name in texts.train.labels]], *alone.targets[whole]]
    for row in passages:
        assert any(
            half.texts[row] in text and np.allclose(context.targets[row], of, atol=1e-6)
            for text, of in zip(every, said, strict=True)
        )


def test_without_a_model_no_passage_is_cut_and_it_is_said(texts, tmp_path, caplog):
    with caplog.at_level("INFO", "sentcli"):
        said = label(texts, {}, SETTINGS, PLAN, 1, tmp_path)
    assert not said.is_passage.any()
    assert said.notes["plan"]["passages"] == 0
    assert "no passages are cut" in caplog.text
    caplog.clear()
    with caplog.at_level("INFO", "sentcli"):
        label(texts, {}, SETTINGS, replace(PLAN, passages=0.0), 1, tmp_path)
    assert "passages" not in caplog.text


def test_who_labels_passages_is_weighed_on_passages(texts, trained, tmp_path, monkeypatch):
    held_out, labels = map(list, zip(*invented.reviews(80, seed=13), strict=True))
    texts = replace(texts, validation=LabeledTexts(held_out, labels))
    truth = dict(zip(texts.train.texts, texts.train.labels, strict=True))
    truth |= dict([*invented.reviews(100, seed=12), *invented.reviews(80, seed=13)])
    random = np.random.default_rng(0)

    def score(bundle, everything, *, name, **_):
        """One member knows whole texts alone, the other passages alone."""
        said = random.dirichlet([1, 1], len(everything))
        for row, text in enumerate(everything):
            if (text in truth) == (name == "of texts"):
                label = next(label for whole, label in truth.items() if text in whole)
                said[row] = np.where(np.array(texts.labels) == label, 0.9, 0.1)
        return said

    monkeypatch.setattr(labeling, "score_with", score)
    bundles = {name: load_bundle(trained.path) for name in ("of texts", "of passages")}
    found = label(texts, bundles, SETTINGS, replace(PLAN, passage_context=0.0), 1, tmp_path)
    of_passages = found.members["of passages"].argmax(1) == found.targets.argmax(1)
    assert of_passages[found.is_passage].mean() > 0.9
    of_texts = found.members["of texts"].argmax(1) == found.targets.argmax(1)
    assert of_texts[~found.is_passage].mean() > 0.9


def test_before_the_last_round_one_passage_of_a_text_is_enough(texts, say):
    count = len(texts.train) + len(texts.unlabeled)
    assert say(rounds=2, passages=3.0).is_passage.sum() == count
    assert say(rounds=2, passages=0.5).is_passage.sum() == round(0.5 * count)
    assert say(rounds=1, passages=3.0).is_passage.sum() == 3 * count
    assert say(rounds=1, passages=1.25).is_passage.sum() == count + round(0.25 * count)


def test_what_a_member_reached_is_what_it_reaches_on_the_validation_part(texts, trained, say):
    reached = say().notes["members"]["trained"]
    truth = label_ids(texts.validation.labels, texts.labels, "")
    probabilities = predict(trained, texts.validation.texts, quiet=True)
    assert reached["validation_accuracy"] == (probabilities.argmax(1) == truth).mean()
    assert reached["validation_loss"] == pytest.approx(log_loss(truth, probabilities))


def test_document_vectors_judge_whole_texts_alone(say):
    found = say()
    of = found.members["document vectors"]
    assert np.isfinite(of[~found.is_passage]).all()
    assert np.isnan(of[found.is_passage]).all()
    truth = np.array([invented.TWO.index(name) for _, name in invented.reviews(100, seed=12)])
    assert (of[~found.is_passage].argmax(1) == truth).mean() > 0.7
    assert "document vectors" not in say(document_vectors=0).members


def test_document_vectors_are_learnt_once_in_a_run(say, monkeypatch):
    before = say().members["document vectors"]
    learnt = []

    def counting(tokens, **options):
        learnt.append(options["size"])
        return np.eye(len(tokens), options["size"], dtype=np.float32)

    monkeypatch.setattr(labeling, "document_vectors", counting)
    np.testing.assert_array_equal(say().members["document vectors"], before)
    assert learnt == []
    say(document_vectors=9)
    assert learnt == [9]
