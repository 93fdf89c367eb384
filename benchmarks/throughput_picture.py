"""Draw what `throughput.py` measured: accuracy against reviews/s, with the frontier."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter
from throughput_report import OURS, Record, accuracy, frontier, speed

from sentcli.files.atomic import new_file, output_errors

# Some of the palette of Okabe and Ito for every kind of color vision.
COLORS, GREY = ("#0072B2", "#D55E00", "#009E73"), "#6b6b6b"
_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # part of matplotlib, so that a plot is the same everywhere
    "font.size": 9.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
}
_ACCURACIES = (0.6, 0.7, 0.8, 0.85, 0.9, 0.92, 0.94, 0.96, 0.98)  # ticks of the axis
# Ways of sentcli that the picture shows; the table has all of them.
_OWN = (OURS, "sentcli-1", "tutorial")
# Where the label of a point is, if not to its right: several points are at the same height.
_LEFT = ("sentcli-1", "vader", "fasttext", "tfidf", "naive-bayes", "distilbert-torch-512")
_ABOVE = ("distilbert-torch", "tutorial")


def draw(path: Path, result: dict[str, Any]) -> None:
    """Write the picture as PNG.

    :raises OutputError: when it cannot be written.
    """
    records = [record for record in result["systems"] if record["is_peer"] or record["key"] in _OWN]
    with mpl.rc_context():
        mpl.rcdefaults()  # whatever matplotlibrc says
        mpl.rcParams.update(_STYLE)
        figure = Figure(figsize=(9, 5.5), dpi=150, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot(xscale="log", xlabel="reviews/s, CSV to CSV", ylabel="accuracy")
        low, high = min(map(accuracy, records)), min(max(map(accuracy, records)), 0.99)
        best = frontier(records)
        axes.step([*map(speed, best)], [*map(accuracy, best)], where="pre", color=GREY, linewidth=1, zorder=1)
        for record in records:
            _point(axes, record)
        # By the logarithm of the errors: half as many errors are an equal step everywhere.
        axes.set_yscale("function", functions=(lambda y: -np.log(np.maximum(1 - y, 1e-3)), _to_accuracy))
        axes.set_yticks([share for share in _ACCURACIES if low - 0.03 < share < high + 0.01])
        axes.set_ylim(low - 0.02, 1 - 0.7 * (1 - high))
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
        axes.margins(x=0.3)
        cores = result["machine"]["cores"]
        axes.set_title(f"{result['dataset']['name']}, {cores} cores: up and to the right is better")
        with output_errors(path), new_file(path) as file:
            # Without matplotlib's version, equal figures have equal bytes.
            figure.savefig(file, format="png", metadata={"Software": None})


def _to_accuracy(place: Any) -> Any:
    return 1 - np.exp(-place)


def _point(axes: Axes, record: Record) -> None:
    key = record["key"]
    color = COLORS[1] if key == OURS else COLORS[2] if record["is_peer"] else COLORS[0]
    face = "white" if record["published"] else color  # hollow: the accuracy is from publications
    axes.plot(speed(record), accuracy(record), "o", color=color, markerfacecolor=face, markersize=6)
    if record["published"]:
        axes.vlines(speed(record), *record["published"], color=color, linewidth=1.5)
    offset, horizontal = (8, -3), "left"
    if key in _LEFT:
        offset, horizontal = (-8, -3), "right"
    elif key in _ABOVE:
        offset, horizontal = (0, 8), "center"
    axes.annotate(
        record["short"],
        (speed(record), accuracy(record)),
        xytext=offset,
        textcoords="offset points",
        ha=horizontal,
        fontsize=8,
        fontweight="bold" if key == OURS else "normal",
    )
