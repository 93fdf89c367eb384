"""Cross-validation: every text is validated on once, and a killed run repeats no finished fold."""

from collections import Counter
from itertools import chain

import invented
import numpy as np
import pytest
import torch
from labeled_examples import labeled_examples

from sentcli.config import ModelConfig, TrainConfig
from sentcli.errors import DataError
from sentcli.model.bilstm import BiLSTM
from sentcli.text.tokenizer import tokenize
from sentcli.text.vocabulary import Vocab
from sentcli.training.cross_validation import CrossValidated, assign_folds, cross_validate
from sentcli.training.examples import Examples
from sentcli.training.glove import Coverage
from sentcli.training.init_model import InitialModel
from sentcli.training.loop import Run

CPU = torch.device("cpu")
CONFIG = TrainConfig(epochs=12, patience=3, batch_size=8, lr=0.08, ema_decay=0.9, precision="fp32")


@pytest.fixture(scope="module")
def data() -> tuple[Examples, int]:
    made = invented.reviews(120, seed=5)
    tokens = [tokenize(text) for text, _ in made]
    vocab = Vocab.of_counts(Counter(chain.from_iterable(tokens)), min_freq=1)
    labels = np.array([invented.TWO.index(label) for _, label in made])
    return labeled_examples([vocab.encode(words) for words in tokens], labels, 2), len(vocab)


def run(data, work, config=CONFIG) -> CrossValidated:
    examples, words = data

    def build():
        torch.manual_seed(7)
        return BiLSTM(ModelConfig(words, embedding_dim=8, hidden_size=6))

    initial = InitialModel(build, Coverage(0, 0, 0, 0), None)
    how = Run(CPU, len(examples), quiet=True)
    return cross_validate(initial, examples, assign_folds(examples, 3), config, work, how)


def test_folds_have_runs_of_each_class_and_all_copies_of_a_text():
    texts = [[number] for number in range(1, 13)]
    texts[11] = texts[0]
    examples = labeled_examples(texts, np.array([0, 1] * 6), 2)
    assert assign_folds(examples, 3).tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 0]
    with pytest.raises(DataError, match="copies of a few"):
        assign_folds(labeled_examples([[1], [2], [1], [2]], np.array([0, 1, 0, 1]), 2), 2)


def test_every_text_gets_the_logits_of_a_model_that_did_not_see_it(data, tmp_path):
    examples, _ = data
    found = run(data, tmp_path)
    labels = examples.labels
    assert found.logits.shape == (120, 2)
    assert (found.logits.argmax(axis=1) == labels).mean() > 0.8
    losses = [record["validation_loss"] for record in found.epochs]
    assert losses[-1] == min(losses)
    last = found.epochs[-1]
    assert last["epoch"] == len(losses)
    assert last["validation_accuracy"] == pytest.approx((found.logits.argmax(axis=1) == labels).mean())
    loss = torch.nn.functional.cross_entropy(torch.from_numpy(found.logits), torch.from_numpy(labels))
    assert last["validation_loss"] == pytest.approx(loss.item(), rel=1e-5)
