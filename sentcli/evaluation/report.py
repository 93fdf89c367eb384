"""The report of `sentcli evaluate` for the terminal."""

from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

from sentcli.datasets.labels import RARE
from sentcli.errors import counted, option, printable
from sentcli.evaluation.metrics import lengths_of
from sentcli.scoring.groups import wilson_interval

_MOST_CLASSES = 12  # with more, the confusion matrix is too wide for a terminal
_FEW = 20  # texts of a class
_MOST_GROUPS = 20  # of a column
_LONGEST_NAME, _LONGEST_TEXT = 24, 60  # characters


def report(record: Mapping[str, Any]) -> str:
    """Lay out a record of `sentcli.evaluation.evaluate.evaluate_bundle` as text."""
    blank = f", without {counted(record['blank'], 'empty text')}" if record["blank"] else ""
    title = printable(f"{record['model']} on {record['where']}") + f" ({record['backend']})"
    title += f"\n{record['examples']:,} texts{blank}"
    if record["left_out"]:
        title += f"\n{record['left_out']:,} rows without text or known label, or unreadable, are left out"
    if record["neutral"]:
        title += f"\n{record['neutral']:,} more are neutral, and count only in the figures of neutral bands"
    if record["truncated"]:
        title += f"\n{record['truncated']:,} have more than max-tokens of the model: their middle is not read"
    metrics = [("metric", "value", "95 % interval"), *metrics_of(record)]
    blocks = [title, *rarest(record), _aligned(metrics, "<><")]
    if record["roc_auc_reason"]:
        blocks.append(f"ROC AUC is undefined: {printable(record['roc_auc_reason'])}")
    blocks.append(_classes(record))
    if len(record["classes"]) <= _MOST_CLASSES:
        blocks.append(_confusion(record))
    if len(record["classes"]) > 2:
        pairs = [(*_pair(of), f"{of['count']:,}") for of in record["confused"]]
        blocks.append(_aligned([("most confused", "predicted as", "texts"), *pairs], "<<>"))
    if record["errors"]:
        rows = [
            (f"{of['row']}", *_pair(of), four(of["probability"]), short_name(of["text"], _LONGEST_TEXT))
            for of in record["errors"]
        ]
        head = ("row", "label", "predicted", "probability", "text")
        blocks.append(f"the most confident errors\n{_aligned([head, *rows], '><<><')}")
    lengths = [(lengths_of(part), f"{part['examples']:,}", *_accuracy(part)) for part in record["by_length"]]
    blocks.append(_aligned([("words", "texts", "accuracy", "95 % interval"), *lengths], "<>><"))
    for column, groups in record["by"].items():
        columns = short_name(column), "texts", "accuracy", "95 % interval"
        found = [
            (short_name(of["value"]), f"{of['examples']:,}", *_accuracy(of)) for of in groups[:_MOST_GROUPS]
        ]
        blocks.append(_aligned([columns, *found], "<>><"))
    blocks += _bands(record)
    if record["comparison"]:
        blocks.append(_comparison(record))
    return "\n\n".join(blocks)


