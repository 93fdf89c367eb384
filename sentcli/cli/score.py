"""`sentcli score`."""

import glob
import json
import os
import platform
import re
import sys
from collections.abc import Sequence
from dataclasses import fields
from io import BytesIO, TextIOWrapper
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import click

from sentcli import __version__
from sentcli.cli import say
from sentcli.cli.grouped_help import GroupedCommand
from sentcli.cli.options import (
    NamedPath,
    backend_option,
    delimiter_option,
    device_option,
    is_terminal,
    log_to_stderr,
    not_empty,
    overwrite_option,
    precision_option,
    quiet_option,
    quotechar_option,
    text_column_option,
)
from sentcli.errors import DataError, OutputError, UsageError, counted
from sentcli.files.sink import Target, open_sink
from sentcli.tables.options import ReadOptions, RejectOptions, WriteOptions
from sentcli.tables.registry import FORMATS, OUTPUT_FORMATS, is_suffix, suffix_of

if TYPE_CHECKING:
    from sentcli.scoring.scorer import Scorer

_REJECTED_ROWS = 3  # exit code of a finished run with rejected rows

_LIBRARIES = ("numpy", "onnxruntime", "orjson", "pyarrow")  # that affect scores and files
_SCORER = ("backend", "device", "precision", "workers", "neutral", "null_values", "probabilities")

_OWN_BAND = "model"  # the value of --neutral without a value
_TWO_NUMBERS = re.compile(r"[-+.e\d]+,[-+.e\d]+", re.IGNORECASE)

_EXAMPLES = (
    "sentcli score reviews.csv -o scored.csv",
    "sentcli score reviews.csv -o scored.csv --neutral",
    "sentcli score 'parts/*.jsonl.gz' -o scored/ --text-column body",
    'sentcli score --text "an absolute joy"',
    "sentcli score big.csv --limit 1000",
    "sentcli score 's3://bucket/in/*.parquet' -o s3://bucket/out/ --ray auto",
)
_GROUPS = {
    "Output": (
        *("output", "output_format", "prefix", "probabilities", "overwrite", "shard", "summary", "quiet"),
    ),
    "Input": (
        *("text", "limit", "text_column", "columns", "sheet", "null_values", "format", "encoding"),
        *("delimiter", "quotechar", "escapechar", "no_header", "skip_lines", "skip_rows"),
        *("max_row_bytes", "rejects", "max_rejects"),
    ),
    "Model": ("model", "neutral", "backend", "device", "precision", "workers", "ray"),
}


