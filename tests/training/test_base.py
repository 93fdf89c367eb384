"""Going on from a model: what stays as it is there, and what changes."""

import io
import json
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import invented
import numpy as np
import pandas as pd
import pytest
import torch
from commands import fail, invoke
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from sentcli.config import ModelConfig, TextConfig, TrainConfig
from sentcli.errors import BundleError, UsageError
from sentcli.evaluation.holdout import train_validation
from sentcli.evaluation.labels import LabeledTexts
from sentcli.evaluation.leakage import sample, share_learnt
from sentcli.model.bilstm import gates_of, load_model, tie_gates
from sentcli.model.bundle import (
    BASE_RECIPE,
    HISTORY,
    METRICS,
    RECIPE,
    default_bundle_path,
    load_bundle,
    write_manifest,
)
from sentcli.training.corpus import DataSource, Texts, read_labeled
from sentcli.training.finetune import load_base
from sentcli.training.settings import NO_VECTORS, Settings
from sentcli.training.step import ClassifierTrainer

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
    base, bundle = load_base(trained.path), load_bundle(trained.path)
    settings = SETTINGS.going_on_from(base, {"epochs": ("--epochs", 7)})
    assert settings.base is base
    assert settings.text == bundle.config.text
    assert settings.model.hidden_size == bundle.config.model.hidden_size != SETTINGS.model.hidden_size
    assert settings.model.dropout == SETTINGS.model.dropout
    assert settings.config.min_freq == json.loads(bundle.read("metrics.json"))["training"]["min_freq"]
    assert settings.auto == ["epochs"]
    assert base.decided["gates"] == "separate"


def test_what_is_otherwise_there_is_refused_and_the_same_is_not(trained):
    base = load_base(trained.path)
    size = base.config.model.hidden_size
    SETTINGS.going_on_from(base, {"hidden_size": ("--hidden", size)})
    for name, option, value in (
        ("hidden_size", "--hidden", size + 1),
        ("gates", "--gates", "forget"),
        ("pretrain", "--pretrain", 1),
        ("max_tokens", "--max-tokens", 3),
    ):
        with pytest.raises(UsageError, match=rf"^{option} {value}: the model of --from, .*; leave it out"):
            SETTINGS.going_on_from(base, {name: (option, value)})


def test_what_training_did_not_write_is_no_model_to_go_on_from(trained, tmp_path):
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
        (old, "'glove'.*; train the model anew"),
    ):
        with pytest.raises(BundleError, match=said):
            load_base(path)


