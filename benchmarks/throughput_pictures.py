"""Draw what `throughput.py` measured: accuracy against reviews/s, and dollars for a million reviews."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter
from throughput_report import CORE_HOUR, OURS, SERVICES, Record, Report, accuracy, dollars, rate

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
    "text.parse_math": False,  # a label has "$"
}


@contextmanager
def saved_figure(path: Path, width: float, height: float) -> Iterator[Figure]:
    """Yield a figure of this size in inches, and save it as PNG."""
    with mpl.rc_context():
        mpl.rcdefaults()  # whatever matplotlibrc says
        mpl.rcParams.update(_STYLE)
        figure = Figure(figsize=(width, height), dpi=150, layout="constrained")
        FigureCanvasAgg(figure)
        yield figure
        # Without matplotlib's version, equal figures have equal bytes.
        figure.savefig(path, format="png", metadata={"Software": None})


def draw(folder: Path, result: dict[str, Any]) -> None:
    """Write both pictures."""
    report = Report(result)
    fastest: dict[str, Record] = {}  # of the ways to run a model
    for record in [report.ours, *report.records]:
        fastest.setdefault(record["model"] or record["title"], record)
    records = [*fastest.values()]
    cores = result["machine"]["cores"]
    with saved_figure(folder / "throughput.png", 11, 5) as figure:
        panels = {"IMDb": ["imdb"], "sources that no tool learned from": report.reviews}
        for place, (title, sets) in enumerate(panels.items(), start=1):
            axes = figure.add_subplot(1, 2, place, xscale="log", xlabel=f"reviews/s on {cores} cores")
            _points(axes, records, sets)
            axes.set_title(title)
        figure.axes[0].set_ylabel("balanced accuracy")
    with saved_figure(folder / "dollars.png", 9, 5) as figure:
        axes = figure.add_subplot(
            xscale="log", xlabel=f"dollars for a million reviews; a core for an hour: ${CORE_HOUR}"
        )
        _bars(axes, records, result["lengths"])


def _points(axes: Axes, records: list[Record], sets: list[str]) -> None:
    """Draw a point for each tool, and its name where no other name is."""
    low, high = (end(accuracy(each, sets) for each in records) for end in (min, max))
    height = (high - low) / 28
    taken: list[tuple[float, float]] = []
    for record in sorted(records, key=lambda each: -accuracy(each, sets)):
        x, y, is_ours = rate(record), accuracy(record, sets), record["key"] == OURS
        color = COLORS[1] if is_ours else COLORS[2]
        axes.plot(x, y, "o", color=color, markersize=6)
        place = y
        while any(abs(place - other) < height and 1 / 60 < x / near < 60 for near, other in taken):
            place -= height / 4
        taken.append((x, place))
        side = "right" if x > 2_000 else "left"
        start = x / 1.25 if side == "right" else x * 1.25
        weight = "bold" if is_ours else "normal"
        name = record["title"].partition(" on ")[0]
        axes.text(start, place, name, ha=side, va="center", fontsize=7, fontweight=weight)
        axes.plot([x, start], [y, place], color=GREY, linewidth=0.5)
    axes.margins(x=0.15)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))


def _bars(axes: Axes, records: list[Record], lengths: dict[str, float]) -> None:
    prices = {record["title"]: (dollars(record), record["key"]) for record in records}
    prices |= {name: (price(lengths), "") for name, _, price, _ in SERVICES}
    ranked = sorted(prices.items(), key=lambda item: -item[1][0])
    colors = [COLORS[1] if key == OURS else COLORS[2] if key else COLORS[0] for _, (_, key) in ranked]
    axes.barh([name for name, _ in ranked], [price for _, (price, _) in ranked], color=colors, zorder=3)
    for row, (_, (price, _)) in enumerate(ranked):
        axes.text(
            price * 1.1, row, f"{price:,.4f}" if price < 1 else f"{price:,.0f}", va="center", fontsize=7
        )
    axes.tick_params(axis="y", labelsize=7)
    axes.margins(x=0.12)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