class _ScoreCommand(GroupedCommand):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the words; that after `--neutral` is its value only if it looks like one, else an input."""
        words = [
            f"{word}={_OWN_BAND}" if word == "--neutral" and not _TWO_NUMBERS.fullmatch(after) else word
            for word, after in pairwise([*args, ""])
        ]
        return super().parse_args(ctx, words)


def _band(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> tuple[float, float] | bool:
    """Return the ends of a band; True for the band of the model, False without the option."""
    if value is None or value == _OWN_BAND:
        return value is not None
    try:
        low, high = map(float, value.split(","))
    except ValueError:
        raise UsageError(
            f"--neutral={value}: not two numbers with a comma; type --neutral=0.3,0.7, or only --neutral"
        ) from None
    return low, high


def _shard(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, int]:
    """Return the number of this run and the number of all runs, `1/1` without the option."""
    number, _, count = ("1/1" if value is None else value).partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise UsageError(
            f"--shard {value!r:.80}: not I/N with I from 1 to N; type --shard 1/4 to --shard 4/4"
        )
    return int(number), int(count)


@click.command(cls=_ScoreCommand, examples=_EXAMPLES, groups=_GROUPS)
@click.argument("inputs", nargs=-1, type=click.Path(allow_dash=True))
@click.option(
    "-o",
    "--output",
    type=click.Path(allow_dash=True),
    default="-",
    help="File; folder or URL ending in / for one output per input; or - for stdout.",
)
@click.option(
    "--output-format",
    type=click.Choice(OUTPUT_FORMATS),
    help="Default: from the file suffix; on stdout, the input format.",
)
@click.option("--prefix", help="Prefix of the new columns, such as sentiment and sentiment_score.")
@click.option("--probabilities", is_flag=True, help="Add the probability of each label: probability_LABEL.")
@overwrite_option
@click.option("--summary", type=click.Path(), callback=not_empty, help="File for the summary, as JSON.")
@click.option(
    "--shard",
    metavar="I/N",
    callback=_shard,
    help="Score every N-th input, starting with the I-th, so that N runs can share a folder.",
)
@quiet_option
@click.option("--text", help="Score this text instead of INPUTS.")
@click.option("--limit", type=click.IntRange(1), help="Score only the first N rows of each output.")
@text_column_option
@click.option(
    "--columns",
    metavar="A,B,...",
    callback=lambda _, __, value: None if value is None else tuple(dict.fromkeys(value.split(","))),
    help="Columns when JSONL is converted. Default: every key in the file; of a pipe, in its first records.",
)
@click.option("--sheet", help="XLSX: name or number of the sheet; by default the first one.")
@click.option(
    "--null-values",
    metavar="A,B,...",
    callback=lambda _, __, value: None if value is None else tuple(value.split(",")),
    help="Cells that count as blank, in any case; '' for none. By default NULL, NaN, N/A, - and the like.",
)
@click.option(
    "--input-format",
    "format",
    type=click.Choice(FORMATS),
    help="By default given by the suffix; for stdin and .txt by the first lines.",
)
@click.option(
    "--encoding",
    help="CSV, TSV and lines: UTF-8 by default; a Python codec such as cp1252 (Excel); auto: by the bytes.",
)
@delimiter_option
@quotechar_option
@click.option("--escapechar", help=r"CSV and TSV: the character before quotes, such as \ of MySQL.")
@click.option(
    "--no-header", is_flag=True, help="CSV and TSV: the first line is a row; columns are called 1, 2, 3..."
)
@click.option(
    "--skip-lines",
    type=click.IntRange(0),
    default=ReadOptions.skip_lines,
    help="CSV and TSV: number of lines before the header; they are copied unchanged.",
)
@click.option(
    "--skip-rows",
    type=click.IntRange(0),
    default=ReadOptions.skip_rows,
    help="CSV and TSV: number of rows after the header that get no score; other formats leave them out.",
)
@click.option(
    "--max-row-bytes",
    type=click.IntRange(1),
    default=ReadOptions.max_row_bytes,
    help="Reject longer rows; for Parquet, rows with a longer text.",
)
@click.option(
    "--rejects",
    help="File for rows that cannot be read; by default OUTPUT.rejects.jsonl, or stderr if OUTPUT is stdout.",
)
@click.option(
    "--max-rejects",
    metavar="N|P%",
    help="Stop if more than N rows of an output, or P% of those read, are rejected.",
)
@click.option("--model", type=NamedPath(), help="Model folder or file; by default imdb-bilstm, included.")
@click.option(
    "--neutral",
    metavar="[LOW,HIGH]",
    callback=_band,
    help="Label scores in this band as neutral, e.g. 0.3,0.7. Without a value: as the model has learned.",
)
@backend_option
@device_option
@precision_option
@click.option(
    "--workers",
    "--ray-cpus",
    type=click.IntRange(1),
    help="Threads for scoring; by default one for each usable core, and 2 for a task of --ray.",
)
@click.option(
    "--ray",
    metavar="ADDRESS|auto|local",
    help="Score each file of a folder as a task on this Ray cluster.",
)
def score(inputs: tuple[str, ...], output: str, summary: str | None, quiet: bool, **options: Any) -> None:
    """Score texts: write the same rows with a sentiment and a score.

    INPUTS are CSV, TSV, JSONL, JSON, Parquet or XLSX files, also compressed, or text files with one review
    per line; no INPUTS or - means stdin. Rows keep their order and their columns. The score is the
    probability of the second label (positive); with more than two labels, that of the most probable one;
    --probabilities adds those of all labels. A row that cannot be read is rejected, with the reason. A row
    with an empty text (blank, NULL, no known word) is kept, without a score.

    Run the same command again to continue a stopped run. In a folder, finished outputs are left alone.

    \b
    Exit codes:
      0              done
      1              failed: an input, the model or the output
      2              invalid options
      3              done, but rows were rejected
      130, 143, 129  stopped by Ctrl-C, SIGTERM, SIGHUP
      141            the reader of stdout has closed it
    """
    from sentcli.runs.cluster import Cluster
    from sentcli.runs.job import JobOptions
    from sentcli.runs.run import score_files  # imports numpy, which --help does not need
    from sentcli.scoring.pool import tune_interpreter
    from sentcli.scoring.scorer import Scorer

    tune_interpreter()
    log_to_stderr(quiet=quiet)
    if options["text"] is not None:
        if inputs or options["format"]:
            raise UsageError("--text is scored in place of INPUTS and has no --input-format")
        # As a line of standard input, so that it is written in the same way and all other options apply.
        data = re.sub(rb"[\r\n]+", b" ", os.fsencode(options["text"])) + b"\n"
        sys.stdin = TextIOWrapper(BytesIO(data))
        options["format"] = "lines"
    elif not inputs and is_terminal(sys.stdin):
        raise UsageError("nothing to score: name a file, or pipe text to stdin; see sentcli score --help")
    _refuse_texts(inputs)
    given = {field.name: options[field.name] for field in fields(ReadOptions) if field.name in options}
    read = ReadOptions(**given, header=not options["no_header"])
    write = WriteOptions(format=options["output_format"], prefix=options["prefix"] or "")
    rejects = RejectOptions(options["rejects"], options["max_rejects"])
    # If rows go to a terminal, write nothing else.
    talks = not quiet and not (output == "-" and is_terminal(sys.stdout))
    settings = {name: options[name] for name in _SCORER}
    with Scorer(options["model"], **settings) as scorer:
        result = score_files(
            scorer,
            inputs or ("-",),
            output,
            JobOptions(read, write, rejects, options["overwrite"]),
            shard=options["shard"],
            summary_file=summary,
            show_progress=talks,
            cluster=Cluster(options["ray"], settings) if options["ray"] else None,
        )
    if summary:
        _write_summary(summary, {**result.to_json(), **_provenance(scorer)}, result.failed)
    if talks:
        for line in result.lines("" if output == "-" else output):
            say(line)
    if result.failed:
        raise DataError(
            f"{counted(result.failed, 'output')} failed, for the reasons above; "
            "fix these, then run the same command again"
        )
    if result.rejected:
        click.get_current_context().exit(_REJECTED_ROWS)


def _refuse_texts(inputs: Sequence[str]) -> None:
    """Refuse a text in the place of a file."""
    for name in inputs:
        is_name = is_suffix(suffix_of(name)) or "://" in name or glob.glob(name)  # noqa: PTH207  # absolute
        if " " in name.strip() and not is_name:
            raise UsageError(f'{name!r:.80}: no such file; if this is a text: sentcli score --text "..."')


def _provenance(scorer: "Scorer") -> dict[str, Any]:
    """Return what made the scores: versions, model, backend, and the command line with its defaults."""
    from importlib.metadata import version  # as slow as a third of numpy; few runs need it

    return {
        "sentcli": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in _LIBRARIES},
        "model": scorer.bundle.name,
        "model_sha256": scorer.bundle.digest,
        "backend": scorer.backend,
        "runtime": scorer.runtime,
        "neutral": scorer.fingerprint["neutral"],
        "command": sys.argv[1:],
        "options": click.get_current_context().params,
    }


def _write_summary(name: str, values: dict[str, Any], failed: int) -> None:
    sink = open_sink(Target(name))
    try:
        sink.write(f"{json.dumps(values, indent=2, default=str)}\n".encode())
        sink.publish()
    except OutputError as error:
        sink.discard()
        kept = "" if failed else "; all rows are written, only this summary is missing"
        raise OutputError(f"{error}{kept}") from error
