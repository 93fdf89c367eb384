"""`sentcli score`."""

import glob
import json
import os
import platform
import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import fields, replace
from io import BytesIO, TextIOWrapper
from itertools import pairwise
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any

import click

from sentcli import __version__
from sentcli.cli import options as common
from sentcli.cli import say
from sentcli.cli.grouped_help import GroupedCommand
from sentcli.errors import DataError, OutputError, UsageError, counted
from sentcli.files.sink import Target, is_terminal, write_file
from sentcli.tables.options import ReadOptions, RejectOptions, WriteOptions
from sentcli.tables.registry import FORMATS, OUTPUT_FORMATS, is_suffix, suffix_of

if TYPE_CHECKING:
    from sentcli.report.rows import Report
    from sentcli.runs.summary import Summary
    from sentcli.scoring.scorer import Scorer

_REJECTED_ROWS = 3  # exit code of a finished run with rejected rows, or with values that are not in the file

_LIBRARIES = ("numpy", "onnxruntime", "orjson", "pyarrow")  # that affect scores and files
_SCORER = (
    *("backend", "device", "precision", "workers", "neutral", "null_values", "probabilities", "ordered"),
    *("unknown_words", "null_unknown", "min_score", "explain", "sentences", "about", "words", "mixed"),
)

_OF_OUTPUT = ("strings", "output_delimiter", "output_encoding")
_OF_WHOLE_ROWS = ("output_format", "prefix", "keep", "drop", *_OF_OUTPUT)  # else a terminal gets texts

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
_GROUPS = {  # first what people use most
    "Choose what is read": ("text_column", "text", "limit"),
    "Choose what is written": (
        *("output", "output_format", "drop", "keep", "by", "report", "overwrite", "quiet"),
    ),
    "Choose the labels": ("neutral", "min_score", "mixed", "probabilities", "ordered", "explain"),
    "More on what is read": (
        *("format", "sheet", "documents", "encoding", "delimiter", "quotechar", "escapechar", "no_header"),
        *("skip_lines", "skip_rows", "null_values"),
        *("max_row_bytes", "rejects", "max_rejects"),
    ),
    "More on what is written": (
        *("summary", "by_time", "prefix", "strings", "output_encoding", "output_delimiter"),
    ),
    "More on the labels": (
        *("model", "unknown_words", "null_unknown", "sentences", "about", "words"),
        *("backend", "device", "precision"),
    ),
    "Large runs": ("workers", "shard", "update", "ray"),
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


def _aspects(
    context: click.Context, parameter: click.Parameter, values: Sequence[str]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the name and the words of each aspect; words of one name add up."""
    found: dict[str, tuple[str, ...]] = {}
    for value in values:
        name, _, words = value.partition("=")
        if not (name.strip() and words.strip(" ,")):
            raise UsageError(f"--about {value!r:.80}: type a name and words: --about price=price,cost,fee")
        some = tuple(word.strip() for word in words.split(",") if word.strip())
        found[name.strip()] = found.get(name.strip(), ()) + some
    return tuple(found.items())


def _shard(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, int]:
    """Return the number of this run and the number of all runs, `1/1` without the option."""
    number, _, count = ("1/1" if value is None else value).partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise UsageError(
            f"--shard {value!r:.80}: not I/N with I from 1 to N; type --shard 1/4 to --shard 4/4"
        )
    return int(number), int(count)


def _names(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    """Return names with commas between them."""
    return None if value is None else tuple(dict.fromkeys(value.split(",")))


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
    "-f",
    "--output-format",
    type=click.Choice(OUTPUT_FORMATS),
    help="Default: by the suffix of OUTPUT; on stdout the input format, in a terminal one line per row.",
)
@click.option("--prefix", help="Prefix of the names of the new columns, such as sentiment.")
@click.option("--probabilities", is_flag=True, help="Add the probability of each label: probability_LABEL.")
@click.option(
    "--ordered/--no-ordered",
    default=None,
    help="Numbers in order: median and mean star. Default: for 1 to 5.",
)
@click.option(
    "--explain",
    metavar="N",
    type=click.IntRange(0),
    default=0,
    show_default=False,
    help="Add the N words or phrases that decided: sentiment_words. Slow: 70 rows/s per core, not 6,000.",
)
@click.option(
    "--sentences",
    is_flag=True,
    help="Add the place and score of each sentence: sentiment_sentences. 1,300 rows/s per core, not 6,000.",
)
@click.option(
    "--about",
    metavar="NAME=A,B,...",
    multiple=True,
    callback=_aspects,
    help="Add the score of the clauses with one of these words: sentiment_NAME. Repeatable. 1,500 rows/s per "
    "core, not 6,000.",
)
@click.option(
    "--unknown-words", is_flag=True, help="Add the share of unknown words: sentiment_unknown; not slower."
)
@click.option(
    "--strings", is_flag=True, help="Parquet and XLSX: all columns of CSV, JSONL and XLSX stay text."
)
@common.overwrite_option
@click.option(
    "--update",
    is_flag=True,
    help="In a folder, rewrite the outputs whose input has changed; keep the others.",
)
@click.option(
    "--summary", type=click.Path(), callback=common.not_empty, help="File for the summary, as JSON."
)
@click.option(
    "--by",
    multiple=True,
    metavar="COLUMN",
    callback=common.not_empty,
    help="Count rows and labels by the values of this column; can be repeated.",
)
@click.option("--report", callback=common.not_empty, help="HTML page that shows what the reviews say.")
@click.option(
    "--by-time", metavar="COLUMN", callback=common.not_empty, help="Dates of --report; found by default."
)
@click.option(
    "--shard",
    metavar="I/N",
    callback=_shard,
    help="Score every N-th input, starting with the I-th, so that N runs can share a folder.",
)
@common.quiet_option
@click.option("--text", multiple=True, help="Score this text instead of INPUTS; may be given several times.")
@click.option("--limit", type=click.IntRange(1), help="Score only the first N rows of each output.")
@common.text_column_option
@click.option(
    "--keep",
    metavar="A,B,...",
    callback=_names,
    help="Write only these columns of the input, and the new ones.",
)
@click.option(
    "--drop",
    metavar="A,B,...",
    callback=_names,
    help="Do not write these columns, such as the text. The file of rejects has whole rows.",
)
@click.option("--output-delimiter", help="CSV and TSV output: the delimiter; by default that of the input.")
@click.option("--output-encoding", help="CSV and TSV output: utf-8-sig for Excel; by default as the input.")
@click.option("--sheet", help="XLSX: name or number of the sheet; by default the first with a table.")
@click.option(
    "--null-values",
    metavar="A,B,...",
    callback=_names,
    help="Cells that count as blank, in any case; '' for none. By default NULL, NaN, N/A, - and the like.",
)
@click.option(
    "--input-format",
    "format",
    type=click.Choice(FORMATS),
    help="By default given by the suffix; for stdin and .txt by the first lines.",
)
@click.option(
    "--documents", "format", flag_value="documents", help="Each file is one text: a row with name and text."
)
@click.option("--encoding", help="CSV, TSV and lines: a Python codec, such as cp1250; by default detected.")
@common.delimiter_option
@common.quotechar_option
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
@common.model_option
@click.option(
    "--neutral",
    metavar="[LOW,HIGH]",
    callback=_band,
    help="Label scores in this band as neutral, e.g. 0.3,0.7. Without a value: as the model has learned.",
)
@click.option(
    "--min-score", type=click.FloatRange(0, 1), default=0.0, help="No label below this probability, e.g. 0.5."
)
@click.option(
    "--mixed",
    is_flag=True,
    help="With --neutral: label texts with clear sentences of both kinds as mixed. 1,300 rows/s per core, "
    "not 6,000.",
)
@common.words_option
@click.option(
    "--null-unknown",
    metavar="SHARE",
    type=click.FloatRange(0, 1),
    default=1.0,
    show_default=False,
    help="No label for rows with a larger share of unknown words, e.g. 0.5 for other languages.",
)
@common.backend_option
@common.device_option
@common.precision_option
@click.option(
    "--workers",
    "--ray-cpus",
    type=click.IntRange(1),
    help="Threads for scoring; by default one for each usable core, and 2 for a task of --ray.",
)
@click.option(
    "--ray", metavar="ADDRESS|auto|local", help="Score each file of a folder as a task on this Ray cluster."
)
def score(inputs: tuple[str, ...], output: str, summary: str | None, quiet: bool, **options: Any) -> None:
    """Score texts: write the same rows with a sentiment and a score.

    INPUTS are CSV, TSV, JSONL, JSON, Parquet, Arrow, ORC or XLSX files, also compressed, text files with one
    review per line, or folders of files; no INPUTS or - means stdin. Rows keep their order and their columns.
    The score is the probability of the second label (positive); of more labels, that of the most probable
    one, or the mean star; --probabilities adds those of all labels. A row that cannot be read is rejected,
    with the reason. A row with an empty text (blank, NULL, no known word) is kept, without a score.

    Run the same command again to continue a stopped run. In a folder, finished outputs are left alone.

    \b
    Exit codes:
      0              done
      1              failed: an input, the model or the output
      2              invalid options
      3              done, but rows were rejected, or formulas of a workbook have no value
      130, 143, 129  stopped by Ctrl-C, SIGTERM, SIGHUP
      141            the reader of stdout has closed it
    """
    from sentcli.runs.cluster import Cluster
    from sentcli.runs.job import JobOptions
    from sentcli.runs.run import score_files  # imports numpy, which --help does not need
    from sentcli.scoring.pool import tune_interpreter
    from sentcli.scoring.scorer import Scorer

    tune_interpreter()
    common.log_to_stderr(quiet=quiet)
    if options["text"]:
        if inputs or options["format"]:
            raise UsageError("--text is scored in place of INPUTS and has no --input-format")
        # As lines of standard input, so that they are written in the same way and all other options apply.
        lines = [re.sub(rb"[\r\n]+", b" ", os.fsencode(text)) + b"\n" for text in options["text"]]
        sys.stdin = TextIOWrapper(BytesIO(b"".join(lines)))
        options["format"] = "lines"
    elif not inputs and is_terminal(sys.stdin):
        raise UsageError("nothing to score: name a file, or pipe text to stdin; see sentcli score --help")
    _refuse_texts(inputs)
    given = {field.name: options[field.name] for field in fields(ReadOptions) if field.name in options}
    read = ReadOptions(**given, header=not options["no_header"])
    of_output = {name: options[name] for name in _OF_OUTPUT}
    write = WriteOptions(options["output_format"], options["prefix"] or "", **of_output)
    is_shown = output == "-" and is_terminal(sys.stdout)
    if is_shown and not any(options[name] for name in _OF_WHOLE_ROWS):
        write = replace(write, format="lines", width=get_terminal_size().columns)
    rejects = RejectOptions(options["rejects"], options["max_rejects"])
    talks = not (quiet or is_shown)  # if rows go to a terminal, write nothing else
    job = JobOptions(read, write, rejects, options["overwrite"], options["update"])
    settings = {name: options[name] for name in _SCORER} | {"words": common.weights_of(options["words"])}
    with Scorer(options["model"], **settings) as scorer:
        result = score_files(
            scorer,
            inputs or ("-",),
            output,
            replace(job, report=_report(scorer, options)),
            shard=options["shard"],
            summary_file=summary,
            show_progress=talks,
            cluster=Cluster(options["ray"], settings) if options["ray"] else None,
        )
    if summary:
        _write_summary(summary, result, scorer)
    name = "" if output == "-" else output
    said = [*result.lines(name, ordered=scorer.ordered), *result.tables(scorer.labels[-1])] if talks else []
    for line in (*said, *result.warnings):
        say(line)
    if result.failed:
        raise DataError(
            f"{counted(result.failed, 'output')} failed, for the reasons above; "
            "fix these, then run the same command again"
        )
    if result.rejected or result.formulas_without_value:
        click.get_current_context().exit(_REJECTED_ROWS)


def _report(scorer: "Scorer", options: dict[str, Any]) -> "Report | None":
    """Return the report of a run, empty so far; None without --report."""
    if not options["report"]:
        if options["by_time"]:
            raise UsageError("--by-time is for --report; add --report report.html")
        return None
    from sentcli.report.rows import Report

    return Report(scorer, Target(options["report"]), options["by_time"])


def _refuse_texts(inputs: Sequence[str]) -> None:
    """Refuse a text in the place of a file."""
    for name in inputs:
        is_name = is_suffix(suffix_of(name)) or "://" in name or glob.glob(name)  # noqa: PTH207  # absolute
        if " " in name.strip() and not is_name:
            text = shlex.quote(name if len(name) <= 80 else "...")
            raise UsageError(f"{name!r:.80}: no such file; if this is a text: sentcli score --text {text}")


def _write_summary(name: str, result: "Summary", scorer: "Scorer") -> None:
    """Write the counts, and what made the scores: versions, model, and the command line with its defaults."""
    from importlib.metadata import version  # as slow as a third of numpy; few runs need it

    values = {
        **result.to_json(),
        "groups": result.groups.to_json(scorer.labels[-1]),
        "sentcli": __version__,
        "python": platform.python_version(),
        **{library: version(library) for library in _LIBRARIES},
        "model": scorer.bundle.name,
        "model_sha256": scorer.bundle.digest,
        "backend": scorer.backend,
        "runtime": scorer.runtime,
        "neutral": scorer.fingerprint["neutral"],
        "command": sys.argv[1:],
        "options": click.get_current_context().params,
    }
    try:
        write_file(Target(name), f"{json.dumps(values, indent=2, default=str)}\n".encode())
    except OutputError as error:
        kept = "" if result.failed else "; all rows are written, only this summary is missing"
        raise OutputError(f"{error}{kept}") from error
