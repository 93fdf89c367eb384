"""The model that fine-tuning starts from: its vocabulary, its shape and its weights."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sentcli.backends.weights import load_model
from sentcli.config import BundleConfig, ModelConfig
from sentcli.datasets.labels import known_labels
from sentcli.datasets.splits import Hashes, learned_hashes
from sentcli.evaluation.metrics_file import read_history, read_metrics
from sentcli.model.bilstm import BiLSTM, gates_of, tie_gates
from sentcli.model.bundle import load_bundle
from sentcli.text.vocabulary import Vocab
from sentcli.training.glove import Coverage

# Only training uses dropouts, so each training sets its own; it also fits its own neutral head and n-grams.
_OF_TRAINING = ("embedding_dropout", "dropout", "neutral_head", "ngram_buckets")
_OF_VOCABULARY = ("min_freq", "bigrams")
_OF_DATA = ("dataset", "data", "glove", "validation_data", "base")


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
    )
