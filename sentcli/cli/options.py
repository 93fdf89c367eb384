"""Options that more than one command has, and what checks their values."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from sentcli.cli.command import Name, NamedPath, argument, option
from sentcli.config import BACKENDS, DEFAULT_DATASET, DEVICES, SCORING_PRECISIONS
from sentcli.errors import UsageError
from sentcli.errors import option as flag
from sentcli.model.bundle import default_bundle_path
from sentcli.scoring.dates import MONTHS, day_of

Aspects = tuple[tuple[str, tuple[str, ...]], ...]  # names, each with its words


def weights_of(path: Path | None) -> tuple[tuple[str, float], ...]:
    """Return the phrases and weights in the file of `--words`."""
    if path is None:
        return ()
    from sentcli.explain.phrases import read_weights

    return tuple(read_weights(path).items())


def _only_column(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> str | None:
    """Return the only value of --text-column; of several, say how to score them."""
    if len(values) < 2:
        return next(iter(values), None)
    runs = (f"{flag('text_column', name)} {flag('prefix', f'{name}_')}" for name in values)
    each = f"; for a result of each, run twice: {', then on that output '.join(runs)}"
    hint = flag("text_column", ",".join(values)) + each * (context.command.name == "score")
    raise UsageError(f"{flag('text_column')} is given twice; for one text of both, give {hint}")


def _check_new_folder(path: Path) -> Path:
    """Check that the path of a new folder ends with a name, since the work folder next to it contains it."""
    if path.name in ("", ".."):
        raise UsageError(f"--output {path}: name the new folder itself, such as my-model")
    return path


# Of several values, click would take the last one in silence.
_ONCE: dict[str, Any] = {"multiple": True, "callback": _only_column}


def _aspects(values: Sequence[str]) -> Aspects:
    """Return the name and the words of each aspect; words of one name add up."""
    aspects: dict[str, tuple[str, ...]] = {}
    for value in values:
        name, _, words = value.partition("=")
        if not (name.strip() and words.strip(" ,")):
            raise UsageError(f"--about {value!r:.80}: type a name and words: --about price=price,cost,fee")
        added = tuple(word.strip() for word in words.split(",") if word.strip())
        aspects[name.strip()] = aspects.get(name.strip(), ()) + added
    return tuple(aspects.items())


def _period(value: str) -> str:
    """Return the period of `--since`; refuse what is none."""
    if MONTHS.fullmatch(value):
        return value
    day = day_of(value)
    if not day or "/" in day:
        hint = "type a date such as 2026-01-31, or 3m or 1y for full months"
        raise UsageError(f"--since {value!r:.80}: {hint}")
    return f"{day}-01"[:10]


# Each declares the field of that name, or a kind of field; a command adds what differs.
name = partial(option, type=Name())
column = partial(name, metavar="COLUMN")
new_folder = partial(option, type=click.Path(path_type=Path), convert=_check_new_folder)
model_path = partial(argument, type=NamedPath(path_type=Path), default=default_bundle_path, required=False)
model = partial(option, "Model folder, file or hf:// name. Default: imdb-bilstm, included.")
backend = partial(option, "Runtime. Default: onnx, else one that the model has a file for.", choices=BACKENDS)
device = partial(option, "Where PyTorch runs. Default: cuda if there is one.", choices=DEVICES)
precision = partial(option, "In PyTorch; fp16 on CUDA only. Default: fp32.", choices=SCORING_PRECISIONS)
dataset = partial(
    name, "Hugging Face id, folder, or CSV, TSV, JSONL, JSON, Parquet, XLSX file.", default=DEFAULT_DATASET
)
text_column = partial(
    option, "Text column: name, number, or several: title,body. Default: detected.", "-c", **_ONCE
)
round_labels = partial(option, "Round labels that are numbers, such as 4.5 stars to 5.", default=False)
label_column = partial(option, "Column of the labels. Default: label, sentiment, class, stars or similar.")
day_first = partial(option, "In 3/4/2025. Default: detected.", "--day-first/--month-first", default=None)
delimiter = partial(option, r"CSV and TSV: field separator; \t is a tab.")
quotechar = partial(option, "CSV and TSV: quote character; '' for none.")
encoding = partial(option, "CSV and TSV: a Python codec, such as cp1250. Default: detected.")
skip_lines = partial(option, "CSV, TSV, XLSX: number of lines before each header.", low=0, default=0)
overwrite = partial(option, "Start over, and replace the output if it exists.")
about = partial(option, metavar="NAME=A,B,...", convert=_aspects)
since = partial(option, metavar="DATE|3m|1y", convert=_period)
quiet = partial(option, "Write only errors and uncertain guesses to stderr.", "-q")
words = partial(
    option,
    "Your own words: CSV lines such as killer,2 (or TOML); weights add to log odds. 3,300 rows/s per core.",
    metavar="FILE",
)
