"""Fine-tuning: what stays as it is in the model, and what changes."""

import json
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import invented
import numpy as np
import pytest
import torch
from commands import fail, invoke
from torch import nn

from sentcli.backends.torch import load_model
from sentcli.config import DataSet
from sentcli.datasets.splits import hash_texts, learned_hashes
from sentcli.errors import BundleError, UsageError
from sentcli.model.bilstm import gates_of, tie_gates
from sentcli.model.bundle import (
    METRICS,
    RECIPE,
    REHEARSAL,
    default_bundle_path,
    load_bundle,
    write_manifest,
)
from sentcli.training.corpus import DataSource, Examples
from sentcli.training.finetune import load_base
from sentcli.training.init_model import init_model
from sentcli.training.loop import Learner
from sentcli.training.settings import DataSize, resolve_settings

SOURCE = DataSource((DataSet("reviews.csv"),), "6B.100d")
LINE = ("--epochs", 1, "--batch-size", 8, "--validation-share", 0.2, "--device", "cpu", "--threads", 1)


@pytest.fixture
def finetune(trained, tmp_path, log):
    """Train on some more reviews, starting from the shared model."""
    data = invented.write_csv(tmp_path / "more.csv", invented.reviews(60, seed=21))
    other = [(text, invented.TWO[label == "negative"]) for text, label in invented.reviews(60, seed=21)]
    invented.write_csv(tmp_path / "opposite.csv", other)

    def finetune(*options, output="more"):
        line = ("--finetune", trained.path, "--dataset", data, *LINE, "-o", tmp_path / output, *options)
        result = invoke("train", *line)
        assert result.exit_code == 0, result.output
        log.write_text(result.stderr)
        return load_bundle(tmp_path / output)

    return finetune


def initial_model(base, **settings):
    """Return the network that a training with the classes of the model starts from."""
    data = SimpleNamespace(vocab=base.vocab, texts=SimpleNamespace(labels=base.bundle.config.labels))
    return init_model(data, resolve_settings(SOURCE, settings, base))


@pytest.fixture
def log(tmp_path) -> Path:
    """The file with what the last training said."""
    return tmp_path / "log.txt"


def test_the_model_decides_shape_and_vocabulary(trained):
    base = load_base(trained.path)
    size = base.bundle.config.model.hidden_size
    settings = resolve_settings(SOURCE, {"dropout": 0.7, "hidden_size": size}, base, DataSize(9, 9, 2, 9))
    assert (settings.base, settings.glove) == (base, "none")
    assert settings.text == trained.config.text
    assert (settings.model.hidden_size, settings.model.dropout) == (size, 0.7)
    assert settings.config.min_freq == json.loads(trained.read("metrics.json"))["training"]["min_freq"]
    assert (settings.config.epochs, settings.config.adversarial) == (60, 0.0)  # as the data decide
    assert resolve_settings(SOURCE, {"max_tokens": 5}, base).text.max_tokens == 5
    for name, value in (("embedding_dim", 3), ("gates", "forget"), ("bigrams", 9)):
        with pytest.raises(UsageError, match=rf"^{name.replace('_', '-')} {value}: the model of finetune, "):
            resolve_settings(SOURCE, {name: value}, base)


def test_a_folder_that_training_did_not_write_is_refused(trained, tmp_path):
    exported, old = tmp_path / "exported", tmp_path / "old"
    assert invoke("export", trained.path, "-o", exported).exit_code == 0
    shutil.copytree(trained.path, old)
    metrics = json.loads((old / METRICS).read_text())
    del metrics["glove"]
    (old / METRICS).write_text(json.dumps(metrics))
    write_manifest(old)
    for path, said in (
        (exported, "metrics"),
        (tmp_path, "manifest"),
        (old, "train the model again"),
    ):
        with pytest.raises(BundleError, match=said):
            load_base(path)


