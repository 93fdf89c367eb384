"""The model that a training goes on from: its words, its shape and its weights, in place of word vectors."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from sentcli.config import BundleConfig, ModelConfig
from sentcli.errors import BundleError
from sentcli.evaluation.history import read_history
from sentcli.evaluation.holdout import digest_texts
from sentcli.evaluation.labels import LabeledTexts, class_ids
from sentcli.evaluation.leakage import Sample, sample_of, share_in
from sentcli.evaluation.metrics_file import read_metrics
from sentcli.model.bilstm import BiLSTM, gates_of, load_model, tie_gates
from sentcli.model.bundle import METRICS, RECIPE, default_bundle_path, load_bundle
from sentcli.text.vocabulary import Vocab
from sentcli.training.corpus import Texts
from sentcli.training.glove import Coverage

_log = logging.getLogger("sentcli")

_DROPOUTS = ("embedding_dropout", "dropout")  # act in training alone: each training has its own
_OF_VOCABULARY = ("min_freq", "phrases")
_OF_DATA = ("dataset", "hub_id", "glove", "self_training", "sentences", "validation_data", "base")
_TOO_MANY = 0.1  # of the texts that are held out: a few may be in both by chance


@dataclass(frozen=True)
class Base:
    """What is taken from a model's folder, all of it before training begins: the folder may change then.

    :param digest: that of the bundle.
    :param model: with the weights.
    :param learnt: the sample that it keeps of what it learnt from.
    :param split: the digest of what was held out when it was trained.
    :param recipe: the settings that made it, if they are in its folder.
    :param history, stages: the records of `history.csv` and of the metrics, the name of the model before each
        stage.
    :param origin: its `name`, and what its metrics say that it learnt from.
    :param decided: the settings that cannot change any more, by their fields.
    """

    path: Path
    digest: str
    config: BundleConfig
    vocab: Vocab
    model: BiLSTM
    coverage: Coverage
    learnt: Sample
    split: str | None
    recipe: str | None
    history: list[dict[str, Any]]
    stages: list[dict[str, Any]]
    origin: dict[str, Any]
    decided: dict[str, Any]

    def check(self, data: LabeledTexts, texts: Texts) -> Texts:
        """Give the texts the classes of the model, in its order, and warn of what it learnt already.

        :param data: what the texts with labels are parts of; an error names a row of it.
        :raises DataError: for a label that the model does not have.
        """
        class_ids(data, self.config.labels)
        held_out = texts.validation.texts
        if self.split != digest_texts(held_out) and share_in(self.learnt, held_out).about >= _TOO_MANY:
            _log.warning(
                "%s learnt from some of the texts that are held out now, or others were held out then; "
                "figures on them promise too much",
                self.path,
            )
        return replace(texts, labels=self.config.labels)

    def network(self, shape: ModelConfig) -> BiLSTM:
        """Build a network with the weights of the model.

        :param shape: that of the model; its dropouts may differ.
        """
        network = BiLSTM(shape)
        network.load_state_dict(self.model.state_dict())
        tie_gates(network, gates_of(self.model))
        return network

    def mix(self, network: BiLSTM, share: float) -> None:
        """Move the weights of a network back towards those of the model that it went on from.

        What lies between the two often knows more of both than either (M. Wortsman et al., "Robust
        fine-tuning of zero-shot models", CVPR 2022). The model in the box kept 0.15 of one whose
        validation loss is 0.189, and went from 0.186 to 0.185.

        :param share: of the model; 0 leaves the network as it is.
        """
        before = self.model.state_dict()
        for name, weights in network.state_dict().items():
            weights.lerp_(before[name], share)


def load_base(path: Path) -> Base:
    """Read a folder that `sentcli train` wrote.

    :param path: the name of the model in the box stands for that, unless there is such a folder.
    :raises BundleError: when it is no such folder.
    """
    in_the_box = default_bundle_path()
    if str(path) == in_the_box.name and not path.exists():
        path = in_the_box
    bundle = load_bundle(path)
    metrics: dict[str, Any] = dict(read_metrics(bundle))
    model, config = load_model(bundle), bundle.config
    try:
        training, glove = metrics["training"], metrics["glove"]
        decided = {
            **{name: value for name, value in config.model.to_json().items() if name not in _DROPOUTS},
            **config.text.to_json(),
            **{name: training[name] for name in _OF_VOCABULARY if name in training},
            "gates": gates_of(model),
            "pretrain": 0,
        }
        coverage = Coverage(**{field.name: glove[field.name] for field in fields(Coverage)})
    except (KeyError, TypeError) as error:
        raise BundleError(
            f"{path / METRICS}: not as `sentcli train` writes it ({error!r:.100}); train the model anew"
        ) from None
    return Base(
        path=path,
        digest=bundle.digest,
        config=config,
        vocab=bundle.vocab,
        model=model,
        coverage=coverage,
        learnt=sample_of(bundle),
        split=metrics.get("split"),
        recipe=bundle.read(RECIPE).decode("utf-8", "surrogateescape") if RECIPE in bundle.digests else None,
        history=_of_stages(bundle.name, read_history(bundle)),
        stages=_of_stages(bundle.name, metrics.get("stages", [])),
        origin={"name": bundle.name, **{name: metrics[name] for name in _OF_DATA if name in metrics}},
        decided=decided,
    )


def _of_stages(name: str, records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{**record, "stage": f"{name}: {record['stage']}"} for record in records]
