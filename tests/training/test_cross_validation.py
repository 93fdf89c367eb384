"""Cross-validation: every text is validated on once, and a killed run repeats no finished fold."""

from collections import Counter
from itertools import chain
from types import SimpleNamespace

import invented
import numpy as np
import pytest
import torch
from labeled_examples import labeled_examples

from sentcli.config import ModelConfig, TrainConfig
from sentcli.datasets.labels import LabeledTexts
from sentcli.errors import DataError
from sentcli.model.bilstm import BiLSTM
from sentcli.text.tokenizer import Vocab, tokenize
from sentcli.training import loop
from sentcli.training.corpus import Corpus, Examples, Texts, assign_folds
from sentcli.training.loop import Run
from sentcli.training.train_model import cross_validate

CPU = torch.device("cpu")
CONFIG = TrainConfig(epochs=12, patience=3, batch_size=8, lr=0.08, ema_decay=0.9, precision="fp32")


@pytest.fixture(scope="module")
def data() -> tuple[Examples, int]:
    made = invented.reviews(120, seed=5)
    tokens = [tokenize(text) for text, _ in made]
    vocab = Vocab.of_counts(Counter(chain.from_iterable(tokens)), min_freq=1)
    labels = np.array([invented.TWO.index(label) for _, label in made])
    return labeled_examples([vocab.encode(words) for words in tokens], labels, 2), len(vocab)


def run(
    data, work, config=CONFIG, is_hopeless=Run.is_hopeless
) -> tuple[list[list[float]], np.ndarray, float]:
    examples, words = data

    def build():
        torch.manual_seed(7)
        return BiLSTM(ModelConfig(words, embedding_dim=8, hidden_size=6))

    initial = SimpleNamespace(config=config, build=build, rehearse=lambda train: train)
    none = LabeledTexts([], [])
    texts, vocab = Texts(none, none, invented.TWO), Vocab(["<pad>", "<unk>"])
    corpus = Corpus(texts, examples, examples, vocab, Counter(), assign_folds(examples, 3))
    run = Run(CPU, quiet=True, is_hopeless=is_hopeless)
    return cross_validate(initial, corpus, work, run)


def test_folds_have_runs_of_each_class_and_all_copies_of_a_text():
    texts = [[number] for number in range(1, 13)]
    texts[11] = texts[0]
    examples = labeled_examples(texts, np.array([0, 1] * 6), 2)
    tested = [rows.tolist() for _, rows in assign_folds(examples, 3)]
    assert tested == [[0, 1, 2, 3, 11], [4, 5, 6, 7], [8, 9, 10]]
    assert all(sorted([*one, *other]) == [*range(12)] for one, other in assign_folds(examples, 3))
    with pytest.raises(DataError, match="copies of a few"):
        assign_folds(labeled_examples([[1], [2], [1], [2]], np.array([0, 1, 0, 1]), 2), 2)


def test_every_text_gets_the_logits_of_a_model_that_did_not_see_it(data, tmp_path):
    examples, _ = data
    curve, logits, seconds = run(data, tmp_path)
    labels = examples.labels
    assert logits.shape == (120, 2)
    assert (logits.argmax(axis=1) == labels).mean() > 0.8
    assert curve[-1] == min(curve)
    accuracy = (logits.argmax(axis=1) == labels).mean()
    loss = torch.nn.functional.cross_entropy(torch.from_numpy(logits), torch.from_numpy(labels))
    assert curve[-1] == [pytest.approx(loss.item(), rel=1e-5), pytest.approx(accuracy)]
    assert seconds > 0


def test_a_network_that_adds_nothing_is_left_out_after_a_fold(data, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(loop, "_TRIED", 2)
    seen = []
    with caplog.at_level("INFO"):
        result = run(data, tmp_path, is_hopeless=lambda logits, tested: seen.append((logits, tested)) or True)
    curve, logits, _ = result
    assert (len(curve), logits.any()) == (1, False)
    assert "after epoch" in caplog.text
    assert "of 2\n" in caplog.text  # epochs
    assert [len(logits) for logits, _ in seen] == [len(seen[0][1])] * 2
    assert [file.name for file in tmp_path.iterdir()] == ["fold-1.safetensors"]
    again = run(data, tmp_path, is_hopeless=lambda *_, tested: True)
    assert (again[0], again[2]) == (result[0], result[2])
    assert run(data, tmp_path, is_hopeless=lambda *_, tested: False)[1].any()
