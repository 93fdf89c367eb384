"""The pictures: curves, confusion matrix, ROC, reliability, lengths. Needs matplotlib, not a display."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from sentcli.errors import OutputError
from sentcli.evaluation.lengths import LengthScores
from sentcli.evaluation.measurement import Measurement
from sentcli.evaluation.metrics import Labels, Reliability, RocCurve, roc_curves, wilson_interval
from sentcli.evaluation.metrics import reliability as reliability_bins
from sentcli.files.atomic import new_file
from sentcli.model.bundle import MANIFEST
from sentcli.scoring.labels import Floats

# Okabe and Ito's palette, told apart with any kind of colour vision, darkest first; its yellow is too pale.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
GREY = "#6b6b6b"
_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so a picture is the same everywhere
    "font.size": 9.5,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.labelcolor": "#333333",
    "axes.edgecolor": "#999999",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "xtick.color": "#555555",
    "ytick.color": "#555555",
    "legend.frameon": False,
    "figure.constrained_layout.h_pad": 0.12,  # inches
    "figure.constrained_layout.w_pad": 0.12,
    "lines.linewidth": 1.8,
    "text.parse_math": False,  # a label may be called "$"
}
_REFERENCE: dict[str, Any] = {"color": GREY, "linewidth": 1, "linestyle": (0, (4, 3))}
_EVALUATION = ("confusion_matrix.png", "roc.png", "reliability.png", "accuracy_by_length.png")
_DPI = 150
_MOST_NUMBERED = 12  # classes; with more, the numbers do not fit into their cells
_MOST_NAMED = 40  # classes; with more, the names do not fit beside each other
_LONGEST_NAME = 24  # characters


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Make the folder for `draw_evaluation`, before time is spent on the figures.

    :raises OutputError: when it cannot be made, or has one of the pictures and `overwrite` is not set.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: the folder cannot be made: {error.strerror}") from None
    if (folder / MANIFEST).exists():  # its pictures have their digests there
        raise OutputError(f"{folder} is a model folder; give another folder")
    there = [name for name in _EVALUATION if (folder / name).exists()]
    if there and not overwrite:
        raise OutputError(f"{folder / there[0]} exists; give another folder or --overwrite")


def draw_evaluation(folder: Path, measured: Measurement, names: Sequence[str]) -> None:
    """Write `confusion_matrix.png`, `roc.png`, `reliability.png` and `accuracy_by_length.png`.

    :param names: the name of each class.
    :raises OutputError: when a picture cannot be written.
    """
    matrix, curve, calibration, lengths = (folder / name for name in _EVALUATION)
    confusion_matrix(matrix, measured.figures.confusion, names)
    roc(curve, roc_curves(measured.labels, measured.probabilities, names))
    reliability(calibration, reliability_bins(measured.labels, measured.probabilities))
    accuracy_by_length(lengths, measured.by_length)


def confusion_matrix(path: Path, matrix: Sequence[Sequence[int]], names: Sequence[str]) -> None:
    """Draw examples by true and predicted class, coloured by their share of the true class.

    :param matrix: counts, `[label][predicted class]`.
    :raises OutputError: when the picture cannot be written.
    """
    counts = np.asarray(matrix)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    classes = len(names)
    side = min(2.6 + 0.8 * classes, 12)
    with saved_figure(path, side + 0.6, side) as figure:
        axes = figure.add_subplot(xlabel="predicted", ylabel="true")
        image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        if classes <= _MOST_NAMED:
            axes.set_yticks(range(classes), map(_shown, names))
            axes.set_xticks(range(classes), map(_shown, names))
            if classes > 4 or max(map(len, names)) > 12:
                axes.tick_params(axis="x", labelrotation=45)
                for label in axes.get_xticklabels():
                    label.set(ha="right", rotation_mode="anchor")
        if classes <= _MOST_NUMBERED:
            for (row, column), count in np.ndenumerate(counts):
                colour = "white" if shares[row, column] > 0.55 else "#222222"
                text = f"{count:,}\n{shares[row, column]:.1%}"
                axes.text(column, row, text, ha="center", va="center", color=colour, linespacing=1.5)
        else:
            bar = figure.colorbar(image, shrink=0.8, format=PercentFormatter(1, decimals=0))
            bar.set_label("share of the true class")
            bar.outline.set_visible(False)
        right, examples = int(counts.trace()), int(counts.sum())
        axes.set_title(f"Confusion matrix\n{right:,} of {examples:,} right ({right / max(examples, 1):.2%})")


def roc(path: Path, curves: Mapping[str, RocCurve]) -> None:
    """Draw ROC curves, one a class; of many classes the worst, which are those to look at.

    :param curves: class name to curve.
    :raises OutputError: when the picture cannot be written.
    """
    shown = sorted(curves, key=lambda name: curves[name].auc)[: len(COLOURS)]
    with saved_figure(path, 5.2, 5.2) as figure:
        axes = figure.add_subplot(aspect="equal", xlim=(-0.01, 1), ylim=(0, 1.01))
        axes.plot([0, 1], [0, 1], label="chance (AUC 0.5)", **_REFERENCE)
        for name, colour in zip(shown, COLOURS, strict=False):
            curve = curves[name]
            label = f"{_shown(name)} (AUC {curve.auc:.4f})"
            if label.startswith("_"):  # a legend would leave it out
                label = f"\u200b{label}"
            axes.plot(curve.false_positive_rate, curve.true_positive_rate, color=colour, label=label)
        axes.set(xlabel="false positive rate", ylabel="true positive rate")
        extent = f", the lowest {len(shown)} of {len(curves)}" if len(shown) < len(curves) else ""
        axes.set_title(f"ROC{extent}")
        axes.legend(loc="lower right", reverse=True)


def reliability(path: Path, bins: Reliability) -> None:
    """Draw accuracy against confidence, with the number of examples in each bin below.

    :raises OutputError: when the picture cannot be written.
    """
    _reliability_diagrams(path, {"Reliability": bins})


def reliability_before_after(path: Path, labels: Labels, before: Floats, after: Floats) -> None:
    """Draw the reliability of probabilities before and after calibration, side by side.

    :param labels, before, after: as for `sentcli.evaluation.metrics.evaluate`.
    :raises OutputError: when the picture cannot be written.
    """
    parts = {"Before calibration": before, "After calibration": after}
    _reliability_diagrams(path, {title: reliability_bins(labels, values) for title, values in parts.items()})


def accuracy_by_length(path: Path, by_length: Sequence[LengthScores]) -> None:
    """Draw the accuracy on texts of each bin of lengths, with the number of texts below.

    :param by_length: bins without a text are left out.
    :raises OutputError: when the picture cannot be written.
    """
    shown = [part for part in by_length if part.examples]
    right = sum(part.accuracy * part.examples for part in shown if part.accuracy is not None)
    examples = sum(part.examples for part in shown)
    with saved_figure(path, 6.4, 4.6) as figure:
        upper, lower = figure.subplots(2, sharex=True, height_ratios=(4, 1))
        upper.axhline(right / examples, label="accuracy on all", **_REFERENCE)
        places = np.arange(len(shown), dtype=float)
        _accuracies(
            upper, places, np.array([part.accuracy for part in shown]), [part.examples for part in shown]
        )
        upper.set(ylabel="accuracy", title=f"Accuracy by length\nn = {examples:,}")
        upper.yaxis.set_major_formatter(PercentFormatter(1))
        _counts(lower, places - 0.5, [part.examples for part in shown], 1)
        lower.set(xlabel="words of the text", ylabel="texts")
        lower.set_xticks(places, [part.name for part in shown])
        figure.legend(*upper.get_legend_handles_labels(), loc="outside lower center", ncols=2)


def curves(
    path: Path, history: Sequence[Mapping[str, float]], before: Sequence[Mapping[str, float]] = ()
) -> None:
    """Draw loss and accuracy over the epochs, of training and validation.

    :param history: a record an epoch: `train_loss`, `train_accuracy`, `validation_loss`,
        `validation_accuracy`.
    :param before: those of the model that this one went on from, with a line behind them.
    :raises OutputError: when the picture cannot be written.
    """
    records = [*before, *history]
    epochs = range(1, len(records) + 1)
    kept = min(epochs[len(before) :], key=lambda epoch: records[epoch - 1]["validation_loss"])
    with saved_figure(path, 9, 3.8) as figure:
        for axes, metric in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
            for part, colour in zip(("train", "validation"), COLOURS, strict=False):
                values = [record[f"{part}_{metric}"] for record in records]
                axes.plot(epochs, values, "o-", color=colour, markersize=4.5, label=part)
            axes.axvline(kept, label="epoch that was kept", zorder=1, **_REFERENCE)
            if before:
                axes.axvline(len(before) + 0.5, label="learns on, from other data", color=GREY, linewidth=1)
            axes.set(xlabel="epoch", title=metric.capitalize())
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4)


def accuracy_by_speed(path: Path, sizes: Sequence[Mapping[str, float]]) -> None:
    """Draw the validation accuracy of models of several sizes against their speed.

    :param sizes: `hidden`, `layers`, `validation_accuracy` and `reviews_per_second` of each.
    :raises OutputError: when the picture cannot be written.
    """
    with saved_figure(path, 6.4, 4.2) as figure:
        axes = figure.subplots()
        for colour, layers in zip(COLOURS, sorted({model["layers"] for model in sizes}), strict=False):
            shown = sorted(
                (model for model in sizes if model["layers"] == layers),
                key=lambda model: model["reviews_per_second"],
            )
            speeds = [model["reviews_per_second"] for model in shown]
            accuracies = [model["validation_accuracy"] for model in shown]
            label = f"{layers:.0f} layer{'s' * (layers > 1)}"
            axes.plot(speeds, accuracies, "o-", color=colour, markersize=5, label=label)
            for model, speed, accuracy in zip(shown, speeds, accuracies, strict=True):
                axes.annotate(f"{model['hidden']:.0f}", (speed, accuracy), (4, 5), textcoords="offset points")
        axes.set_xscale("log")
        ticks = sorted({model["reviews_per_second"] for model in sizes})
        axes.set_xticks(ticks, [f"{speed:,.0f}" for speed in ticks])
        axes.set_xticks([], minor=True)
        axes.tick_params("x", rotation=45)  # sizes that are close have speeds that are
        axes.set(xlabel="reviews/s, fp32, one core", ylabel="validation accuracy")
        axes.set_title("Accuracy against speed, by the states in each direction")
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=2))
        figure.legend(loc="outside lower center", ncols=3)


def _reliability_diagrams(path: Path, diagrams: Mapping[str, Reliability]) -> None:
    """Draw diagrams beside each other, to the same scale."""
    lowest = min(float(bins.edges[:-1][bins.counts > 0][0]) for bins in diagrams.values())
    with saved_figure(path, 0.6 + 4.6 * len(diagrams), 6) as figure:
        axes = figure.subplots(
            2, len(diagrams), sharex=True, sharey="row", height_ratios=(4, 1), squeeze=False
        )
        for (upper, lower), (title, bins) in zip(axes.T, diagrams.items(), strict=True):
            used = bins.counts > 0
            upper.plot([lowest, 1], [lowest, 1], label="perfect calibration", **_REFERENCE)
            _accuracies(upper, bins.confidence[used], bins.accuracy[used], bins.counts[used].tolist())
            upper.set_title(
                f"{title}\nn = {bins.counts.sum():,}, expected calibration error {bins.error:.4f}"
            )
            _counts(lower, bins.edges[:-1][used], bins.counts[used].tolist(), 1 / len(used))
            lower.set(xlabel="confidence (probability of the predicted class)")
        axes[0, 0].set(ylabel="accuracy", xlim=(lowest, 1), ylim=(None, 1.02))
        axes[1, 0].set(ylabel="examples")
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)


def _accuracies(axes: Axes, places: Floats, accuracies: Floats, counts: Sequence[int]) -> None:
    """Draw accuracies with their intervals."""
    intervals = [wilson_interval(round(a * n), n) for a, n in zip(accuracies, counts, strict=True)]
    # abs: a share of 1 may exceed its bound by rounding.
    bounds = np.abs(np.transpose(intervals) - accuracies)
    label = "accuracy in the bin, 95% interval"
    style: dict[str, Any] = {"color": COLOURS[0], "markersize": 5, "elinewidth": 1.3, "capsize": 3}
    axes.errorbar(places, accuracies, bounds, fmt="o", label=label, **style)


def _counts(axes: Axes, places: Floats, counts: Sequence[int], width: float) -> None:
    """Draw the number of examples of each bin, from its left edge."""
    bars = axes.bar(places, counts, width, align="edge", color=GREY, edgecolor="white")
    size = 7 if len(counts) <= 10 else 6
    axes.bar_label(bars, [f"{count:,}" for count in counts], fontsize=size, color="#333333", padding=2)
    axes.set(yticks=())
    axes.margins(y=0.2)


@contextmanager
def saved_figure(path: Path, width: float, height: float) -> Iterator[Figure]:
    """Give a figure of that many inches in the common style, whatever matplotlibrc says; then save it.

    :raises OutputError: when it cannot be written.
    """
    with mpl.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a name in another script shows as boxes
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        figure = Figure(figsize=(width, height), dpi=_DPI, layout="constrained")
        FigureCanvasAgg(figure)
        yield figure
        try:
            # Without the version of matplotlib in it, equal figures give equal bytes.
            with new_file(path) as file:
                figure.savefig(file, format="png", metadata={"Software": None})
        except OSError as error:
            raise OutputError(f"{path}: the picture cannot be written: {error.strerror}") from None


def _shown(name: str) -> str:
    """Make a label fit beside an axis, on one line."""
    name = "".join(character if character.isprintable() else " " for character in name)
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
