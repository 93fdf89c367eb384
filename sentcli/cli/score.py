"""`sentcli score`."""

import glob
import json
import os
import platform
import re
import shlex
import sys
from dataclasses import asdict, dataclass
from functools import partial
from io import BytesIO, TextIOWrapper
from itertools import pairwise
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING

import click

from sentcli import __version__
from sentcli.cli import options as common
from sentcli.cli import say
from sentcli.cli.command import Command, NamedPath, argument, named, option
from sentcli.errors import DataError, UsageError, counted
from sentcli.files.sink import Target, is_terminal, write_file
from sentcli.tables.options import ReadOptions, RejectOptions, WriteOptions
from sentcli.tables.registry import INPUT_FORMATS, OUTPUT_FORMATS, SUFFIXES, suffix_of

if TYPE_CHECKING:
    from sentcli.runs.summary import Summary
    from sentcli.scoring.scorer import Scorer

_REJECTED_ROWS = 3  # exit code of a finished run with rejected rows, or with values that are not in the file
_LIBRARIES = ("numpy", "onnxruntime", "orjson", "pyarrow")  # that affect scores and files
_OWN_BAND = "model"  # the value of --neutral without a value
_Names = tuple[str, ...] | None
_TWO_NUMBERS = re.compile(r"[-+.e\d]+,[-+.e\d]+", re.IGNORECASE)


