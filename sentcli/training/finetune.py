"""The model that fine-tuning starts from: its vocabulary, its shape, its weights, and what it rehearses."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sentcli.backends.weights import load_model
from sentcli.config import BundleConfig, ModelConfig
from sentcli.datasets.labels import known_labels
from sentcli.datasets.load import load_split
from sentcli.datasets.splits import Hashes, learned_hashes
from sentcli.evaluation.display import accuracy_of_texts
from sentcli.evaluation.metrics_file import read_history, read_metrics
from sentcli.model.bilstm import BiLSTM, gates_of, tie_gates
from sentcli.model.bundle import REHEARSAL, Bundle, load_bundle
from sentcli.scoring.labels import Floats, softmax
from sentcli.text.tokenizer import words_of
from sentcli.text.vocabulary import Vocab
from sentcli.training.classifier import measure, predict_logits
from sentcli.training.examples import Examples
from sentcli.training.glove import Coverage

_log = logging.getLogger("sentcli")

# Only training uses dropouts, so each training sets its own; it also fits its own neutral head and n-grams.
_OF_TRAINING = ("embedding_dropout", "dropout", "neutral_head", "ngram_buckets")
_OF_VOCABULARY = ("min_freq", "bigrams")
_OF_DATA = ("dataset", "data", "glove", "validation_data", "base")

MOST_LEARNED = 0.05  # share of validation texts that a model may have learned
_REHEARSED = 2  # own sentences for each text to train on
_MEASURED = 8  # one of so many own sentences is not rehearsed: it measures what was forgotten


@dataclass(frozen=True)
class Base:
    """A model to fine-tune. It is read completely before training, because its folder may change later."""

    path: Path
    digest: str
    config: BundleConfig
    vocab: Vocab
    model: BiLSTM
    coverage: Coverage
    learned: Hashes  # of the texts that it has learned
    history: list[dict[str, Any]]  # of `history.csv`; each stage begins with the name of the model
    origin: dict[str, Any]  # its `name`, and the data that it was trained on, from its metrics
    decided: dict[str, Any]  # the settings that fine-tuning cannot change, by field name
    sentences: Examples  # labeled ones, to rehearse and to measure what was forgotten; often none
    keeps_classifier: bool = True  # whether the new model has the same classes

    def has_classes(self, labels: Sequence[str]) -> bool:
        """Return whether the model has these classes in this order; 0 and 1 are names of its classes too."""
        known = known_labels(labels, self.config.labels)
        return [known.get(name) for name in labels] == [*range(len(self.config.labels))]

    def network(self, shape: ModelConfig, seed: int) -> BiLSTM:
        """Build a network with the weights of the model; `shape` has its dropouts and number of classes."""
        torch.manual_seed(seed)
        network = BiLSTM(shape)
        network.load_state_dict(self._weights(), strict=False)
        tie_gates(network, gates_of(self.model))
        return network

    def _weights(self) -> dict[str, Tensor]:
        left_out = ("neutral_head.", "ngrams.", *["classifier."] * (not self.keeps_classifier))
        weights = self.model.state_dict().items()
        return {name: value for name, value in weights if not name.startswith(left_out)}

    def interpolate(self, network: BiLSTM, share: float) -> None:
        """Move the weights of a network back towards those of this model.

        The weights in between are often better on both data sets (M. Wortsman et al., "Robust fine-tuning of
        zero-shot models", CVPR 2022).
        """
        weights = network.state_dict()
        for name, before in self._weights().items():
            weights[name].lerp_(before, share)

    def rehearse(self, train: Examples) -> Examples:
        """Return texts to train on, and own sentences with the probabilities that this model gives them.

        What a network learns of the texts, such as how often they are negative, else changes its answers on
        all others (Z. Li and D. Hoiem, "Learning without Forgetting", ECCV 2016).
        """
        (rows,) = (np.arange(len(self.sentences)) % _MEASURED).nonzero()
        if not len(rows) or not self.keeps_classifier:
            return train
        own = self.sentences.take(rows[: _REHEARSED * len(train)])
        targets = softmax(self._predict(self.model, own)).astype(np.float32)
        return Examples([*train.ids, *own.ids], np.concatenate([train.targets, targets]))

    def _predict(self, network: BiLSTM, examples: Examples) -> npt.NDArray[np.float32]:
        return predict_logits(network, examples, torch.device("cpu"))[:, : len(self.config.labels)]

    def measure(self, validation: Examples, class_weights: Tensor | None) -> tuple[Floats, dict[str, float]]:
        """Return the logits of this model for validation texts, and its record as epoch 0; log the record."""
        logits = self._predict(self.model, validation)
        loss, accuracy = measure(logits, validation, class_weights)
        of_texts = accuracy_of_texts(accuracy, int(validation.has_label.sum()))
        _log.info("%s alone: accuracy %s, loss %.4f", self.origin["name"], of_texts, loss)
        return logits.astype(np.float64), {
            "epoch": 0,
            "validation_loss": loss,
            "validation_accuracy": accuracy,
        }

    def compare(self, network: BiLSTM) -> dict[str, float]:
        """Return the accuracies of this model and a network on own sentences that were not rehearsed."""
        unseen = self.sentences.take(np.arange(0, len(self.sentences), _MEASURED))
        if not len(unseen):
            return {}
        before, after = (measure(self._predict(of, unseen), unseen)[1] for of in (self.model, network))
        values = len(unseen), self.origin["name"], before, after
        _log.info("on %d sentences that %s learned: accuracy %.3f before, %.3f after", *values)
        return {"own_before": before, "own_after": after}


def load_base(path: Path) -> Base:
    """Read a folder that `sentcli train` wrote."""
    bundle = load_bundle(path)
    metrics: dict[str, Any] = dict(read_metrics(bundle))
    model, config = load_model(bundle), bundle.config
    decided = {
        **{name: value for name, value in config.model.to_json().items() if name not in _OF_TRAINING},
        **config.text.to_json(),
        **{name: metrics["training"][name] for name in _OF_VOCABULARY},
        "gates": gates_of(model),
    }
    return Base(
        path=bundle.path,
        digest=bundle.digest,
        config=config,
        vocab=bundle.vocab,
        model=model,
        coverage=Coverage(**{count.name: metrics["glove"][count.name] for count in fields(Coverage)}),
        learned=learned_hashes(bundle),
        history=[{**record, "stage": f"{bundle.name}: {record['stage']}"} for record in read_history(bundle)],
        origin={"name": bundle.name, **{name: metrics[name] for name in _OF_DATA}},
        decided=decided,
        sentences=_sentences(bundle),
    )


def _sentences(bundle: Bundle) -> Examples:
    labels = bundle.config.labels
    if REHEARSAL not in bundle.digests:
        return Examples([], np.empty((0, len(labels)), np.float32))
    bundle.read(REHEARSAL)  # it is as the manifest says
    data = load_split(str(bundle.path / REHEARSAL), "train", None, None)
    ids = [np.array(bundle.vocab.encode(words_of(text)), np.int32) for text in data.texts]
    return Examples(ids, data.class_targets(labels))
