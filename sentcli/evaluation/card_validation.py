"""The part of a model card that training measured on the validation part."""

from collections.abc import Collection, Mapping, Sequence
from statistics import mean
from typing import Any

from sentcli.config import FOLDS
from sentcli.evaluation.card_evaluations import confusion_matrix, named_figures, picture
from sentcli.evaluation.markdown import block, code, four, table
from sentcli.evaluation.metrics_file import Metrics
from sentcli.evaluation.temperature import TEMPERATURES
from sentcli.model import bundle

_REACHED = {
    "validation_accuracy": "accuracy",
    "validation_loss": "log loss",
    "validation_calibration_error": "calibration error",
}
_MOST_EPOCHS = 40  # in the table; history.csv has them all


def validation(
    metrics: Metrics, history: Sequence[Mapping[str, float]], files: Collection[str], line: str
) -> str:
    """Write the section; for the other parameters see `sentcli.evaluation.model_card.model_card`.

    :param line: the command that measures the validation part again.
    """
    figures = metrics["validation"]
    classes = [
        (
            code(scores["name"]),
            f"{scores['support']:,}",
            *(four(scores[key]) for key in ("precision", "recall", "f1")),
        )
        for scores in figures["classes"]
    ]
    class_weight = metrics["training"].get("class_weight", "none")
    parts = (
        table(("figure", "value", "95 % interval"), named_figures(figures)),
        table(("class", "texts", "precision", "recall", "F1"), classes),
        confusion_matrix(figures),
        picture(bundle.CURVES, "Loss and accuracy over the epochs", files),
        _history(history, class_weight),
        _passages(metrics.get("validation_passages"), line),
        _stages(metrics.get("stages"), figures, metrics.get("base")),
        _calibration(metrics.get("calibration"), files, class_weight),
        _variants(metrics, files),
    )
    return "\n\n".join(part for part in parts if part)


def _history(history: Sequence[Mapping[str, float]], class_weight: str) -> str:
    if len(history) > _MOST_EPOCHS:
        return f"The figures of all {len(history)} epochs are in `{bundle.HISTORY}`."
    columns = [column for column in history[0] if column.startswith(("train_", "validation_"))]
    rows = [(f"{record['epoch']:.0f}", *(four(record[column]) for column in columns)) for record in history]
    epochs = table(("epoch", *(column.replace("_", " ") for column in columns)), rows)
    weighed = "In this table, and where an epoch is chosen, the validation loss is weighed by class."
    return f"{epochs}\n\n{weighed}" if class_weight == "balanced" else epochs


def _passages(figures: Mapping[str, Any] | None, line: str) -> str:
    if not figures:
        return ""
    (low, high), sentences = figures["accuracy_interval"], figures["sentences"]
    return (
        f"Of {figures['examples']:,} passages of up to {sentences} sentences, cut from each text and with "
        f"its label, {figures['accuracy']:.1%} were labelled right ({low:.1%} to {high:.1%}), as "
        f"{code(f'{line} --passages {sentences}')} says."
    )


def _stages(
    stages: Sequence[Mapping[str, Any]] | None, figures: Mapping[str, Any], base: Mapping[str, Any] | None
) -> str:
    if not stages:
        return ""
    weighed = (
        "a logistic regression over the models of its round, fitted to this validation part. Its own figures "
        "are of five-fold cross-validation."
    )
    if min(scores["support"] for scores in figures["classes"]) < FOLDS:
        weighed = (
            "the models of its round, whose log-probabilities weighed the same: some class has fewer than "
            f"{FOLDS} texts in this validation part."
        )
    rows = [
        (stage["stage"], four(stage["validation_accuracy"]), four(stage["validation_loss"]))
        for stage in stages
    ]
    text = f"Texts without labels were labelled by a teacher: {weighed}"
    if base and any(stage["stage"].startswith(f"{base['name']}: ") for stage in stages):
        text += (
            f" Stages of {code(base['name'])} are of the model that this one began as, on what was held out "
            "when it was trained."
        )
    head = ("stage", "validation accuracy", "validation loss")
    return "\n\n".join(("### Teachers", text, table(head, rows)))


def _calibration(calibration: Mapping[str, float] | None, files: Collection[str], class_weight: str) -> str:
    if not calibration:
        return ""
    rows = (
        ("log loss", four(calibration["log_loss_before"]), four(calibration["log_loss_after"])),
        ("expected calibration error", four(calibration["error_before"]), four(calibration["error_after"])),
    )
    temperature = calibration["temperature"]
    how = "which the validation part chose"
    if temperature == 1:
        how = "since the validation part, all of it right, says nothing of how sure the model may be"
    elif not TEMPERATURES[0] * 1.001 < temperature < TEMPERATURES[1] * 0.999:
        how = "the limit: the validation part would go further, and says little of how sure the model may be"
    text = (
        f"All logits are divided by a temperature of {temperature:.4f}, {how}. It is within the weights of "
        "the classifier, so that every file of the model has it."
    )
    if class_weight == "balanced":
        text += " Each class had the same say in it; the figures here take the texts as they come."
    parts = (
        "### Calibration",
        text,
        table(("", "before", "after"), rows),
        picture(bundle.RELIABILITY, "Reliability before and after calibration", files),
    )
    return "\n\n".join(part for part in parts if part)


def _variants(metrics: Metrics, files: Collection[str]) -> str:
    """Write what `benchmarks/sizes.py` measured."""
    sections = [_seeds(metrics.get("seeds")), _sizes(metrics.get("sizes"), files)]
    if not any(sections):
        return ""
    measured = metrics["variants"]
    which = "the model that this one began as" if metrics.get("base") else "this model"
    text = (
        f"Trained by the recipe of {which}, all of them with the same pseudo-labels, if any, which need "
        f"not be those of {which}, and measured on the same texts; "
        f"reviews/s are those of one core of {measured['machine']}."
    )
    parts = ("### Other seeds and sizes", text, block(measured["command"]), *sections)
    return "\n\n".join(part for part in parts if part)


def _seeds(seeds: Sequence[Mapping[str, float]] | None) -> str:
    if not seeds or len(seeds) < 2:  # one has no spread
        return ""
    accuracies = [model["validation_accuracy"] for model in seeds]
    low, high = min(accuracies), max(accuracies)
    rows = [(f"{model['seed']:.0f}", *_reached(model)) for model in seeds]
    spread = f"The mean accuracy is {four(mean(accuracies))}, the spread {four(low)} to {four(high)}."
    return "\n\n".join((table(("seed", *_REACHED.values()), rows), spread))


def _sizes(sizes: Sequence[Mapping[str, float]] | None, files: Collection[str]) -> str:
    if not sizes:
        return ""
    rows = [
        (
            f"{model['hidden']:.0f}",
            f"{model['layers']:.0f}",
            *_reached(model),
            f"{model['reviews_per_second']:,.0f}",
        )
        for model in sizes
    ]
    head = ("states in each direction", "layers", *_REACHED.values(), "reviews/s, fp32")
    parts = (table(head, rows), picture(bundle.SIZES, "Accuracy against speed", files))
    return "\n\n".join(part for part in parts if part)


def _reached(model: Mapping[str, float]) -> list[str]:
    return [four(model[name]) for name in _REACHED]
