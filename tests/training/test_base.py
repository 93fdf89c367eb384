"""Going on from a model: what stays as it is there, and what changes."""

import json
from dataclasses import replace

import invented
import numpy as np
import pytest
import torch
from commands import fail, invoke

from sentcli.bundle import BASE_RECIPE, RECIPE, load_bundle
from sentcli.config import ModelConfig, TextConfig, TrainConfig
from sentcli.errors import BundleError, DataError, UsageError
from sentcli.model import couple_gates, has_coupled_gates, load_model
from sentcli.training.base import check_base, decided_by, network_of, origin_of, with_base
from sentcli.training.corpus import Texts
from sentcli.training.labels import LabeledTexts
from sentcli.training.learnt import sample, share_learnt
from sentcli.training.settings import Settings

SETTINGS = Settings(
    TextConfig(), ModelConfig(vocab_size=2), TrainConfig(epochs=1), auto=("epochs", "min_freq")
)
LINE = ("--epochs", 1, "--batch-size", 8, "--validation-share", 0.2, "--device", "cpu", "--threads", 1)


@pytest.fixture
def go_on(trained, tmp_path):
    """Train on some more reviews, from the shared model."""
    data = invented.write_csv(tmp_path / "more.csv", invented.reviews(60, seed=21))

    def go_on(*options, output="more"):
        line = ("--from", trained.path, "--dataset", data, *LINE, "-o", tmp_path / output, *options)
        result = invoke("train", *line)
        assert result.exit_code == 0, result.output
        return load_bundle(tmp_path / output)

    return go_on


def test_the_model_decides_what_cannot_change(trained):
    bundle = load_bundle(trained.path)
    settings = with_base(SETTINGS, trained.path, {"epochs": ("--epochs", 7)})
    assert settings.base == bundle
    assert settings.text == bundle.config.text
    assert settings.model.hidden_size == bundle.config.model.hidden_size != SETTINGS.model.hidden_size
    assert settings.model.dropout == SETTINGS.model.dropout
    assert settings.config.min_freq == json.loads(bundle.read("metrics.json"))["training"]["min_freq"]
    assert settings.auto == ["epochs"]
    assert decided_by(bundle)["gates"] == "separate"


def test_what_is_otherwise_there_is_refused_and_the_same_is_not(trained):
    size = load_bundle(trained.path).config.model.hidden_size
    with_base(SETTINGS, trained.path, {"hidden_size": ("--hidden", size)})
    for name, option, value in (
        ("hidden_size", "--hidden", size + 1),
        ("gates", "--gates", "coupled"),
        ("pretrain", "--pretrain", 1),
        ("max_tokens", "--max-tokens", 3),
    ):
        with pytest.raises(UsageError, match=rf"^{option} {value}: --from .* for good; leave it out"):
            with_base(SETTINGS, trained.path, {name: (option, value)})


def test_what_training_did_not_write_is_no_model_to_go_on_from(trained, tmp_path):
    exported = tmp_path / "exported"
    assert invoke("export", trained.path, "-o", exported).exit_code == 0
    for path in (exported, tmp_path):
        with pytest.raises(BundleError):
            with_base(SETTINGS, path, {})


def test_classes_have_the_order_of_the_model(trained):
    bundle = load_bundle(trained.path)
    none = LabeledTexts([], [])
    texts = Texts(none, none, [], ("positive", "negative"), sample([]))
    assert check_base(bundle, texts).labels == ("negative", "positive")
    with pytest.raises(DataError, match="a model of negative, positive, but the data has good, negative"):
        check_base(bundle, replace(texts, labels=("good", "negative")))


def test_the_network_has_the_weights_of_the_model_and_its_gates(trained, monkeypatch):
    bundle = load_bundle(trained.path)
    ids, lengths = torch.tensor([[2, 3, 4]]), torch.tensor([3])
    network = network_of(bundle, replace(bundle.config.model, dropout=0.9))
    with torch.no_grad():
        assert torch.equal(network.eval()(ids, lengths), load_model(bundle)(ids, lengths))
    assert not has_coupled_gates(network)
    assert network.config.dropout == 0.9
    couple_gates(network)
    monkeypatch.setattr("sentcli.training.base.load_model", lambda _: network)
    coupled = network_of(bundle, bundle.config.model)
    coupled(ids, lengths).sum().backward()
    torch.optim.SGD(coupled.parameters(), 1.0).step()
    assert has_coupled_gates(coupled)
    assert decided_by(bundle)["gates"] == "coupled"