def rarest(figures: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line on the class with the fewest examples, if it is rare or has few."""
    classes = figures["classes"]
    rare = min((of for of in classes if of["support"]), key=itemgetter("support"))
    is_rare = rare["support"] < RARE * figures["examples"] / len(classes)
    if not is_rare and rare["support"] >= _FEW:
        return
    scores = ", ".join(f"{name} {four(rare[name.lower()])}" for name in ("precision", "recall", "F1"))
    yield f"rarest label {rare['name']!r:.60}: {scores} of {counted(rare['support'], 'text')}"
    if is_rare and len(classes) == 2 and rare is classes[0]:
        given = printable(option("positive", rare["name"]))
        yield f"the score is the probability of {classes[1]['name']!r:.60}; to train another: {given}"


def metrics_of(figures: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return name, value and 95 % interval of each metric."""
    names = {
        "accuracy": "accuracy",
        "balanced_accuracy": "balanced accuracy",
        "f1": "F1 of the second class",
        "macro_f1": "macro F1",
        "roc_auc": "ROC AUC",
        "log_loss": "log loss",
        "expected_calibration_error": "expected calibration error",
    }
    if len(figures["classes"]) > 2:
        del names["f1"]
    intervals = {"accuracy": figures["accuracy_interval"], **figures["intervals"]}
    ordered = [(key.replace("_", " "), four(value), "-") for key, value in figures.get("ordered", {}).items()]
    return ordered + [(name, four(figures[key]), interval(intervals.get(key))) for key, name in names.items()]


def four(value: float | None) -> str:
    """Return a number with four decimals, or a dash for None and NaN."""
    return "-" if value is None or value != value else f"{value:.4f}"


def accuracy_of_texts(accuracy: float, texts: int) -> str:
    """Return an accuracy with the number of texts and its 95 % interval."""
    low, high = wilson_interval(round(accuracy * texts), texts)
    return f"{accuracy:.4f} of {texts:,} texts ({low:.2f} to {high:.2f})"


def interval(bounds: Sequence[float] | None) -> str:
    return f"{bounds[0]:.4f} to {bounds[1]:.4f}" if bounds else "-"


def _classes(record: Mapping[str, Any]) -> str:
    rows = [
        (short_name(of["name"]), f"{of['support']:,}", *map(four, (of["precision"], of["recall"], of["f1"])))
        for of in record["classes"]
    ]
    return _aligned([("class", "texts", "precision", "recall", "F1"), *rows], "<>>>>")


def _confusion(record: Mapping[str, Any]) -> str:
    names = [short_name(of["name"]) for of in record["classes"]]
    rows = [(name, *map("{:,}".format, row)) for name, row in zip(names, record["confusion"], strict=True)]
    return _aligned([("true \\ predicted", *names), *rows], "<" + ">" * len(names))


def _bands(record: Mapping[str, Any]) -> Iterator[str]:
    bands = [
        (_ends(of) + " (model)" * of["of_model"], f"{of['coverage']:.2%}", *_accuracy(of))
        for of in record["bands"]
    ]
    if bands:
        yield _aligned([("neutral band", "coverage", "accuracy", "95 % interval"), *bands], "<>><")
    if three := record["three_way"]:
        title = "neutral head" if three["low"] is None else f"{_ends(three)} neutral"
        macro_f1 = "macro F1", four(three["macro_f1"]), interval(three["intervals"]["macro_f1"])
        yield _aligned([(title, "value", "95 % interval"), ("accuracy", *_accuracy(three)), macro_f1], "<><")
        yield _classes(three)
        yield _confusion(three)
    if thresholds := record["thresholds"]:
        rows = [(f"precision of {thresholds[0]['precision']:g}", "score", "coverage")]
        for side, of in zip(("below", "above"), thresholds, strict=True):
            reached = f"{side} {of['threshold']:g}" if of["coverage"] else "none reaches it"
            rows.append((short_name(of["label"]), reached, f"{of['coverage'] or 0:.2%}"))
        yield _aligned(rows, "<<>")


def _ends(band: Mapping[str, Any]) -> str:
    return f"{band['low']:g} to {band['high']:g}"


def _comparison(record: Mapping[str, Any]) -> str:
    comparison = record["comparison"]
    against = printable("against {model} ({backend}, {file})".format(**record["against"]))
    rows = [
        ("labels changed", f"{comparison['changed']:,}", f"{comparison['changed_share']:.2%} of the texts"),
        ("accuracy", four(comparison["accuracy"]), f"against {four(comparison['against_accuracy'])}"),
        ("score, mean difference", f"{comparison['mean_difference']:.6f}", ""),
        ("score, 99th percentile", f"{comparison['p99_difference']:.6f}", ""),
        ("score, largest difference", f"{comparison['max_difference']:.6f}", ""),
    ]
    return f"{against}\n{_aligned(rows, '<><')}"


def _accuracy(part: Mapping[str, Any]) -> tuple[str, str]:
    return four(part["accuracy"]), interval(part["accuracy_interval"])


def _aligned(rows: Sequence[Sequence[str]], sides: str) -> str:
    """Align each column to the side that `<` or `>` points to."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(f"{cell:{side}{width}}" for cell, side, width in zip(row, sides, widths, strict=True))
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def _pair(of: Mapping[str, str]) -> tuple[str, str]:
    return short_name(of["label"]), short_name(of["predicted"])


def short_name(name: str, most: int = _LONGEST_NAME) -> str:
    """Return the name of a class, or a text, as one short line."""
    name = printable(name)
    return name if len(name) <= most else f"{name[: most - 1]}…"
