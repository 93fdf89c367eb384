"""A model measured on a labelled data set, and what is to be known of how that was done."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sentcli.backends import choose
from sentcli.errors import UsageError
from sentcli.evaluation.datasets import load_split, load_validation
from sentcli.evaluation.holdout import held_out_part
from sentcli.evaluation.labels import LabeledTexts, class_ids
from sentcli.evaluation.leakage import share_learnt
from sentcli.evaluation.measurement import Measurement, measure
from sentcli.evaluation.metrics_file import read_metrics
from sentcli.evaluation.passages import cut_passages
from sentcli.evaluation.splits import CsvFormat
from sentcli.model.bundle import Bundle
from sentcli.scoring.predict import predict

_log = logging.getLogger("sentcli")

_TOO_MANY = 0.1  # of the texts; of the test split of IMDb 0.9 % are in its other splits too


@dataclass(frozen=True)
class EvaluationSource:
    """The labelled texts to measure on.

    :param dataset, split, text_column, label_column, csv: see `load_split`.
    :param held_out: what was held out when the model was trained, of the train split or besides it.
    :param passages: sentences that a passage cut from each text has at most; None: texts as they are.
    :param unseen_by: a model that must not have learnt from these texts, as its card is to show the figures.
    """

    dataset: str
    split: str
    held_out: bool
    text_column: str | None
    label_column: str | None
    csv: CsvFormat
    passages: int | None
    unseen_by: Bundle | None = None

    def load(self, bundle: Bundle) -> LabeledTexts:
        """Read the texts that a model is to be measured on.

        :raises DataError: see `load_split`.
        :raises BundleError: see `held_out_part`.
        :raises UsageError: when they are what `unseen_by` learnt from. Of another model that is a warning.
        """
        examples = self._read(bundle)
        if self.held_out:
            examples = held_out_part(bundle, examples)
        else:
            self._check_unseen(bundle, examples)
        if self.passages:
            examples = replace(examples, texts=cut_passages(examples.texts, self.passages))
        return examples

    def _read(self, bundle: Bundle) -> LabeledTexts:
        columns = self.text_column, self.label_column, self.csv
        metrics = read_metrics(bundle) if self.held_out else None
        validation = metrics.get("validation_data") if metrics else None
        # What it was validated on may be elsewhere now: another file that was named is it.
        is_named = metrics and self.dataset != metrics["dataset"] and Path(self.dataset).is_file()
        if validation and not is_named:
            return load_validation(validation, self.dataset, *columns)
        return load_split(self.dataset, self.split, *columns)

    def _check_unseen(self, bundle: Bundle, examples: LabeledTexts) -> None:
        learner = self.unseen_by or bundle
        share = share_learnt(learner, examples.texts)
        if share.about < _TOO_MANY:
            return
        problem = (
            f"{learner.path} learnt from about {share.about:.0%} of the texts of {examples.where}, "
            "and its figures there promise too much"
        )
        if self.unseen_by and share.least >= _TOO_MANY:
            raise UsageError(f"--card: {problem}; try texts that it has not seen")
        _log.warning("%s; --held-out measures on what it was not fitted to", problem)


@dataclass(frozen=True)
class Runtime:
    """What runs a model, each as `Scorer` takes it."""

    backend: str | None
    device: str | None
    precision: str | None
    workers: int | None


def evaluate_bundle(
    bundle: Bundle,
    source: EvaluationSource,
    runtime: Runtime,
    against: Bundle | None = None,
    *,
    quiet: bool = False,
) -> tuple[Measurement, dict[str, Any]]:
    """Measure a model.

    :param against: another model of the same labels to compare it with; its own file decides what runs it.
    :returns: what was measured, and a record of it in plain values, which `sentcli evaluate --json` prints.
    :raises DataError: when there is no such data set, a label is none of the model's, or no text has a word.
    :raises BundleError: when a bundle lacks the file to run, or cannot be run.
    :raises UsageError: when what is to run it does not go together.
    """
    ran = _model(bundle, runtime.backend)
    compared = _model(against, None) if against else None
    examples = source.load(bundle)
    texts, labels = examples.texts, class_ids(examples, bundle.config.labels)
    probabilities = predict(bundle, texts, quiet=quiet, **vars(runtime))
    others = None
    if against and compared:
        device = None if compared["backend"] == "onnx" else runtime.device
        others = predict(against, texts, quiet=quiet, workers=runtime.workers, device=device)
    measured = measure(texts, labels, probabilities, bundle.config.labels, others)

    if runtime.precision not in (None, "fp32"):
        ran["backend"] += f" {runtime.precision}"
    return measured, {
        "kind": "comparison" if compared else "passages" if source.passages else "texts",
        **ran,
        "against": compared,
        "dataset": source.dataset,
        "split": source.split,
        "held_out": source.held_out,
        "where": examples.where,
        "text_column": source.text_column,
        "label_column": source.label_column,
        "passages": source.passages,
        **measured.to_json(),
    }


def _model(bundle: Bundle, backend: str | None) -> dict[str, str]:
    """Say which model it is, and what runs which of its files."""
    name, file = choose(backend, bundle)
    return {"model": bundle.name, "file": file, "backend": name}
