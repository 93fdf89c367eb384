"""The labels of a model with a neutral head, and what stays without them."""

import invented
import numpy as np
import pytest

from sentcli.model.bundle import load_bundle
from sentcli.scoring.scorer import Scorer

SIDES = ["negative", "neutral", "positive"]
TEXTS = [*(text for text, _ in invented.reviews(90, seed=7, labels=invented.THREE)), None, "zzz", "warm"]


def scores_of(bundle, texts=TEXTS, **options):
    with Scorer(bundle, workers=1, **options) as scorer:
        return scorer.score(texts)


def test_neutral_takes_the_most_probable_of_three_labels(headed):
    with Scorer(headed, workers=1, neutral=True) as scorer:
        found, probabilities = scorer.score(TEXTS), scorer.probabilities(TEXTS)
        assert (scorer.given_labels, scorer.fingerprint["neutral"]) == (SIDES, "head")
    assert np.nansum(probabilities, axis=1) == pytest.approx([*[1] * 90, 0, 0, 1])
    expected = [None if np.isnan(row[0]) else SIDES[row.argmax()] for row in probabilities]
    assert found.labels == expected
    true = [label for _, label in invented.reviews(90, seed=7, labels=invented.THREE)]
    assert np.mean([one == other for one, other in zip(true, expected[:90], strict=True)]) > 0.8


def test_the_two_classes_and_their_scores_are_those_without_a_head(headed, headless):
    expected = scores_of(headless, probabilities=True)
    assert scores_of(headed, probabilities=True) == expected
    assert scores_of(headed, neutral=True).scores == expected.scores
    with Scorer(headed, workers=1) as one, Scorer(headless, workers=1) as other:
        assert one.probabilities(TEXTS).tobytes() == other.probabilities(TEXTS).tobytes()
        assert one.explain(["a warm film"]) == other.explain(["a warm film"])


def test_the_probabilities_are_those_of_the_labels(headed):
    with Scorer(headed, workers=1, neutral=True, probabilities=True) as scorer:
        found, probabilities = scorer.score(TEXTS[:90]), scorer.probabilities(TEXTS[:90])
        assert [*scorer.shown_classes] == SIDES
        assert np.array(found.probabilities).T.tolist() == probabilities.tolist()
        assert scorer.score([None]).probabilities == [[None]] * 3
    banded = scores_of(headed, neutral=(0.3, 0.7), probabilities=True)
    assert len(banded.probabilities) == 2


def test_two_numbers_are_a_band_and_a_model_without_a_head_has_its_own(headed, headless):
    assert scores_of(headed, neutral=(0.3, 0.7)) == scores_of(headless, neutral=(0.3, 0.7))
    own = headless.config.neutral
    assert own == headed.config.neutral
    assert scores_of(headless, neutral=True) == scores_of(headless, neutral=own)


@pytest.mark.parametrize("graph", ["portable", "folded"])
def test_every_backend_has_the_head(headed, tmp_path, graph):
    from sentcli.export.export import export_bundle  # imports PyTorch

    export_bundle(headed, tmp_path / "out", formats=("onnx", "torchscript"), graph=graph)
    exported = load_bundle(tmp_path / "out")
    with Scorer(headed, workers=1, neutral=True) as scorer:
        expected = scorer.probabilities(TEXTS[:90])
    for bundle, backend in ((headed, "torch"), (exported, "onnx"), (exported, "torchscript")):
        device = None if backend == "onnx" else "cpu"
        with Scorer(bundle, workers=1, neutral=True, backend=backend, device=device) as scorer:
            assert np.abs(scorer.probabilities(TEXTS[:90]) - expected).max() < 1e-5
