"""Write later measurements of a model into its own folder: `metrics.json`, plots and card."""

import json
import os.path
from collections.abc import Mapping
from typing import Any

from jinja2 import TemplateError

from sentcli.errors import BundleError, UsageError, option
from sentcli.evaluation import plots
from sentcli.evaluation.evaluate import Measurement
from sentcli.evaluation.metrics_file import own_epochs, read_history, read_metrics
from sentcli.evaluation.model_card import headline, is_of_file, model_card, write_card
from sentcli.model.bundle import (
    CONFUSION,
    EVALUATED_RELIABILITY,
    LENGTHS,
    METRICS,
    Bundle,
    check_target,
    check_writable,
    load_bundle,
    new_bundle,
)

# An evaluation on the same data that agrees in all of these is a repetition, and replaces the earlier one.
_IDENTITY = ("kind", "file", "backend", "text_column", "label_column")


def check_card(bundle: Bundle) -> None:
    """Check that the card of a model can be written, before the metrics are computed."""
    if METRICS not in bundle.digests:
        raise UsageError(
            f"{option('card')}: {bundle.path} was not written by `sentcli train` and has no card; "
            "give the folder of the trained model"
        )
    check_target(bundle.path, overwrite=True)
    check_writable(bundle.path.resolve().parent)
    metrics, history = read_metrics(bundle), own_epochs(read_history(bundle))
    try:
        model_card(bundle.config, metrics, history, name=bundle.name, files=bundle.digests)
    except (TemplateError, KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise BundleError(
            f"{bundle.path / METRICS}: cannot make a card from it ({error!r:.200}); "
            "another version of sentcli wrote it; train the model again"
        ) from error


def record_evaluation(bundle: Bundle, record: Mapping[str, Any], measured: Measurement) -> None:
    """Write an evaluation and its command into the model folder, in place of an earlier one of its kind."""
    now = load_bundle(bundle.path)  # another evaluation may have been recorded in the meantime
    if now.digest != bundle.digest:
        raise BundleError(f"{bundle.path}: the model changed while it was measured; measure it again")
    metrics, history = read_metrics(now), own_epochs(read_history(now))
    records = {tuple(_identity(old)): old for old in [*metrics.get("evaluations", ()), dict(record)]}
    metrics["evaluations"] = [*records.values()]
    with new_bundle(bundle.path, overwrite=True) as folder:
        for name in now.digests:
            (folder / name).write_bytes(now.read(name))
        if headline(metrics) == record:
            plots.confusion_matrix(folder / CONFUSION, measured, bundle.config.labels)
            diagram = {"Reliability": measured.probabilities}
            plots.reliability(folder / EVALUATED_RELIABILITY, measured.labels, diagram)
            plots.accuracy_by_length(folder / LENGTHS, measured)
        (folder / METRICS).write_text(json.dumps(metrics, indent=2) + "\n", "utf-8")
        write_card(folder, bundle.config, metrics, history, name=bundle.name)


def _identity(record: Mapping[str, Any]) -> list[Any]:
    return [
        os.path.normpath(record["dataset"]),
        None if is_of_file(record) else record["split"],
        *(record[name] for name in _IDENTITY),
    ]