def test_training_goes_on_from_what_the_model_knows(trained, go_on, tmp_path):
    before = load_bundle(trained.path)
    bundle = go_on("--lr", 1e-9)
    assert bundle.vocab.words == before.vocab.words
    assert bundle.config.labels == before.config.labels
    old, new = (load_model(each).embedding.weight.detach().numpy() for each in (before, bundle))
    assert np.allclose(old, new, atol=1e-3)
    learnt = go_on("--lr", 0.05, output="learnt")
    assert not np.allclose(old, load_model(learnt).embedding.weight.detach().numpy(), atol=1e-3)


def test_a_share_of_what_was_there_may_be_kept(trained, go_on):
    before = load_model(load_bundle(trained.path))
    all_new, some_new = (go_on("--lr", 0.05, "--keep", keep, output=f"{keep}") for keep in (0, 0.25))
    new, mixed = (load_model(each).lstm.weight_hh_l0.detach() for each in (all_new, some_new))
    assert torch.allclose(mixed, new.lerp(before.lstm.weight_hh_l0.detach(), 0.25), atol=1e-6)
    assert not torch.allclose(mixed, new, atol=1e-3)
    as_before = load_model(go_on("--lr", 0.05, "--keep", 1, output="all"))
    assert torch.equal(as_before.lstm.weight_hh_l0, before.lstm.weight_hh_l0)


def test_the_folder_says_what_it_went_on_from(trained, go_on, tmp_path):
    before, bundle = load_bundle(trained.path), go_on()
    metrics, of_base = (json.loads(each.read("metrics.json")) for each in (bundle, before))
    assert metrics["base"] == origin_of(before)
    assert metrics["base"]["name"] == before.name
    assert metrics["glove"] == of_base["glove"]
    card = bundle.read("README.md").decode()
    assert f"| began as | the model `{before.name}`, whose words it has |" in card
    for dataset in (of_base["dataset"], metrics["dataset"]):
        assert f"- Data: `{dataset}`, under the terms of its source." in card
    assert bundle.read(BASE_RECIPE) == before.read(RECIPE)
    for count, seed in ((240, 1), (60, 21)):
        assert share_learnt(bundle, [text for text, _ in invented.reviews(count, seed)]).about > 0.9


def test_its_recipe_makes_it_again(trained, go_on, tmp_path):
    bundle = go_on()
    recipe = bundle.read(RECIPE).decode()
    assert f'from = "{trained.path}"\n' in recipe
    assert f"hidden = {bundle.config.model.hidden_size}\n" in recipe
    assert "glove" not in recipe
    again = invoke("train", "--config", bundle.path / RECIPE, "-o", tmp_path / "again", "--threads", 1)
    assert again.exit_code == 0, again.output
    assert load_bundle(tmp_path / "again").read("model.safetensors") == bundle.read("model.safetensors")
    other = load_bundle(tmp_path / "again")
    assert other.read(RECIPE) == bundle.read(RECIPE)
    assert load_bundle(bundle.path).read(RECIPE).decode() == recipe


def test_options_that_do_not_go_together_are_refused(trained, tmp_path):
    failure = fail("train", "--from", trained.path, "--glove", "none", "-o", tmp_path / "m")
    assert (failure.code, "--glove: the words of --from" in failure.message) == (2, True)
    failure = fail("train", "--keep", 0.5, "-o", tmp_path / "m")
    assert (failure.code, "--keep is for" in failure.message) == (2, True)
    failure = fail("train", "--from", trained.path, "--hidden", 3, "-o", tmp_path / "m")
    assert (failure.code, "--hidden 3: --from" in failure.message) == (2, True)
