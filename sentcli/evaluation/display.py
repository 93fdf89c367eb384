"""How figures are displayed: the names, digits and intervals of metrics, and the templates that have them."""

from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

import jinja2

from sentcli.datasets.labels import RARE
from sentcli.errors import counted, option, printable
from sentcli.scoring.evidence import p_of_groups, verdict_of
from sentcli.scoring.labels import wilson_interval

_NAMES = {"f1": "F1 of the second class", "macro_f1": "macro F1", "roc_auc": "ROC AUC"}  # of metrics
_FEW = 20  # texts of a class
_LONGEST_NAME = 24  # characters


def as_text(record: Mapping[str, Any]) -> str:
    """Lay out a record of `sentcli.evaluation.evaluate.evaluate_bundle` for a terminal."""
    return fill_in(Path(__file__).with_name("evaluated.txt.jinja"), {}, record=record).rstrip("\n")


def fill_in(template: Path, filters: Mapping[str, Any], **values: Any) -> str:
    """Fill in a template; one of HTML escapes its values.

    :param filters: those of this template, in addition to the common ones.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(template.parent),
        autoescape=".html" in template.name,  # noqa: S701  # text and Markdown have other rules
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"aligned": _aligned, "counted": counted, "printable": printable, "short": _short}
    environment.filters |= {"digits": digits_of, "four": four, "interval": _interval, "verdict": _verdict}
    environment.filters |= {"lengths": lengths_of, "metrics": metrics_of, "rarest": rarest}
    environment.filters |= {"thousands": "{:,}".format, **filters}
    return environment.get_template(template.name).render(values)


def metrics_of(figures: Mapping[str, Any], *, rounded: bool = False) -> list[tuple[str, str, str]]:
    """Return name, value and 95 % interval of each metric.

    :param rounded: to as many decimals as the number of texts bears, in place of four.
    """
    digits = digits_of(figures["examples"]) if rounded else 4
    names = ["accuracy", "balanced_accuracy", "macro_f1", "roc_auc", "log_loss", "expected_calibration_error"]
    if len(figures["classes"]) == 2:
        names.insert(2, "f1")
    values = {**{name: figures[name] for name in names}, **figures.get("ordered", {})}
    intervals = {"accuracy": figures["accuracy_interval"], **figures["intervals"]}
    return [
        (
            _NAMES.get(name, name.replace("_", " ")),
            four(value, digits),
            _interval(intervals.get(name), digits),
        )
        for name, value in values.items()
    ]


def _verdict(parts: Sequence[Mapping[str, Any]], share: str = "accuracy", size: str = "examples") -> str:
    """Return whether parts of the texts differ in a share by more than chance."""
    return verdict_of(p_of_groups([(round(part[share] * part[size]), part[size]) for part in parts]))


def rarest(figures: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line on the class with the fewest examples, if it is rare or has few."""
    classes = figures["classes"]
    rare = min((row for row in classes if row["support"]), key=itemgetter("support"))
    is_rare = rare["support"] < RARE * figures["examples"] / len(classes)
    if not is_rare and rare["support"] >= _FEW:
        return
    scores = ", ".join(f"{name} {four(rare[name.lower()])}" for name in ("precision", "recall", "F1"))
    yield f"rarest label {rare['name']!r:.60}: {scores} of {counted(rare['support'], 'text')}"
    if is_rare and len(classes) == 2 and rare is classes[0]:
        given = printable(option("positive", rare["name"]))
        yield f"the score is the probability of {classes[1]['name']!r:.60}; to train another: {given}"


def accuracy_of_texts(accuracy: float, texts: int) -> str:
    """Return an accuracy with the number of texts and its 95 % interval."""
    low, high = wilson_interval(round(accuracy * texts), texts)
    return f"{accuracy:.4f} of {texts:,} texts ({low:.2f} to {high:.2f})"


def digits_of(texts: int) -> int:
    """Return how many decimals of a share a number of texts bears, by the width of its 95 % interval."""
    return 2 if texts < 400 else 3 if texts < 10_000 else 4


def four(value: float | None, digits: int = 4) -> str:
    """Return a number with four decimals, or as many as given; a dash for None and NaN."""
    return "-" if value is None or value != value else f"{value:.{digits}f}"


def _interval(bounds: Sequence[float] | None, digits: int = 4) -> str:
    return " to ".join(four(bound, digits) for bound in bounds) if bounds else "-"


def lengths_of(part: Mapping[str, Any]) -> str:
    """Return the lengths of a slice, such as `32-63`."""
    return f"{part['shortest']}+" if part["longest"] is None else f"{part['shortest']}-{part['longest']}"


def _short(name: str, limit: int = _LONGEST_NAME) -> str:
    """Return the name of a class, or a text, as one short line."""
    name = printable(name)
    return name if len(name) <= limit else f"{name[: limit - 1]}…"


def _aligned(lines: str, sides: str) -> str:
    """Align each column of cells, which tabs separate, to the side that `<` or `>` points to."""
    rows = [line.split("\t") for line in lines.splitlines()]
    sides = sides + sides[-1] * len(rows[0])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    aligned = ("  ".join(map("{:{}{}}".format, row, sides, widths)) for row in rows)
    return "\n".join(map(str.rstrip, aligned))