def test_the_model_in_the_box_has_a_name(trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    box = load_base(Path("imdb-bilstm"))
    assert box.digest == load_bundle(default_bundle_path()).digest
    assert box.decided["gates"] == "forget"
    shutil.copytree(trained.path, tmp_path / "imdb-bilstm")
    assert load_base(Path("imdb-bilstm")).digest == load_bundle(trained.path).digest


def test_classes_are_those_of_the_model_in_its_order(trained, caplog):
    base = load_base(trained.path)
    some = LabeledTexts(["a", "b"], ["positive", "negative"])
    texts = Texts(some, some, [], ("positive", "negative"), sample([]))
    assert base.check(some, texts).labels == ("negative", "positive")
    numbers = LabeledTexts(["a", "b"], ["1", "0"])
    of_numbers = replace(texts, train=numbers, validation=numbers, labels=("0", "1"))
    assert base.check(numbers, of_numbers).labels == ("negative", "positive")
    assert "labels are numbers; 0 is taken for 'negative', 1 is taken for 'positive'" in caplog.text


def test_a_label_that_it_does_not_have_is_told_of_with_its_row(trained, tmp_path):
    rows = invented.reviews(60, seed=21)
    rows[49] = (rows[49][0], "good")
    data = invented.write_csv(tmp_path / "few.csv", rows)
    failure = fail("train", "--from", trained.path, "--dataset", data, "-o", tmp_path / "m", "-q")
    assert "few.csv: unknown label 'good' in row 50; the model knows negative, positive" in failure.message


def test_held_out_texts_that_it_learnt_are_told_of(trained, labeled, caplog):
    base = load_base(trained.path)
    data = read_labeled(DataSource(str(labeled), None, None, NO_VECTORS))

    def told(share, data):
        caplog.clear()
        train, validation = train_validation(data, share)
        base.check(data, Texts(train, validation, [], base.config.labels, sample([])))
        return "promise too much" in caplog.text

    assert not told(TrainConfig().validation_share, data)  # as it was split when the model was trained
    assert told(0.5, data)
    others = LabeledTexts(*map(list, zip(*invented.reviews(60, seed=21), strict=True)))
    assert not told(0.5, others)


def test_the_network_has_the_weights_of_the_model_and_its_gates(trained):
    base = load_base(trained.path)
    ids, lengths = torch.tensor([[2, 3, 4]]), torch.tensor([3])
    network = base.network(replace(base.config.model, dropout=0.9))
    with torch.no_grad():
        assert torch.equal(network.eval()(ids, lengths), base.model(ids, lengths))
    assert gates_of(network) == "separate"
    assert network.config.dropout == 0.9
    for gates in ("separate", "forget"):
        tie_gates(network, gates)
        tied = replace(base, model=network).network(base.config.model)
        tied(ids, lengths).sum().backward()
        torch.optim.SGD(tied.parameters(), 1.0).step()
        assert gates_of(tied) == gates


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
    assert metrics["base"]["name"] == before.name
    assert metrics["base"]["dataset"] == of_base["dataset"] != metrics["dataset"]
    assert metrics["glove"] == of_base["glove"]
    card = bundle.read("README.md").decode()
    assert f"| fine-tuned from | the model `{before.name}`, with its vocabulary |" in card
    for dataset in (of_base["dataset"], metrics["dataset"]):
        assert f"- Data: `{dataset}`, under the terms of its source." in card
    assert bundle.read(BASE_RECIPE) == before.read(RECIPE)
    history, of_base = (pd.read_csv(io.BytesIO(each.read(HISTORY))) for each in (bundle, before))
    assert [*history["stage"]] == [*(f"{before.name}: {stage}" for stage in of_base["stage"]), "model"]
    assert [*history["validation_loss"]][:-1] == [*of_base["validation_loss"]]
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
    assert load_bundle(tmp_path / "again").read(RECIPE).decode() == recipe


def test_a_new_model_may_have_the_name_of_the_one_in_the_box(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    failure = fail("train", "--from", "imdb-bilstm", "-o", "imdb-bilstm", "--dataset", "none.csv")
    assert "none.csv: no such file" in failure.message


def test_options_that_do_not_go_together_are_refused(trained, tmp_path):
    failure = fail("train", "--from", trained.path, "--glove", "none", "-o", tmp_path / "m")
    assert (failure.code, "--glove: the words of --from" in failure.message) == (2, True)
    failure = fail("train", "--keep", 0.5, "-o", tmp_path / "m")
    assert (failure.code, "--keep is for" in failure.message) == (2, True)
    failure = fail("train", "--from", trained.path, "--hidden", 3, "-o", tmp_path / "m")
    assert (failure.code, "--hidden 3: the model of --from" in failure.message) == (2, True)
    for path in ("m/model.onnx", "missing"):
        failure = fail("train", "--from", trained.path / path, "-o", tmp_path / "m")
        assert failure.code != 0
    same = tmp_path / "same"
    shutil.copytree(trained.path, same)
    failure = fail("train", "--from", same, "-o", tmp_path / "." / "same", "--overwrite")
    assert (failure.code, "would be replaced" in failure.message) == (2, True)
    (tmp_path / "circle").symlink_to("circle")
    failure = fail("train", "--from", tmp_path / "circle", "-o", tmp_path / "m")
    assert (failure.code, "circle: no such model" in failure.message) == (1, True)
    for options in (("--teacher", "auto"), ("--rounds", 2, "--teacher", trained.path)):
        line = ("--from", trained.path, "--unlabeled", "heap.csv", *options)
        failure = fail("train", *line, "-o", tmp_path / "m")
        assert (failure.code, "--from is for the student" in failure.message) == (2, True)


def test_the_recipe_of_a_model_can_be_gone_on_with(trained, go_on, tmp_path):
    """Whatever it says of vectors and of a language model, which are things of the past."""
    file = tmp_path / "recipe.toml"
    file.write_text('glove = "6B.100d"\npretrain = 2\nlr = 0.01\n')
    recipe = go_on("--config", file).read(RECIPE).decode()
    assert "pretrain = 0\n" in recipe
    assert "lr = 0.01\n" in recipe
    assert "glove" not in recipe


def test_a_student_may_go_on_from_its_teacher(trained, go_on, tmp_path):
    """Its own data call the classes 0 and 1."""
    heap = tmp_path / "heap.csv"
    texts = [f"{text} terrific" for text, _ in invented.reviews(80, seed=22)]
    pd.DataFrame({"text": texts}).to_csv(heap, index=False)
    rows = [(text, str(invented.TWO.index(label))) for text, label in invented.reviews(60, seed=21)]
    numbers = invented.write_csv(tmp_path / "numbers.csv", rows)
    sentences = invented.write_csv(tmp_path / "sentences.csv", [("a zork", "1"), ("a bore", "0")])
    taught = ("--teacher", trained.path, "--unlabeled", heap, "--sentences", sentences, "--lexicon", 1)
    bundle = go_on(*taught, "--lr", 1e-9, "--dataset", numbers)
    assert bundle.config.labels == ("negative", "positive")
    before, after = (load_model(each).lstm.weight_hh_l0 for each in (load_bundle(trained.path), bundle))
    assert torch.allclose(before, after, atol=1e-3)
    assert bundle.vocab.words == trained.vocab.words  # not of `zork`, nor of the lexicon
    of_lexicon = [word for word in SentimentIntensityAnalyzer().lexicon if word in trained.vocab]
    assert of_lexicon
    assert "terrific" not in trained.vocab  # so the lexicon has nothing to say of it
    examples = json.loads(bundle.read(METRICS))["examples"]
    assert examples["pseudo_labeled"] == 80 + examples["passages"] + 6 * len(of_lexicon)


def test_a_stopped_run_goes_on_from_the_same_model_alone(trained, go_on, tmp_path, monkeypatch):
    whole = go_on("--epochs", 2, output="whole")
    base = tmp_path / "base"
    shutil.copytree(trained.path, base)
    step, steps = ClassifierTrainer.step, []

    def stopped(*arguments):
        steps.append(None)
        if len(steps) == 7:
            os.kill(os.getpid(), signal.SIGINT)
        return step(*arguments)

    data = tmp_path / "more.csv"
    line = ("train", "--from", base, "--dataset", data, *LINE, "--epochs", 2, "-o", tmp_path / "stopped")
    monkeypatch.setattr(ClassifierTrainer, "step", stopped)
    assert invoke(*line).exit_code == 130
    monkeypatch.undo()
    other = go_on("--lr", 0.05, output="other")
    shutil.rmtree(base)
    shutil.copytree(other.path, base)
    failure = fail(*line, "--resume", "--quiet")
    assert "the interrupted run was another one: base was" in failure.message
    shutil.rmtree(base)
    shutil.copytree(trained.path, base)
    assert invoke(*line, "--resume").exit_code == 0
    resumed = load_bundle(tmp_path / "stopped")
    assert resumed.read("model.safetensors") == whole.read("model.safetensors")
