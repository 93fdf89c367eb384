"""The model in the box on the official test split of IMDb."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")

from commands import invoke

from sentcli.config import DataSet
from sentcli.datasets.load import load_split
from sentcli.evaluation.model_card import read_metrics
from sentcli.export.export import export_bundle
from sentcli.model.bundle import default_bundle_path, load_bundle
from sentcli.scoring.scorer import Scorer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("SENTCLI_IMDB" not in os.environ, reason="SENTCLI_IMDB names no copy of IMDb"),
]


def test_the_model_in_the_box_does_what_its_card_says() -> None:
    bundle = load_bundle(default_bundle_path())
    result = invoke("evaluate", bundle.path, "--dataset", os.environ["SENTCLI_IMDB"], "--json", "-q")
    assert result.exit_code == 0, result.stderr
    figures = json.loads(result.stdout)
    assert (figures["backend"], figures["split"]) == ("onnx", "test")
    assert (figures["examples"], figures["blank"]) == (25_000, 0)
    assert bundle.config.model.hidden_size <= 64
    assert figures["accuracy"] >= 0.922
    assert figures["expected_calibration_error"] <= 0.01
    stated = read_metrics(bundle)["evaluations"][0]
    for name in ("accuracy", "expected_calibration_error", "log_loss", "roc_auc"):
        assert figures[name] == pytest.approx(stated[name], abs=5e-4)


def test_all_backends_agree(tmp_path: Path) -> None:
    """Compare on a part of the reviews, of all lengths."""
    texts = load_split(DataSet(os.environ["SENTCLI_IMDB"]), "test").texts[::50]
    wanted, *others = (scorer.probabilities(texts) for scorer in scorers(tmp_path / "exported"))
    assert len(wanted) == 500
    assert len(others) == 3
    doubtful = np.abs(wanted[:, 1] - 0.5) <= 1e-5
    for found in others:
        assert np.abs(found - wanted).max() <= 1e-5
        assert ((found.argmax(axis=1) == wanted.argmax(axis=1)) | doubtful).all()


def scorers(folder: Path) -> Iterator[Scorer]:
    bundle = load_bundle(default_bundle_path())
    export_bundle(bundle, folder, formats=("onnx", "torchscript"), graph="portable")
    exported = load_bundle(folder)
    for of, backend in ((bundle, "onnx"), (bundle, "torch"), (exported, "onnx"), (exported, "torchscript")):
        with Scorer(of, backend=backend, device="cpu", workers=1) as scorer:
            yield scorer
