"""The model that a training goes on from: its words, its shape and its weights, in place of word vectors."""

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from sentcli.bundle import RECIPE, Bundle, load_bundle
from sentcli.config import GATES, ModelConfig, TextConfig
from sentcli.errors import DataError, UsageError
from sentcli.model import BiLSTM, couple_gates, has_coupled_gates, load_model
from sentcli.training.corpus import Texts
from sentcli.training.glove import Coverage
from sentcli.training.metrics import read_metrics
from sentcli.training.settings import Settings

_DROPOUTS = ("embedding_dropout", "dropout")  # act in training alone: each training has its own
_OF_VOCABULARY = ("min_freq", "phrases")


def with_base(settings: Settings, path: Path, given: Mapping[str, tuple[str, Any]]) -> Settings:
    """Have a training go on from a model, which decides what cannot change any more.

    :param path: a folder that `sentcli train` wrote.
    :param given: of the fields of `TextConfig`, `ModelConfig` and `TrainConfig` those that the user gave,
        each with its option and its value.
    :raises BundleError: when it is no such folder.
    :raises UsageError: for something given that is not so in the model.
    """
    bundle = load_bundle(path)
    decided = decided_by(bundle)
    for name, (option, value) in given.items():
        if name in decided and value != decided[name]:
            raise UsageError(f"{option} {value}: --from {path} has {decided[name]} for good; leave it out")
    of_model = {field.name: decided[field.name] for field in fields(ModelConfig) if field.name in decided}
    of_text = {field.name: decided[field.name] for field in fields(TextConfig) if field.name in decided}
    others = {name: value for name, value in decided.items() if name not in of_model | of_text}
    return replace(
        settings,
        base=bundle,
        text=TextConfig(**of_text),
        model=replace(settings.model, **of_model),
        config=replace(settings.config, **others),
        auto=[name for name in settings.auto if name not in others],
    )


def decided_by(bundle: Bundle) -> dict[str, Any]:
    """Give the settings that a model decides for what goes on from it, by their fields."""
    training, config = read_metrics(bundle)["training"], bundle.config
    return {
        **{name: value for name, value in config.model.to_json().items() if name not in _DROPOUTS},
        **config.text.to_json(),
        **{name: training[name] for name in _OF_VOCABULARY if name in training},
        "gates": GATES[has_coupled_gates(load_model(bundle))],
        "pretrain": 0,
    }


def check_base(bundle: Bundle, texts: Texts) -> Texts:
    """Give the texts their classes in the order that they have in the model.

    :raises DataError: when the model has others.
    """
    labels = bundle.config.labels
    if sorted(labels) != sorted(texts.labels):
        raise DataError(
            f"--from {bundle.path}: a model of {', '.join(labels):.200}, "
            f"but the data has {', '.join(texts.labels):.200}"
        )
    return replace(texts, labels=labels)


def mix(network: BiLSTM, bundle: Bundle, share: float) -> None:
    """Move the weights of a network back towards those of the model that it went on from.

    What lies between the two often knows more of both than either (M. Wortsman et al., "Robust fine-tuning of
    zero-shot models", CVPR 2022). On IMDb and sentences, from the model of 40 units before it: kept 0, 0.3,
    0.5, 1: validation loss 0.1933, 0.1916, 0.1914, 0.1939.

    :param share: of the model; 0 leaves the network as it is.
    """
    before = load_model(bundle).state_dict()
    for name, weights in network.state_dict().items():
        weights.lerp_(before[name], share)


def coverage_of(bundle: Bundle) -> Coverage:
    """Say which of its words the model began with vectors for."""
    glove = read_metrics(bundle)["glove"]
    return Coverage(**{field.name: glove[field.name] for field in fields(Coverage)})


def origin_of(bundle: Bundle) -> dict[str, Any]:
    """Say what the model is called and learnt from, for the metrics of what goes on from it."""
    metrics: dict[str, Any] = dict(read_metrics(bundle))
    of_data = ("dataset", "hub_id", "glove", "self_training", "sentences", "base")
    return {"name": bundle.name, **{name: metrics[name] for name in of_data if name in metrics}}


def recipe_of(bundle: Bundle) -> str | None:
    """Give the settings that made the model, if they are in its folder."""
    return bundle.read(RECIPE).decode("utf-8", "surrogateescape") if RECIPE in bundle.digests else None


def network_of(bundle: Bundle, shape: ModelConfig) -> BiLSTM:
    """Build the network with the weights of a model.

    :param shape: that of the model; its dropouts may differ.
    """
    trained, network = load_model(bundle), BiLSTM(shape)
    network.load_state_dict(trained.state_dict())
    if has_coupled_gates(trained):
        couple_gates(network)
    return network
