"""The picture of `throughput.py`: accuracy against reviews/s, the frontier drawn, labels apart."""

from collections.abc import Sequence
from pathlib import Path as FilePath
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.path import Path
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, PercentFormatter
from matplotlib.transforms import Bbox
from throughput_report import OURS, Record, accuracy, frontier, speed

from sentcli.evaluation.plots import COLOURS, GREY, saved_figure

_SIZE = 7.5  # points, of the labels
# Where a label may stand about its point, in points: near before far, beside it before above and aslant.
_DISTANCES = (6, 12, 20, 30, 42, 56, 72, 90, 110, 135)
_DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1), (0.4, 1), (-0.4, 1))
_DIRECTIONS += ((0.4, -1), (-0.4, -1), (0.15, 1), (-0.15, 1), (0.15, -1), (-0.15, -1))
_OFFSETS = [(x * distance, y * distance) for distance in _DISTANCES for x, y in _DIRECTIONS]
_ACCURACIES = (0.6, 0.7, 0.8, 0.85, 0.9, 0.92, 0.94, 0.96, 0.98)  # that the axis names


def draw(path: FilePath, result: dict[str, Any]) -> None:
    """Write the picture as PNG.

    :raises OutputError: when it cannot be written.
    """
    records = result["systems"]
    with saved_figure(path, 9, 6) as figure:
        axes = figure.add_subplot(xscale="log", xlabel="reviews/s, CSV to CSV", ylabel="accuracy")
        low, high = min(map(accuracy, records)), min(max(map(accuracy, records)), 0.99)
        best = frontier(records)
        axes.step(
            list(map(speed, best)), list(map(accuracy, best)), where="pre", color=GREY, linewidth=1, zorder=1
        )
        for record in records:
            _point(axes, record)
        # By the logarithm of the errors, since half as many errors are as large a step anywhere.
        axes.set_yscale("function", functions=(_from_accuracy, _to_accuracy))
        axes.set_yticks([share for share in _ACCURACIES if low - 0.03 < share < high + 0.01])
        axes.set_ylim(low - 0.02, 1 - 0.7 * (1 - high))
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
        axes.margins(x=0.15)
        cores = result["machine"]["cores"]
        axes.set_title(f"{result['dataset']['name']}, {cores} cores: up and to the right is better")
        figure.canvas.draw()  # places depend on the final layout
        place_labels(axes, records)


def _from_accuracy(share: Any) -> Any:
    return -np.log(np.maximum(1 - share, 1e-3))


def _to_accuracy(place: Any) -> Any:
    return 1 - np.exp(-place)


def _point(axes: Axes, record: Record) -> None:
    colour = COLOURS[1] if record["key"] == OURS else COLOURS[2] if record["is_peer"] else COLOURS[0]
    face = "white" if record["published"] else colour  # hollow: not measured here
    axes.plot(speed(record), accuracy(record), "o", color=colour, markerfacecolor=face, markersize=6)
    if record["published"]:
        axes.vlines(speed(record), *record["published"], color=colour, linewidth=1.5)


def place_labels(axes: Axes, records: Sequence[Record]) -> list[Bbox]:
    """Write each name where no other name, no point and no line is; give what they cover, in pixels."""
    figure = axes.figure
    assert figure is not None
    assert isinstance(figure.canvas, FigureCanvasAgg)
    renderer = figure.canvas.get_renderer()
    scale = figure.dpi / 72
    points = [axes.transData.transform((speed(record), accuracy(record))) for record in records]
    taken = [Bbox.from_bounds(x - 6, y - 6, 12, 12) for x, y in points]
    lines = [line.get_path().transformed(line.get_transform()) for line in axes.lines[:1]]  # the frontier
    labels: list[Bbox] = []
    by_speed = sorted(range(len(records)), key=lambda row: (records[row]["key"] != OURS, speed(records[row])))
    for row in by_speed:
        record, point = records[row], points[row]
        text = axes.annotate(
            record["short"],
            (speed(record), accuracy(record)),
            xytext=(0, 0),
            textcoords="offset points",
            fontsize=_SIZE,
            fontweight="bold" if record["key"] == OURS else "normal",
            arrowprops={"arrowstyle": "-", "color": "#aaaaaa", "linewidth": 0.6, "shrinkA": 0, "shrinkB": 4},
        )
        size = Text.get_window_extent(text, renderer)  # without the line to its point
        places = [_place(point, size, offset, scale) for offset in _OFFSETS]
        faults = [
            (
                sum(map(box.overlaps, taken)) + (not _is_within(box, axes)),
                sum(map(line.intersects_bbox, labels)) + sum(other.intersects_bbox(box) for other in lines),
            )
            for box, line in places
        ]
        best = faults.index(min(faults))  # of equal ones the nearest
        (x, y), (box, line) = _OFFSETS[best], places[best]
        text.set(position=(x, y), **_alignment(x, y))
        if max(abs(x), abs(y)) == _DISTANCES[0]:
            text.arrow_patch.set_visible(False)  # so near, no line is needed
        taken.append(box)
        lines.append(line)
        labels.append(box)
    return labels


def _alignment(x: float, y: float) -> dict[str, str]:
    horizontal = "left" if x > 0 else "right" if x < 0 else "center"
    return {"ha": horizontal, "va": "bottom" if y > 0 else "top" if y < 0 else "center"}


def _place(
    point: Sequence[float], size: Bbox, offset: tuple[float, float], scale: float
) -> tuple[Bbox, Path]:
    """Give what a label covers at an offset, and the line from its point to it."""
    box = _box(point, size, offset, scale)
    return box, Path([point, (np.clip(point[0], box.x0, box.x1), np.clip(point[1], box.y0, box.y1))])


def _box(point: Sequence[float], size: Bbox, offset: tuple[float, float], scale: float) -> Bbox:
    """Give what a label covers at an offset in points from its point in pixels."""
    x, y = (place + distance * scale for place, distance in zip(point, offset, strict=True))
    left = x - (0 if offset[0] > 0 else size.width if offset[0] < 0 else size.width / 2)
    bottom = y - (0 if offset[1] > 0 else size.height if offset[1] < 0 else size.height / 2)
    return Bbox.from_bounds(left, bottom, size.width, size.height)


def _is_within(box: Bbox, axes: Axes) -> bool:
    area = axes.bbox
    return box.x0 >= area.x0 and box.x1 <= area.x1 and box.y0 >= area.y0 and box.y1 <= area.y1
