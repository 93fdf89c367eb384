"""Options that more than one command has."""

import logging
from pathlib import Path
from typing import Any

import click

from sentcli.cli import say
from sentcli.config import BACKENDS, DEFAULT_DATASET, DEVICES, NOTE, SCORING_PRECISIONS
from sentcli.errors import UsageError
from sentcli.model.bundle import default_bundle_path


class NamedPath(click.Path):
    """A path that is not empty. A script with an unset variable would otherwise use the current folder."""

    def __init__(self, **options: Any) -> None:
        super().__init__(path_type=Path, **options)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("it is empty; give a path, or omit it", param, ctx)
        return super().convert(value, param, ctx)


def not_empty(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
    """Check that a name is not empty, for example because of an unset variable in a script."""
    if value == "" or (isinstance(value, tuple) and "" in value):
        raise UsageError(f"{parameter.opts[0]} is empty; give a name, or omit it")
    return value


def weights_of(path: Path | None) -> tuple[tuple[str, float], ...]:
    """Return the phrases and weights in the file of `--words`."""
    if path is None:
        return ()
    from sentcli.explain.phrases import read_weights

    return tuple(read_weights(path).items())


def new_folder(context: click.Context, parameter: click.Parameter, path: Path | None) -> Path | None:
    """Check that the path of a new folder ends with a name, since the work folder next to it contains it."""
    if path is not None and path.name in ("", ".."):
        raise UsageError(f"{parameter.opts[-1]} {path}: name the new folder itself, such as my-model")
    return path


model_argument = click.argument("model", type=NamedPath(), default=default_bundle_path, required=False)
model_option = click.option(
    "--model", type=NamedPath(), help="Model folder, file or hf:// name; by default imdb-bilstm, included."
)
backend_option = click.option(
    "--backend",
    type=click.Choice(BACKENDS),
    help="Runtime of the model; by default onnx, else one that the model has a file for.",
)
device_option = click.option(
    "--device", type=click.Choice(DEVICES), help="Where PyTorch runs; by default cuda if there is one."
)
precision_option = click.option(
    "--precision",
    type=click.Choice(SCORING_PRECISIONS),
    help="Precision of PyTorch's matrix products; fp16 on CUDA only. By default fp32.",
)
workers_option = click.option(
    "--workers", type=click.IntRange(1), help="Threads for scoring; by default one for each usable core."
)
dataset_option = click.option(
    "--dataset",
    default=DEFAULT_DATASET,
    callback=not_empty,
    help="Id on the Hugging Face hub, folder, or file: CSV, TSV, JSONL, JSON, Parquet, XLSX.",
)
text_column_option = click.option(
    "-c",
    "--text-column",
    help="Column of the texts, or several: name, number or title,body; by default found by name or content.",
)
label_column_option = click.option(
    "--label-column", help="Column of the labels; by default label, sentiment, class, stars or similar."
)
delimiter_option = click.option("--delimiter", help=r"CSV and TSV: field separator; \t is a tab.")
quotechar_option = click.option("--quotechar", help="CSV and TSV: quote character; '' for none.")
csv_encoding_option = click.option(
    "--encoding", help="CSV and TSV: a Python codec, such as cp1250; by default detected."
)
csv_skip_lines_option = click.option(
    "--skip-lines", type=click.IntRange(0), help="CSV and TSV: number of lines before each header."
)
overwrite_option = click.option(
    "--overwrite", is_flag=True, help="Start over, and replace the output if it exists."
)
quiet_option = click.option(
    "-q", "--quiet", is_flag=True, help="Write only errors and uncertain guesses to stderr."
)
words_option = click.option(
    "--words",
    metavar="FILE",
    type=NamedPath(),
    help="Add weights to the log odds of texts with a phrase: CSV phrase,weight, as in killer,2, or TOML. "
    "3,300 rows/s per core, not 6,000.",
)


def log_to_stderr(*, quiet: bool) -> None:
    """Send the log of the library to stderr, one plain line per record."""
    logger = logging.getLogger("sentcli")
    logger.handlers = [_Sayer()]
    logger.setLevel(NOTE if quiet else logging.INFO)
    logger.propagate = False


class _Sayer(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage())
