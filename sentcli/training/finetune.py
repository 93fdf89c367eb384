"""The model that fine-tuning starts from: its vocabulary, its shape, its weights, and its own sentences."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sentcli.config import DataSet
from sentcli.datasets.labels import known_labels
from sentcli.datasets.load import load_split
from sentcli.datasets.splits import Hashes, learned_hashes
from sentcli.evaluation.model_card import read_metrics
from sentcli.model.bilstm import BiLSTM, gates_of
from sentcli.model.bundle import REHEARSAL, Bundle, load_bundle
from sentcli.text.tokenizer import Vocab, words_of
from sentcli.training.corpus import Examples

# Only training uses dropouts, so each training sets its own; it also fits its own neutral head and n-grams.
_OF_TRAINING = ("embedding_dropout", "dropout", "neutral_head", "ngram_buckets")
_OF_LSTM = ("hidden_size", "num_layers", "pooling", "gates")
_OF_VOCABULARY = ("min_freq", "bigrams")
_OF_DATA = ("dataset", "data", "glove", "validation_data", "base")

MOST_LEARNED = 0.05  # share of validation texts that a model may have learned


@dataclass(frozen=True)
class Base:
    """A model to fine-tune. It is read completely before training, because its folder may change later."""

    bundle: Bundle
    vocab: Vocab
    model: BiLSTM
    learned: Hashes  # those of the texts that it has learned
    origin: dict[str, Any]  # its `name`, and the data that it was trained on, from its metrics
    decided: dict[str, Any]  # the settings that fine-tuning cannot change, by field name
    sentences: Examples  # labeled ones, to rehearse and to measure what was forgotten; often none
    keeps_classifier: bool = True  # whether the new model has the same classes, and the same network
    keeps_network: bool = True  # else only the vocabulary and its vectors

    def for_size(self, hidden_size: int) -> "Base":
        """Return it for a network of this size: one of another size has a new LSTM."""
        if hidden_size == self.decided.get("hidden_size", hidden_size):
            return self
        decided = {name: value for name, value in self.decided.items() if name not in _OF_LSTM}
        return replace(self, decided=decided, keeps_classifier=False, keeps_network=False)


def has_classes(bundle: Bundle, labels: Sequence[str]) -> bool:
    """Return whether a model has these classes in this order; 0 and 1 are names of its classes too."""
    known = known_labels(labels, bundle.config.labels)
    return [known.get(name) for name in labels] == [*range(len(bundle.config.labels))]


def load_base(path: Path) -> Base:
    """Read a folder that `sentcli train` wrote."""
    from sentcli.backends.torch import load_model  # imports onnx, which other models need at the end alone

    bundle = load_bundle(path)
    metrics: dict[str, Any] = dict(read_metrics(bundle))
    model, config = load_model(bundle), bundle.config
    decided = {
        **{name: value for name, value in config.model.to_json().items() if name not in _OF_TRAINING},
        **config.text.to_json(),
        **{name: metrics["training"][name] for name in _OF_VOCABULARY},
        "gates": gates_of(model),
    }
    origin = {"name": bundle.name, **{name: metrics[name] for name in _OF_DATA}}
    learned, sentences = learned_hashes(bundle), _sentences(bundle)
    return Base(bundle, bundle.vocab, model, learned, origin, decided, sentences)


def _sentences(bundle: Bundle) -> Examples:
    labels = bundle.config.labels
    if REHEARSAL not in bundle.digests:
        return Examples([], np.empty((0, len(labels)), np.float32))
    bundle.read(REHEARSAL)  # it is as the manifest says
    data = load_split(DataSet(str(bundle.path / REHEARSAL)), "train")
    ids = [np.array(bundle.vocab.encode(words_of(text)), np.int32) for text in data.texts]
    return Examples(ids, data.class_targets(labels))
