"""Words of one kind have one vector and one weight."""

from pathlib import Path

import invented
import numpy as np
import pytest
import torch
from commands import invoke
from tiny_models import make_model

from sentcli.backends.torch import load_model
from sentcli.config import TextConfig, TrainConfig
from sentcli.datasets.labels import LabeledTexts
from sentcli.model.bundle import load_bundle
from sentcli.text.tokenizer import Vocab
from sentcli.training.corpus import Texts, encode_texts
from sentcli.training.even_words import even_words, read_kinds
from sentcli.training.ngrams import add_linear, fit_linear

KINDS = {"ann": "name", "bob": "name", "wife": "kin", "husband": "kin"}
VOCAB = Vocab(
    ["<pad>", "<unk>", "my", "ann", "bob", "wife", "husband", "was", "my wife", "my husband", "was my"]
)
IDS = {word: number for number, word in enumerate(VOCAB.words)}
OTHERS = [IDS[word] for word in ("<pad>", "<unk>", "my", "was", "was my")]


def test_words_of_a_kind_and_their_bigrams_have_one_vector():
    network = make_model(vocab_size=len(VOCAB))
    vectors, before = network.embedding.weight.data, network.embedding.weight.data.clone()
    same = even_words(network, VOCAB, KINDS)
    assert torch.equal(vectors[IDS["ann"]], before[[IDS["ann"], IDS["bob"]]].mean(0))
    assert torch.equal(vectors[IDS["ann"]], vectors[IDS["bob"]])
    assert torch.allclose(vectors[IDS["my wife"]], (vectors[IDS["my"]] + vectors[IDS["husband"]]) / 2)
    assert torch.equal(vectors[OTHERS], before[OTHERS])
    assert (same[IDS["bob"]], same[IDS["my husband"]]) == (IDS["ann"], IDS["my wife"])
    assert same[OTHERS].tolist() == OTHERS
    again = vectors.clone()
    assert np.array_equal(even_words(network, VOCAB, KINDS), same)
    assert torch.allclose(vectors, again)
    assert even_words(network, VOCAB, {}).tolist() == [*range(len(VOCAB))]


def test_ngrams_of_a_kind_have_one_weight():
    texts = ["ann was good"] * 30 + ["bob was bad"] * 20 + ["bob was good"] * 10
    labels = ["positive"] * 30 + ["negative"] * 20 + ["positive"] * 10
    part = LabeledTexts(texts, labels)
    data = encode_texts(Texts(part, part, invented.TWO), TextConfig(), TrainConfig(min_freq=1))
    network = make_model(vocab_size=len(data.vocab))
    same = even_words(network, data.vocab, KINDS)
    linear = fit_linear(data, same, {})
    add_linear(network, linear, data, np.zeros((60, 2)))
    ann, bob, good = (network.ngrams.weight[data.vocab.words.index(word)] for word in ("ann", "bob", "good"))
    assert torch.equal(ann, bob)
    assert good[0] > ann[0].abs()


def test_the_list_of_the_recipe_has_no_word_with_an_everyday_meaning():
    kinds = read_kinds(str(Path(__file__).parents[2] / "data" / "names.csv"))
    assert len(kinds) > 4000
    assert not kinds.keys() & {"will", "grace", "joy", "may", "old", "black", "hope", "mark", "bill", "rose"}


@pytest.mark.parametrize("start", [(), ("--finetune",)])
def test_a_training_with_such_words(trained, tmp_path, start):
    known = [word for word in trained.vocab.words[2 : trained.vocab.first_bigram] if word.isalpha()][:40:10]
    words, config = tmp_path / "words.csv", tmp_path / "settings.toml"
    words.write_text("word,kind\n" + "".join(f"{word.title()},kind\n" for word in known))
    config.write_text(f"even-words = {str(words)!r}\nglove = 'none'\nepochs = 1\ndevice = 'cpu'\n")
    data = invented.write_csv(tmp_path / "reviews.csv", invented.reviews(60, seed=21))
    line = ("--dataset", data, "--config", config, *start, *([trained.path] if start else []))
    result = invoke("train", *line, "-o", tmp_path / "model")
    assert result.exit_code == 0, result.output
    bundle = load_bundle(tmp_path / "model")
    assert f'even-words = "{words}"' in bundle.read("recipe.toml").decode()
    ids = [bundle.vocab.words.index(word) for word in known if word in bundle.vocab]
    assert len(ids) > 1
    vectors = load_model(bundle).embedding.weight[ids]
    assert torch.equal(vectors, vectors[:1].expand_as(vectors))
    words.write_text("name,kind\nann,name\n")
    result = invoke("train", *line, "-o", tmp_path / "other")
    assert (result.exit_code, "words.csv: no column 'word'" in result.stderr) == (1, True)
