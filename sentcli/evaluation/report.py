"""The figures of `sentcli evaluate`, laid out for people."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sentcli.errors import printable
from sentcli.evaluation.markdown import four, interval

if TYPE_CHECKING:
    from sentcli.evaluation.comparison import Comparison
    from sentcli.evaluation.lengths import LengthScores
    from sentcli.evaluation.measurement import Measurement
    from sentcli.evaluation.metrics import Evaluation
    from sentcli.evaluation.uncertainty import BandScores

_MOST_CLASSES = 12  # with more, the confusion matrix is too wide for a terminal
_LONGEST_NAME = 24  # characters of a class name in the tables


def report(measured: "Measurement", against: str = "") -> str:
    """Lay the figures out.

    :param against: what the model was compared with.
    """
    figures = measured.figures
    names = [_name(scores.name) for scores in figures.classes]
    blocks = [_figures(measured), _classes(figures, names)]
    if len(names) <= _MOST_CLASSES:
        blocks.append(_confusion(figures, names))
    blocks += [_by_length(measured.by_length), _by_band(measured.bands)]
    if measured.comparison:
        blocks.append(_comparison(measured.comparison, against))
    return "\n\n".join(blocks)


def _figures(measured: "Measurement") -> str:
    figures, blank, intervals = measured.figures, measured.blank, measured.intervals
    rows = [
        ("texts", f"{figures.examples:,}", "", f"{blank:,} more without a word, left out" if blank else ""),
        ("accuracy", four(figures.accuracy), interval(figures.accuracy_interval), "95 % interval"),
        ("F1", four(figures.f1), interval(intervals["f1"]), f"of {_name(figures.classes[1].name)}"),
        ("macro F1", four(figures.macro_f1), interval(intervals["macro_f1"]), "mean of the classes"),
        ("ROC AUC", four(figures.roc_auc), interval(intervals["roc_auc"]), figures.roc_auc_reason or ""),
        ("log loss", four(figures.log_loss), interval(intervals["log_loss"]), ""),
        ("calibration error", four(figures.expected_calibration_error), "", "expected, of the confidence"),
    ]
    return _aligned([row for row in rows if figures.f1 is not None or row[0] != "F1"], "<><<")


def _classes(figures: "Evaluation", names: Sequence[str]) -> str:
    rows = [
        (name, f"{of.support:,}", four(of.precision), four(of.recall), four(of.f1))
        for name, of in zip(names, figures.classes, strict=True)
    ]
    return _aligned([("class", "texts", "precision", "recall", "F1"), *rows], "<>>>>")


def _confusion(figures: "Evaluation", names: Sequence[str]) -> str:
    rows = [
        (name, *(f"{count:,}" for count in counts))
        for name, counts in zip(names, figures.confusion, strict=True)
    ]
    return _aligned([("true \\ predicted", *names), *rows], "<" + ">" * len(names))


def _by_length(by_length: Sequence["LengthScores"]) -> str:
    rows = [
        (part.name, f"{part.examples:,}", four(part.accuracy), interval(part.accuracy_interval))
        for part in by_length
    ]
    return _aligned([("words", "texts", "accuracy", "95 % interval"), *rows], "<>><")


def _by_band(bands: Sequence["BandScores"]) -> str:
    rows = [
        (
            f"{band.low:g} to {band.high:g}",
            f"{band.share:.2%}",
            four(band.accuracy),
            interval(band.accuracy_interval),
        )
        for band in bands
    ]
    return _aligned([("uncertain", "labelled", "accuracy", "95 % interval"), *rows], "<>><")


def _comparison(found: "Comparison", against: str) -> str:
    rows = [
        ("labels changed", f"{found.changed:,}", f"{found.changed_share:.2%} of the texts"),
        ("accuracy", four(found.accuracy), f"against {four(found.against_accuracy)}"),
        ("score, mean difference", _six(found.mean_difference), ""),
        ("score, 99th percentile", _six(found.p99_difference), ""),
        ("score, largest difference", _six(found.max_difference), ""),
    ]
    return f"against {printable(against)}\n{_aligned(rows, '<><')}"


def _aligned(rows: Sequence[Sequence[str]], sides: str) -> str:
    """Write rows under each other, each column to the side that `<` or `>` points to."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(f"{cell:{side}{width}}" for cell, side, width in zip(row, sides, widths, strict=True))
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def _six(value: float) -> str:
    return f"{value:.6f}"


def _name(name: str) -> str:
    name = printable(name)
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
