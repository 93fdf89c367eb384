"""Models of several sizes: trained where they are not there, measured, written into the card."""

import json
import shutil
import sys

import pytest
import sizes

from sentcli.model.bundle import load_bundle


@pytest.mark.parametrize(("text", "shape"), [("40", (40, 1)), ("40x2", (40, 2))])
def test_a_size_is_hidden_units_and_layers(text, shape):
    assert sizes.size(text) == shape


def test_sizes_and_seeds_go_into_a_file_and_into_the_card(trained, labeled, tmp_path, monkeypatch, capsys):
    model, folder = tmp_path / "model", tmp_path / "sizes"
    shutil.copytree(trained.path, model)
    shutil.copytree(trained.path, folder / "hidden-8-layers-1-seed-1")
    line = [str(model), "--folder", str(folder), "--sizes", "8", "4x2", "--seeds", "1", "--repeats", "1"]
    line += ["--dataset", str(labeled), "--glove", "none", "--threads", "1"]
    monkeypatch.setattr(sys, "argv", ["sizes.py", *line, "--json", str(tmp_path / "sizes.json"), "--card"])
    sizes.main()

    new = load_bundle(folder / "hidden-4-layers-2-seed-1")
    assert (new.config.model.hidden_size, new.config.model.num_layers) == (4, 2)
    written = json.loads((tmp_path / "sizes.json").read_text("utf-8"))
    assert [(of["hidden"], of["layers"]) for of in written["sizes"]] == [(8, 1), (4, 2)]
    for of, bundle in zip(written["sizes"], (trained, new), strict=True):
        assert sizes.reached(bundle).items() <= of.items()
        assert of["validation_loss"] == sizes.metrics(bundle)["validation"]["log_loss"]
        assert of["reviews_per_second"] > 0
    assert sizes.metrics(load_bundle(model))["sizes"] == written["sizes"]
    assert [row.split()[:2] for row in capsys.readouterr().out.splitlines()[1:3]] == [["8", "1"], ["4", "2"]]
