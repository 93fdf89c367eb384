"""Plots of a training and of an evaluation, as PNG files. Needs matplotlib, but no display."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from sklearn.metrics import ConfusionMatrixDisplay

from sentcli.evaluation.metrics import Labels, lengths_of
from sentcli.evaluation.metrics import reliability as reliability_bins
from sentcli.evaluation.predictions import confused_pairs
from sentcli.evaluation.report import short_name
from sentcli.files.atomic import new_file, output_errors
from sentcli.scoring.groups import wilson_interval
from sentcli.scoring.labels import Floats

if TYPE_CHECKING:
    from sentcli.evaluation.evaluate import Measurement

# The palette of Okabe and Ito for every kind of color vision, darkest first, without its pale yellow.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
GREY = "#6b6b6b"
_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # part of matplotlib, so that a plot is the same everywhere
    "font.size": 9.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "text.parse_math": False,  # a label can be "$"
}
_REFERENCE: dict[str, Any] = {"color": GREY, "linewidth": 1, "linestyle": (0, (4, 3))}
_DPI = 150
_MOST_COUNTED, _MOST_NAMED = 12, 30  # classes in a confusion matrix with shares, with names
_MOST_PAIRS = 20


def confusion_matrix(path: Path, measured: "Measurement", names: Sequence[str]) -> None:
    """Draw the share of each predicted class in each true class; of many classes, the worst pairs."""
    counts = np.array(measured.figures.confusion)
    correct = f"{counts.trace():,} of {counts.sum():,} correct"
    if len(names) > _MOST_NAMED:
        pairs = confused_pairs(measured.figures, _MOST_PAIRS)[::-1]
        named = [f"{short_name(pair['label'])} → {short_name(pair['predicted'])}" for pair in pairs]
        with saved_figure(path, 8, 6) as figure:
            axes = figure.add_subplot(title=f"Classes confused most often: {correct}", axisbelow=True)
            axes.barh(range(len(pairs)), [pair["count"] for pair in pairs], color=COLORS[0])
            axes.set_yticks(range(len(pairs)), named)
            axes.set_xlabel("texts: label → prediction")
        return
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    is_small, side = len(names) <= _MOST_COUNTED, min(3.2 + 0.8 * len(names), 12)
    with saved_figure(path, side, side) as figure:
        axes = figure.add_subplot()
        style: dict[str, Any] = {"cmap": "Blues", "values_format": ".1%", "xticks_rotation": "vertical"}
        display = ConfusionMatrixDisplay(shares, display_labels=[*map(short_name, names)])
        display.plot(ax=axes, include_values=is_small, **style)
        axes.grid(visible=False)
        axes.set_title(f"Confusion matrix: {correct}")


def reliability(path: Path, labels: Labels, diagrams: Mapping[str, Floats]) -> None:
    """Draw accuracy against confidence in bins: the diagrams by title, side by side on the same scale."""
    with saved_figure(path, 0.6 + 4.6 * len(diagrams), 5) as figure:
        row = figure.subplots(1, len(diagrams), sharex=True, sharey=True, squeeze=False)[0]
        for axes, (title, probabilities) in zip(row, diagrams.items(), strict=True):
            bins = reliability_bins(labels, probabilities)
            used = bins.counts > 0
            lowest = bins.edges[:-1][used][0]
            axes.plot([lowest, 1], [lowest, 1], label="perfect calibration", **_REFERENCE)
            _accuracies(axes, bins.confidence[used], bins.accuracy[used], bins.counts[used].tolist())
            axes.set_title(f"{title}\nexpected calibration error {bins.error:.4f}")
            axes.set_xlabel("confidence (probability of the predicted class)")
        figure.legend(*row[0].get_legend_handles_labels(), loc="outside lower center")


def accuracy_by_length(path: Path, measured: "Measurement") -> None:
    """Draw the accuracy on texts of each slice of lengths, with the number of texts."""
    slices = [part for part in measured.by_length if part["examples"]]
    places, accuracies = np.arange(len(slices), dtype=float), np.array([part["accuracy"] for part in slices])
    with saved_figure(path, 6.4, 4.2) as figure:
        axes = figure.add_subplot(title="Accuracy by length", xlabel="words of the text")
        axes.axhline(measured.figures.accuracy, label="accuracy on all", **_REFERENCE)
        _accuracies(axes, places, accuracies, [part["examples"] for part in slices])
        axes.set_xticks(places, [*map(lengths_of, slices)])
        figure.legend(loc="outside lower center")


def curves(
    path: Path, history: Sequence[Mapping[str, float]], before: Sequence[Mapping[str, float]] = ()
) -> None:
    """Draw loss and accuracy over the epochs; `before` has those of the model that was fine-tuned."""
    records = [*before, *history]
    epochs = range(1, len(records) + 1)
    kept = min(epochs[len(before) :], key=lambda epoch: records[epoch - 1]["validation_loss"])
    with saved_figure(path, 9, 3.8) as figure:
        for axes, metric in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
            for part, color in zip(("train", "validation"), COLORS, strict=False):
                values = [record[f"{part}_{metric}"] for record in records]
                axes.plot(epochs, values, "o-", color=color, label=part)
            axes.axvline(kept, label="selected epoch", zorder=1, **_REFERENCE)
            if before:
                axes.axvline(len(before) + 0.5, label="start of fine-tuning", color=GREY, linewidth=1)
            axes.set(xlabel="epoch", title=metric.capitalize())
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.legend()


def _accuracies(axes: Axes, places: Floats, accuracies: Floats, counts: Sequence[int]) -> None:
    """Draw accuracies with their 95 % intervals and with the numbers of examples."""
    intervals = [wilson_interval(round(a * n), n) for a, n in zip(accuracies, counts, strict=True)]
    bounds = np.abs(np.transpose(intervals) - accuracies)  # abs: rounding can put 1 above its bound
    label = "accuracy with 95 % interval and number of texts"
    axes.errorbar(places, accuracies, bounds, fmt="o", color=COLORS[0], capsize=3, label=label)
    for place, accuracy, count in zip(places, accuracies, counts, strict=True):
        axes.annotate(f"{count:,}", (place, accuracy), (5, 3), textcoords="offset points", fontsize=7)
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.set_ylabel("accuracy")


@contextmanager
def saved_figure(path: Path, width: float, height: float) -> Iterator[Figure]:
    """Yield a figure, its size in inches, in the common style, whatever matplotlibrc says, and save it."""
    with mpl.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a name in another script shows as boxes
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        figure = Figure(figsize=(width, height), dpi=_DPI, layout="constrained")
        FigureCanvasAgg(figure)
        yield figure
        with output_errors(path), new_file(path) as file:
            # Without matplotlib's version, equal figures have equal bytes.
            figure.savefig(file, format="png", metadata={"Software": None})
