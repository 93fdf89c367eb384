"""`sentcli evaluate`."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sentcli.bundle import load_bundle
from sentcli.cli import printable
from sentcli.cli.options import (
    backend_option,
    dataset_option,
    device_option,
    label_column_option,
    log_to_stderr,
    model_argument,
    overwrite_option,
    quiet_option,
    text_column_option,
    workers_option,
)
from sentcli.errors import OutputError, requires

if TYPE_CHECKING:
    from sentcli.evaluation import Evaluation, Floats
    from sentcli.scoring import Scorer

_CHUNK = 2048  # texts between two updates of the progress bar
_MOST_CLASSES = 12  # with more, the confusion matrix is too wide for a terminal
_LONGEST_NAME = 24  # characters of a class name in the tables


@click.command()
@model_argument
@dataset_option
@click.option("--split", default="test", help="Part of the data set to measure on; a file is all one part.")
@text_column_option
@label_column_option
@backend_option
@device_option
@workers_option
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.option("--plots", type=click.Path(path_type=Path), help="Folder for pictures of the figures.")
@overwrite_option
@quiet_option
def evaluate(
    model: Path,
    dataset: str,
    split: str,
    text_column: str | None,
    label_column: str | None,
    backend: str | None,
    device: str | None,
    workers: int | None,
    as_json: bool,
    plots: Path | None,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Measure a model on a labelled split of a data set.

    MODEL is a model folder, or one model file in it; by default the model in the box. Printed are accuracy
    with its 95 % interval, F1, ROC AUC, log loss, expected calibration error and the confusion matrix. Texts
    without a word get no score: they are counted, and left out of all figures.

    \b
    Example:
      sentcli evaluate my-model --dataset held-out.csv --label-column stars --plots pictures
    """
    log_to_stderr(quiet=quiet)
    if sys.stdout is None:
        raise OutputError("standard output is closed, and that is where the figures go")
    bundle = load_bundle(model)
    names = bundle.config.labels
    with requires("train"):
        from sentcli.training.dataset import label_ids, load_split

        if plots:
            from sentcli.plots import check_folder, draw_evaluation
    from sentcli import evaluation
    from sentcli.scoring import Scorer

    if plots:
        check_folder(plots, overwrite=overwrite)
    examples = load_split(dataset, split, text_column, label_column)
    labels = label_ids(examples.labels, names, examples.where)
    with Scorer(bundle, backend=backend, device=device, workers=workers) as scorer:
        probabilities = _score(scorer, examples.texts, quiet=quiet)
        ran = scorer.backend
    labels, probabilities = evaluation.without_blank(labels, probabilities)
    figures = evaluation.evaluate(labels, probabilities, names)
    if plots:
        draw_evaluation(plots, labels, probabilities, names)
    blank = len(examples) - len(labels)
    if as_json:
        of = {"model": bundle.name, "dataset": dataset, "split": split, "backend": ran, "blank": blank}
        click.echo(json.dumps({**of, **figures.to_json()}, indent=2))
    else:
        click.echo(f"{printable(f'{bundle.name} on {examples.where}')} ({ran})\n")
        click.echo(_report(figures, blank))


def _score(scorer: "Scorer", texts: Sequence[str], *, quiet: bool) -> "Floats":
    """Give the probabilities of all texts, with a progress bar."""
    import numpy as np
    from tqdm import tqdm

    probabilities = np.empty((len(texts), len(scorer.labels)))
    with tqdm(total=len(texts), unit="texts", leave=False, disable=True if quiet else None) as bar:
        for start in range(0, len(texts), _CHUNK):
            chunk = texts[start : start + _CHUNK]
            probabilities[start : start + len(chunk)] = scorer.probabilities(chunk)
            bar.update(len(chunk))
    return probabilities


def _report(figures: "Evaluation", blank: int) -> str:
    """Lay the figures out for people."""
    low, high = figures.accuracy_interval
    rows = [
        ("texts", f"{figures.examples:,}", f"{blank:,} more without a word, left out" if blank else ""),
        ("accuracy", _four(figures.accuracy), f"95 % interval {low:.4f} to {high:.4f}"),
        ("F1", _four(figures.f1), f"of {_name(figures.classes[1].name)}"),
        ("macro F1", _four(figures.macro_f1), "mean of the classes"),
        ("ROC AUC", _four(figures.roc_auc), figures.roc_auc_reason or ""),
        ("log loss", _four(figures.log_loss), ""),
        (
            "calibration error",
            _four(figures.expected_calibration_error),
            "expected, of the confidence",
        ),
    ]
    if figures.f1 is None:
        rows = [row for row in rows if row[0] != "F1"]
    names = [_name(scores.name) for scores in figures.classes]
    classes = [
        (name, f"{of.support:,}", _four(of.precision), _four(of.recall), _four(of.f1))
        for name, of in zip(names, figures.classes, strict=True)
    ]
    confusion = [
        (name, *(f"{count:,}" for count in counts))
        for name, counts in zip(names, figures.confusion, strict=True)
    ]
    blocks = [
        _aligned(rows, "<><"),
        _aligned([("class", "texts", "precision", "recall", "F1"), *classes], "<>>>>"),
    ]
    if len(names) <= _MOST_CLASSES:
        blocks.append(_aligned([("true \\ predicted", *names), *confusion], "<" + ">" * len(names)))
    return "\n\n".join(blocks)


def _aligned(rows: Sequence[Sequence[str]], sides: str) -> str:
    """Write rows under each other, each column to the side that `<` or `>` points to."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(f"{cell:{side}{width}}" for cell, side, width in zip(row, sides, widths, strict=True))
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def _four(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _name(name: str) -> str:
    name = printable(name)
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
