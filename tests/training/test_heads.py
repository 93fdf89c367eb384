"""The fit of a neutral head: which texts it learns from, and that it is the same each time."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_models import make_batch, make_model

from sentcli.config import DataSet
from sentcli.datasets.labels import LabeledTexts
from sentcli.text.tokenizer import Vocab
from sentcli.training.corpus import Corpus, Examples, Texts
from sentcli.training.heads import add_neutral_head, divide_logits

LABELED = DataSet("one.csv", targets={"a": 0.0, "b": 0.5, "c": 1.0})
UNCERTAIN = replace(LABELED, path="two.parquet", targets="probability")


def corpus(*targets):
    """Texts of several data sets; each has the words of its side, and the targets of its data set."""
    second = np.concatenate(targets).astype(np.float32)
    draw = np.random.default_rng(4)
    ids = [draw.integers(2 + 20 * round(2 * target), 22 + 20 * round(2 * target), 5) for target in second]
    examples = Examples([each.astype(np.int32) for each in ids], np.stack([1 - second, second], axis=1))
    none = LabeledTexts([], [])
    texts = Texts(none, none, ("negative", "positive"), tuple(map(len, targets)))
    return Corpus(texts, examples, examples.take(np.arange(0)), Vocab(["<pad>", "<unk>"]), {})


def sides(counts, middle=0.5):
    return np.repeat([0.0, middle, 1.0], counts)


def fitted(data, *sets):
    model = make_model(vocab_size=62)
    weights = model.classifier.weight.clone()
    add_neutral_head(model, data, sets)
    assert torch.equal(model.classifier.weight, weights)
    return model


@pytest.mark.parametrize(("scale", "least"), [(1.0, 0.8), (0.1, 0.75)])
def test_the_labels_of_the_texts_are_found(scale, least):
    """States of any size count alike."""
    data, model = corpus(sides((300, 150, 200))), make_model(vocab_size=62)
    for parameter in model.lstm.parameters():
        parameter.data.mul_(scale)
    again = copy.deepcopy(model)
    for network in (model, again):
        add_neutral_head(network, data, [LABELED])
    with torch.inference_mode():
        ids = torch.from_numpy(np.stack(data.train.ids).astype(np.int64))
        predicted = model(ids, torch.full((len(ids),), 5))[:, 2:].argmax(1).numpy()
    assert (predicted == data.train.sides).mean() > least
    assert torch.equal(model.neutral_head.weight, again.neutral_head.weight)
    assert model.config.neutral_head


def test_a_network_with_a_head_gets_a_new_one():
    data, model = corpus(sides((100, 100, 100))), make_model(vocab_size=62)
    add_neutral_head(model, data, [LABELED])
    before = model.neutral_head.weight.clone()
    add_neutral_head(model, data, [LABELED])
    assert torch.equal(model.neutral_head.weight, before)


def test_ngrams_have_no_part_in_the_head():
    data = corpus(sides((100, 100, 100)))
    plain, model = make_model(vocab_size=62), make_model(vocab_size=62, ngram_buckets=31)
    model.load_state_dict(plain.state_dict(), strict=False)
    for network in (plain, model):
        add_neutral_head(network, data, [LABELED])
    assert torch.equal(model.neutral_head.weight, plain.neutral_head.weight)
    assert model.ngrams is not None


@pytest.mark.parametrize("counts", [(300, 99, 300), (99, 300, 300), (300, 0, 300)])
def test_few_texts_of_a_side_make_no_head(counts):
    model = fitted(corpus(sides(counts)), LABELED)
    assert (model.neutral_head, model.config.neutral_head) == (None, False)
    ids, lengths = map(torch.from_numpy, make_batch(3, 5))
    assert model(ids, lengths).shape == (3, 2)


def test_texts_whose_targets_are_probabilities_are_left_out():
    one, other = sides((120, 120, 120)), sides((300, 300, 300), middle=0.4)
    assert fitted(corpus(other), UNCERTAIN).neutral_head is None
    alone, both = fitted(corpus(one), LABELED), fitted(corpus(one, other), LABELED, UNCERTAIN)
    assert torch.equal(alone.neutral_head.weight, both.neutral_head.weight)


def test_sentences_count_less_than_reviews():
    def importance(*lengths):
        examples = Examples([np.ones(length, np.int32) for length in lengths], np.ones((len(lengths), 2)))
        texts = replace(corpus(sides((1, 1, 1))).texts, counts=(3, len(lengths) - 3))
        return replace(corpus(sides((1, 1, 1))), train=examples, texts=texts).importance.tolist()

    assert importance(5, 6, 300, 200, 4) == [0.25, 0.25, 0.25, 1, 1]
    assert importance(5, 6, 7, 8, 9) == [1, 1, 1, 1, 1]
    assert importance(50, 60, 70) == [1, 1, 1]


def test_logits_of_classes_are_divided():
    ids, lengths = map(torch.from_numpy, make_batch(3, 5))
    model = make_model(ngram_buckets=31, neutral_head=True)
    with torch.inference_mode():
        before = model(ids, lengths)
        divide_logits(model, 4.0)
        after = model(ids, lengths)
    torch.testing.assert_close(after, before / torch.tensor([4, 4, 1, 1, 1]))