class _ScoreCommand(Command):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the words; that after `--neutral` is its value only if it looks like one, else an input."""
        words = [
            f"{word}={_OWN_BAND}" if word == "--neutral" and not _TWO_NUMBERS.fullmatch(after) else word
            for word, after in pairwise([*args, ""])
        ]
        return super().parse_args(ctx, words)


def _band(value: str) -> tuple[float, float] | bool:
    """Return the ends of a band; True for the band of the model."""
    if value == _OWN_BAND:
        return True
    try:
        low, high = map(float, value.split(","))
    except ValueError:
        hint = "type --neutral=0.3,0.7, or only --neutral"
        raise UsageError(f"--neutral={value}: not two numbers with a comma; {hint}") from None
    return low, high


def _shard(value: str) -> tuple[int, int]:
    """Return the number of this run and the number of all runs."""
    number, _, count = value.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        hint = "type --shard 1/4 to --shard 4/4"
        raise UsageError(f"--shard {value!r:.80}: not I/N with I from 1 to N; {hint}")
    return int(number), int(count)


# Names with commas between them.
_name_list = partial(option, metavar="A,B,...", convert=lambda value: tuple(dict.fromkeys(value.split(","))))


@dataclass(frozen=True)
class ScoreOptions:
    """The options of `sentcli score`, in the order of its help: first what people use most."""

    inputs: tuple[str, ...] = argument(nargs=-1, type=click.Path(allow_dash=True))

    text_column: str | None = common.text_column(heading="Choose what is read")
    text: tuple[str, ...] = option("Score this text instead of INPUTS; can be repeated.")
    limit: int | None = option("Score only the first N rows of each output.", low=1)

    output: str = option(
        "File; folder or URL ending in / for one output per input; or - for stdout.",
        "-o",
        type=click.Path(allow_dash=True),
        default="-",
        heading="Choose what is written",
    )
    output_format: str | None = option(
        "Default: by the suffix, else as the input; in a terminal, lines.", "-f", choices=OUTPUT_FORMATS
    )
    drop: _Names = _name_list("Leave out these columns, such as the text. Rejected rows keep them.")
    keep: _Names = _name_list("Write only these columns of the input, and the new ones.")
    label_next: int | None = option(
        "Write only the N rows of each output to label next: least certain first, no text twice.",
        metavar="N",
        low=1,
    )
    by: tuple[str, ...] = common.column(
        "Count rows and labels per value of a column, or per date:week, :month, :quarter, :year; repeatable."
    )
    report: str | None = common.name("HTML page that shows what the reviews say.")
    overwrite: bool = common.overwrite()
    quiet: bool = common.quiet()

    neutral: tuple[float, float] | bool | None = option(
        "Label scores in this band as neutral, e.g. 0.3,0.7. Without a value: the model's own threshold.",
        metavar="[LOW,HIGH]",
        convert=_band,
        heading="Choose the labels",
    )
    min_score: float = option("No label below this probability, e.g. 0.5.", low=0, high=1, default=0.0)
    mixed: bool = option("With --neutral: label mixed if clear sentences disagree. 1,300 rows/s per core.")
    probabilities: bool = option("Add the probability of each label: probability_LABEL.")
    ordered: bool | None = option(
        "Labels are ordered numbers: label = median, score = mean. Default: on for 1 to 5.",
        "--ordered/--no-ordered",
        default=None,
    )
    explain: int = option(
        "Add N phrases that decided: sentiment_words. 70 rows/s per core.", metavar="N", low=0, default=0
    )

    format: str | None = option(
        "Default: by the suffix; for stdin and .txt by the first lines.",
        "--input-format",
        choices=INPUT_FORMATS,
        heading="More on what is read",
    )
    sheet: str | None = option("XLSX: name or number of the sheet. Default: the first with a table.")
    documents: bool = option("Each file is one text: a row with its name and its text.")
    encoding: str | None = option("CSV, TSV and lines: a Python codec, such as cp1250. Default: detected.")
    delimiter: str | None = common.delimiter()
    quotechar: str | None = common.quotechar()
    escapechar: str | None = option(r"CSV and TSV: the character before quotes, such as \ of MySQL.")
    no_header: bool = option("CSV, TSV, XLSX: the first line is a row; columns are called 1, 2, 3...")
    skip_lines: int = option("CSV, TSV, XLSX: lines before the header; they are kept.", low=0, default=0)
    skip_rows: int = option(
        "CSV, TSV, XLSX: rows after the header that get no score; other formats omit them.", low=0, default=0
    )
    null_values: _Names = _name_list("Cells that mean blank; '' for none. Default: NULL, NaN, N/A and more.")
    max_row_bytes: int = option(
        "Reject longer rows; for Parquet, rows with a longer text.", low=1, default=ReadOptions.max_row_bytes
    )
    rejects: str | None = option("File for unreadable rows. Default: OUTPUT.rejects.jsonl, else stderr.")
    max_rejects: str | None = option("Stop if more than N rows or P% of rows are rejected.", metavar="N|P%")

    summary: str | None = option(
        "File for the summary, as JSON.", type=NamedPath(), heading="More on what is written"
    )
    by_time: str | None = common.column("Date column for --report and workbooks. Default: detected.")
    since: str | None = common.since(
        "For --report and workbooks: compare the rows since then with those before."
    )
    day_first: bool | None = common.day_first()
    prefix: str | None = option("Prefix of the names of the new columns, such as model_.")
    strings: bool = option("Parquet and XLSX output: columns of CSV, JSONL and XLSX stay text.")
    output_encoding: str | None = option("For CSV and TSV, such as utf-8-sig for Excel. Default: as input.")
    output_delimiter: str | None = option("Delimiter of CSV and TSV output. Default: as input.")

    model: Path | None = common.model(heading="More on the labels")
    unknown_words: bool = option("Add the share of unknown words: sentiment_unknown; not slower.")
    null_unknown: float = option(
        "No label above this share of unknown words; 0.3 filters other languages.", low=0, high=1, default=1.0
    )
    sentences: bool = option("Add each sentence with its score: sentiment_sentences. 1,300 rows/s per core.")
    about: common.Aspects = common.about(
        "Add the score of clauses with these words: sentiment_NAME; can be repeated. 1,500 rows/s per core."
    )
    words: Path | None = common.words()
    backend: str | None = common.backend()
    device: str | None = common.device()
    precision: str | None = common.precision()

    workers: int | None = option(
        "Threads for scoring. Default: one for each usable core, and 2 for a task of --ray.",
        "--workers",
        "--ray-cpus",
        low=1,
        heading="Large runs",
    )
    shard: tuple[int, int] | None = option(
        "Score every N-th input, from the I-th, so that N runs share a folder.", metavar="I/N", convert=_shard
    )
    update: bool = option("In a folder, rewrite the outputs whose input has changed; keep the rest.")
    ray: str | None = option("Score each file of a folder as a task on Ray.", metavar="ADDRESS|auto|local")


@click.command(cls=_ScoreCommand)
def score(options: ScoreOptions) -> None:
    """Score texts: write the same rows with a sentiment and a score.

    INPUTS are CSV, TSV, JSONL, JSON, Parquet, Arrow, ORC, XLSX or mail, also compressed, text files with one
    review per line, or folders of files; no INPUTS or - means stdin. Rows keep their order and their columns.
    The score is the probability of the second label (positive); of more labels, that of the most probable
    one, or the mean star; --probabilities adds those of all labels. A row that cannot be read is rejected,
    with the reason. A row with an empty text (blank, NULL, no known word) is kept, without a score. A core
    scores 6,000 rows/s, with some options as many as their help says.

    Run the same command again to continue a stopped run. In a folder, finished outputs are left alone.

    \b
    Exit codes:
      0              done
      1              failed: an input, the model or the output
      2              invalid options
      3              done, but rows were rejected, or formulas of a workbook have no value
      130, 143, 129  stopped by Ctrl-C, SIGTERM, SIGHUP
      141            the reader of stdout has closed it

    \b
    Examples:
      sentcli score reviews.csv -o scored.csv
      sentcli score reviews.csv -o scored.csv --neutral
      sentcli score 'parts/*.jsonl.gz' -o scored/ --text-column body
      sentcli score --text "an absolute joy"
      sentcli score big.csv --limit 1000
      sentcli score 's3://bucket/in/*.parquet' -o s3://bucket/out/ --ray auto
    """
    from sentcli.runs.job import JobOptions, SummaryFile
    from sentcli.runs.run import score_files  # imports numpy, which --help does not need
    from sentcli.scoring.extras import Extras
    from sentcli.scoring.pool import tune_interpreter
    from sentcli.scoring.scorer import Scorer

    tune_interpreter()
    _check_inputs(options)
    read = _read_options(options)
    changed = {"format": options.output_format, "prefix": options.prefix or ""}
    write = WriteOptions(**named(options, WriteOptions) | changed)
    is_shown = options.output == "-" and is_terminal(sys.stdout)
    if is_shown and write == WriteOptions() and not read.is_partial:
        write = WriteOptions("lines", width=get_terminal_size().columns)
    rejects = RejectOptions(options.rejects, options.max_rejects)
    talks = not (options.quiet or is_shown)  # if rows go to a terminal, write nothing else
    settings = named(options, Scorer, Extras) | {"words": common.weights_of(options.words)}
    settings["probabilities"] |= bool(options.label_next)
    model = settings.pop("model")
    with Scorer(model, **settings) as scorer:
        report = summary = None
        if options.summary:
            summary = SummaryFile(Target(options.summary), partial(_write_summary, options, scorer))
        is_asked = options.report or options.by_time or options.since
        if is_asked or (_is_workbook(options) and len(scorer.labels) == 2):
            from sentcli.report.rows import Report  # few runs have one

            target = Target(options.report) if options.report else None
            report = Report(scorer, target, options.by_time, options.since or "")
        run = named(options, JobOptions) | {"rejects": rejects, "report": report, "summary": summary}
        job, inputs = JobOptions(read, write, **run), options.inputs or ("-",)
        cluster = (options.ray, settings) if options.ray else None
        result = score_files(
            scorer, inputs, options.output, job, shard=options.shard, show_progress=talks, cluster=cluster
        )
    name = "" if options.output == "-" or options.label_next else options.output
    said = [*result.lines(name, ordered=scorer.ordered), *result.tables(scorer.labels[-1])] if talks else []
    said += [report.line] if talks and report else []
    warning = result.warning if options.null_unknown == 1 else ""  # which says to set it
    doubts = [warning, *result.doubts, report.doubt if report else ""]
    for line in (*said, *dict.fromkeys(doubts)):
        if line:
            say(line)
    if result.failed:
        problem = f"{counted(result.failed, 'output')} failed, for the reasons above"
        raise DataError(f"{problem}; fix these, then run the same command again")
    if result.rejected or result.formulas_without_value:
        click.get_current_context().exit(_REJECTED_ROWS)


def _check_inputs(options: ScoreOptions) -> None:
    """Refuse a command without an input, with two kinds of inputs, or with a text in the place of a file."""
    if options.documents and options.format:
        raise UsageError("--documents and --input-format contradict each other; omit one")
    if options.text and (options.inputs or options.format or options.documents):
        raise UsageError("--text is scored in place of INPUTS and has no --input-format")
    if suffix_of(options.output) == ".html" and not options.output_format:
        raise UsageError(f"--output is for rows; for a page, give --report {shlex.quote(options.output)}")
    if (options.by_time or options.since) and not (options.report or _is_workbook(options)):
        raise UsageError("--by-time and --since are for a page or a workbook; add --report report.html")
    if not (options.text or options.inputs) and is_terminal(sys.stdin):
        raise UsageError("nothing to score: name a file, or pipe text to stdin; see sentcli score --help")
    for name in options.inputs:
        is_name = suffix_of(name) in SUFFIXES or "://" in name or glob.glob(name)  # noqa: PTH207  # absolute
        if " " in name.strip() and not is_name:
            text = shlex.quote(name if len(name) <= 80 else "...")
            raise UsageError(f"{name!r:.80}: no such file; if this is a text: sentcli score --text {text}")


def _is_workbook(options: ScoreOptions) -> bool:
    """Return whether the output is a workbook, which has a sheet of what the page of a report says."""
    return suffix_of(options.output) == ".xlsx" and options.output_format in (None, "xlsx")


def _read_options(options: ScoreOptions) -> ReadOptions:
    """Return the options for reading; make texts of the command line the standard input."""
    form = "documents" if options.documents else options.format
    if options.text:
        # As lines of standard input, so that they are written in the same way and all other options apply.
        lines = [re.sub(rb"[\r\n]+", b" ", os.fsencode(text)) + b"\n" for text in options.text]
        sys.stdin = TextIOWrapper(BytesIO(b"".join(lines)))
        form = "lines"
    return ReadOptions(**named(options, ReadOptions) | {"format": form, "header": not options.no_header})


def _write_summary(options: ScoreOptions, scorer: "Scorer", result: "Summary") -> None:
    """Write the counts, and what made the scores: versions, model, and the command line with its defaults."""
    from importlib.metadata import version  # as slow as a third of numpy; few runs need it

    from sentcli.scoring.labels import groups_by_column

    groups = groups_by_column(result.groups, scorer.labels[-1])
    values = {
        **result.to_json(),
        "groups": {column: [*map(asdict, rows)] for column, rows in groups.items()},
        "sentcli": __version__,
        "python": platform.python_version(),
        **{library: version(library) for library in _LIBRARIES},
        "model": scorer.bundle.name,
        "model_sha256": scorer.bundle.digest,
        **{name: scorer.fingerprint[name] for name in ("backend", "runtime", "neutral")},
        "command": sys.argv[1:],
        "options": vars(options),
    }
    write_file(Target(str(options.summary)), f"{json.dumps(values, indent=2, default=str)}\n".encode())