def test_the_model_in_the_box_has_a_name(trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    box = load_base(Path("imdb-bilstm"))
    assert box.bundle.digest == load_bundle(default_bundle_path()).digest
    assert (box.decided["gates"], box.decided["bigrams"]) == ("forget", 20_000)
    shutil.copytree(trained.path, tmp_path / "imdb-bilstm")
    assert load_base(Path("imdb-bilstm")).bundle.digest == load_bundle(trained.path).digest


def test_other_labels_get_a_new_classifier(trained, finetune, tmp_path):
    """Words, vectors and LSTM stay, and interpolation leaves the classifier alone."""
    rows = invented.reviews(90, seed=21, labels=invented.THREE)
    data = invented.write_csv(tmp_path / "three.csv", rows)
    bundle = finetune("--dataset", data, "--interpolate", 1)
    assert bundle.config.labels == invented.THREE
    assert bundle.vocab.words == trained.vocab.words
    before, after = load_model(trained), load_model(bundle)
    assert torch.equal(before.lstm.weight_hh_l0, after.lstm.weight_hh_l0)
    assert after.classifier.weight.shape[0] == 3
    spam = [(text, "ham" if label == "negative" else "spam") for text, label in invented.reviews(60, seed=21)]
    other = finetune(
        "--dataset", invented.write_csv(tmp_path / "spam.csv", spam), "--lr", 1e-9, output="spam"
    )
    assert not torch.allclose(load_model(other).classifier.weight, before.classifier.weight, atol=0.01)


def test_another_size_gets_a_new_network(trained, finetune, log):
    """Words and vectors stay, and with them the settings of the vocabulary; the LSTM is new."""
    settings = resolve_settings(SOURCE, {"hidden_size": 5, "gates": "forget"}, load_base(trained.path))
    assert (settings.model.hidden_size, settings.config.gates) == (5, "forget")
    assert settings.config.min_freq == settings.base.decided["min_freq"]
    bundle = finetune("--hidden-size", 5, "--lr", 1e-9)
    assert "trained has other hidden units: the new model gets a new LSTM" in log.read_text()
    assert bundle.vocab.words == trained.vocab.words
    before, after = load_model(trained), load_model(bundle)
    assert after.config.hidden_size == 5
    assert torch.allclose(before.embedding.weight, after.embedding.weight, atol=1e-3)
    assert json.loads(bundle.read(METRICS))["start"] == {}  # no epoch 0


def test_the_network_has_the_weights_and_the_gates_of_the_model(trained):
    base = load_base(trained.path)
    ids, lengths = torch.tensor([[2, 3, 4]]), torch.tensor([3])
    network = initial_model(base, dropout=0.9).build()
    with torch.no_grad():
        assert torch.equal(network.eval()(ids, lengths), base.model(ids, lengths))
    assert (gates_of(network), network.config.dropout) == ("separate", 0.9)
    tie_gates(network, "forget")
    decided = base.decided | {"gates": "forget"}
    tied = initial_model(replace(base, model=network, decided=decided)).build()
    tied(ids, lengths).sum().backward()
    torch.optim.SGD(tied.parameters(), 1.0).step()
    assert gates_of(tied) == "forget"


def test_weights_may_be_interpolated_with_those_of_the_model(trained, finetune, tmp_path):
    before, line = load_model(trained).lstm.weight_hh_l0.detach(), ("--dataset", tmp_path / "opposite.csv")
    new, mixed, old = (
        load_model(finetune(*line, "--lr", 0.05, "--interpolate", share, output=str(share)))
        .lstm.weight_hh_l0.detach()
        .clone()
        for share in (0, 0.25, 1)
    )
    assert torch.allclose(mixed, new.lerp(before, 0.25), atol=1e-6)
    assert not torch.allclose(mixed, new, atol=1e-3)
    assert torch.equal(old, before)


def test_a_training_that_does_not_help_leaves_the_model_as_it_was(trained, finetune, tmp_path, log):
    bundle = finetune("--lr", 0.5)
    before, after = (load_model(each).lstm.weight_hh_l0 for each in (trained, bundle))
    assert torch.equal(before, after)
    metrics = json.loads(bundle.read("metrics.json"))
    assert (metrics["best_epoch"], metrics["start"]["epoch"]) == (0, 0)
    assert f"{trained.name} alone: accuracy {metrics['start']['validation_accuracy']:.4f}" in log.read_text()
    assert f"kept the weights of {trained.name}" in log.read_text()
    bundle = finetune("--dataset", tmp_path / "opposite.csv", "--lr", 0.05, output="opposite")
    assert json.loads(bundle.read("metrics.json"))["best_epoch"] == 1
    assert "kept the weights" not in log.read_text()


def test_sentences_of_the_model_are_rehearsed_and_measured(trained, finetune, tmp_path, log):
    shutil.copytree(trained.path, tmp_path / "base")
    invented.write_csv(tmp_path / "base" / REHEARSAL, invented.reviews(320, seed=22))
    write_manifest(tmp_path / "base")
    base = load_base(tmp_path / "base")
    train = Examples([np.array([2], np.int32)] * 9, np.ones((9, 2), np.float32))
    both = initial_model(base).rehearse(train)
    assert len(both) == 27
    assert np.allclose(both.targets[9:].sum(axis=1), 1)
    assert len(initial_model(base).rehearse(both.take(np.arange(9).repeat(40)))) == 360 + 280
    for other in (replace(base, keeps_classifier=False), load_base(trained.path)):
        assert initial_model(other).rehearse(train) is train
    line = ("--dataset", tmp_path / "opposite.csv", "--lr", 0.02, "--epochs", 3)
    found = [
        json.loads(finetune("--finetune", path, *line, output=f"of-{path.name}").read(METRICS))["start"]
        for path in (trained.path, tmp_path / "base")
    ]
    assert found[0].keys() == {"epoch", "validation_loss", "validation_accuracy"}
    assert found[1]["own_before"] > 0.9
    assert f"{found[1]['own_before']:.3f} before, {found[1]['own_after']:.3f} after" in log.read_text()


def test_texts_that_the_model_has_learned_do_not_validate(trained, finetune, tmp_path, log):
    old, new = invented.reviews(240, seed=1)[:30], invented.reviews(90, seed=21)
    mixed = [*old, *new]
    data = invented.write_csv(tmp_path / "mixed.csv", [mixed[7 * row % 120] for row in range(120)])
    metrics = json.loads(finetune("--dataset", data, "--validation-share", 0.4).read("metrics.json"))
    (said,) = (line for line in log.read_text().splitlines() if "which do not validate" in line)
    known, count = (int(word) for word in said.split() if word.isdigit())
    assert 0 < known < count
    assert metrics["examples"]["validation"] == count - known
    size = DataSize(500, 5000, 2, 400)
    assert resolve_settings(SOURCE, {}, load_base(trained.path), size).config.folds == 0


def test_the_folder_names_the_base_and_its_recipe_makes_the_same_model(trained, finetune, tmp_path):
    bundle = finetune()
    metrics, of_base = (json.loads(each.read("metrics.json")) for each in (bundle, trained))
    assert metrics["base"]["name"] == trained.name
    assert metrics["base"]["dataset"] == of_base["dataset"] != metrics["dataset"]
    assert metrics["glove"] == of_base["glove"]
    assert f"`{trained.name}`" in bundle.read("README.md").decode()
    recipe = bundle.read(RECIPE).decode()
    assert f'finetune = "{trained.path}"\n' in recipe
    assert f"hidden-size = {bundle.config.model.hidden_size}\n" in recipe
    assert "glove" not in recipe
    again = invoke("train", "--config", bundle.path / RECIPE, "-o", tmp_path / "again", "--threads", 1)
    assert again.exit_code == 0, again.output
    assert load_bundle(tmp_path / "again").read("model.onnx") == bundle.read("model.onnx")
    assert load_bundle(tmp_path / "again").read(RECIPE).decode() == recipe


def test_options_that_do_not_go_together_are_refused(trained, tmp_path):
    for options, said in (
        (("--glove", "none"), "--glove has no effect with --finetune"),
        (("--positive", "negative"), "--positive has no effect with --finetune"),
        (("--embedding-dim", 3), "embedding-dim 3: the model of --finetune"),
    ):
        failure = fail("train", "--finetune", trained.path, *options, "-o", tmp_path / "m")
        assert failure.code == 2
        assert said in failure.message
    for path in ("m/model.onnx", "missing"):
        assert fail("train", "--finetune", trained.path / path, "-o", tmp_path / "m").code != 0


def test_its_data_may_name_the_classes_0_and_1(trained, finetune, tmp_path):
    rows = [(text, str(invented.TWO.index(label))) for text, label in invented.reviews(60, seed=21)]
    numbers = invented.write_csv(tmp_path / "numbers.csv", rows)
    bundle = finetune("--lr", 1e-9, "--dataset", numbers)
    assert bundle.config.labels == ("negative", "positive")
    before, after = (load_model(each).lstm.weight_hh_l0 for each in (trained, bundle))
    assert torch.allclose(before, after, atol=1e-3)
    assert bundle.vocab.words == trained.vocab.words


def test_a_stopped_run_continues_from_the_same_model_alone(trained, finetune, tmp_path, monkeypatch):
    whole = finetune("--epochs", 2, output="whole")
    base = tmp_path / "base"
    shutil.copytree(trained.path, base)
    step, steps = Learner.step, []

    def stopped(*arguments):
        steps.append(None)
        if len(steps) == 7:
            os.kill(os.getpid(), signal.SIGINT)
        return step(*arguments)

    data = tmp_path / "more.csv"
    line = ("train", "--finetune", base, "--dataset", data, *LINE, "--epochs", 2, "-o", tmp_path / "stopped")
    with monkeypatch.context() as patch:
        patch.setattr(Learner, "step", stopped)
        assert invoke(*line).exit_code == 130
    shutil.rmtree(base)
    shutil.copytree(whole.path, base)
    assert "finetune was" in fail(*line, "--quiet").message
    shutil.rmtree(base)
    shutil.copytree(trained.path, base)
    assert invoke(*line).exit_code == 0
    assert load_bundle(tmp_path / "stopped").read("model.onnx") == whole.read("model.onnx")


def test_validation_texts_that_the_model_has_learned_cannot_beat_it(trained, finetune, tmp_path, log):
    data = invented.write_csv(tmp_path / "old.csv", invented.reviews(240, seed=1)[:60])
    bundle = finetune("--dataset", data, "--lr", 0.02, "--epochs", 3)
    assert "pass new texts with --validation FILE" in log.read_text()
    assert f"kept the weights of {trained.name}" in log.read_text()
    one, two = map(load_model, (trained, bundle))
    assert all(torch.equal(*pair) for pair in zip(one.parameters(), two.parameters(), strict=True))
    assert bundle.config.model.ngram_buckets == 0


def test_the_new_model_does_not_take_over_a_neutral_head(headed, finetune):
    assert headed.config.model.neutral_head
    bundle = finetune("--finetune", headed.path, "--epochs", 1)
    assert (bundle.config.model.neutral_head, bundle.config.neutral) == (False, headed.config.neutral)


def test_the_new_model_fits_its_own_ngrams(trained):
    base = load_base(trained.path)
    base.model.ngrams = nn.Embedding(len(base.vocab) + 31, 2)
    initial = initial_model(base)
    network = initial.build()
    assert network.ngrams is None
    initial.interpolate(network)
    assert "ngram_buckets" not in base.decided


def test_the_band_of_neutral_texts_is_chosen_anew_or_stays_that_of_the_model(trained, finetune, tmp_path):
    rows = [
        (text, str(invented.THREE.index(label)))
        for text, label in invented.reviews(90, seed=23, labels=invented.THREE)
    ]
    stars, recipe = invented.write_csv(tmp_path / "stars.csv", rows), tmp_path / "stars.toml"
    recipe.write_text(f'[[data]]\npath = "{stars}"\ntargets = {{ 0 = 0, 1 = 0.5, 2 = 1 }}\n')
    line = ("train", "--config", recipe, "--finetune", trained.path, *LINE, "-o", tmp_path / "stars")
    assert invoke(*line).exit_code == 0
    band = load_bundle(tmp_path / "stars").config.neutral
    assert band is not None
    assert finetune("--finetune", tmp_path / "stars").config.neutral == band


def test_the_texts_of_the_base_model_count_as_learned(trained, finetune):
    of_base, of_both = learned_hashes(trained), learned_hashes(finetune())
    new = hash_texts([text for text, _ in invented.reviews(60, seed=21)])
    assert of_both.tolist() == np.union1d(of_base, new).tolist()
