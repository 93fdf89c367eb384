"""`sentcli score`."""

import json
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sentcli import __version__
from sentcli.cli import say
from sentcli.cli.options import (
    NamedPath,
    backend_option,
    delimiter_option,
    device_option,
    is_terminal,
    log_to_stderr,
    overwrite_option,
    precision_option,
    quiet_option,
    quotechar_option,
    resume_option,
    text_column_option,
    workers_option,
)
from sentcli.errors import DataError, OutputError, UsageError
from sentcli.files.storage import Part, Stream, is_special, resolve
from sentcli.model.bundle import default_bundle_path, load_bundle
from sentcli.tables.options import ReadOptions, RejectOptions, WriteOptions
from sentcli.tables.registry import FORMATS

if TYPE_CHECKING:
    from sentcli.scoring.scorer import Scorer

_ALL_WRITTEN = "; all rows are written, only this summary is missing"
_REJECTED_ROWS = 3  # exit code of a run that is done, with rows in the rejects file

_LIBRARIES = ("numpy", "onnxruntime", "orjson", "pyarrow")  # that scores, or how they are written, rest on
# Of ReadOptions.
_READ = ("format", "text_column", "delimiter", "quotechar", "encoding", "skip_lines", "max_row_bytes")
_SCORER = ("backend", "device", "precision", "workers", "uncertain")  # of Scorer
_MODEL_HELP = "Model folder, or one model file in it; by default the model in the box."

_EXAMPLES = """\b
Examples:
  sentcli score reviews.csv -o scored.csv
  sentcli score reviews.csv -o scored.csv --uncertain 0.3 0.7
  sentcli score 'parts/*.jsonl.gz' -o scored/ --text-column body
  sentcli score 'days/*.csv' -o scored/ --skip-existing --keep-going
  echo "an absolute joy" | sentcli score
"""


@click.command(epilog=_EXAMPLES)
@click.argument("inputs", nargs=-1)
@click.option(
    "-o",
    "--output",
    default="-",
    help="File; folder (ending in /) for one output per input; or - for stdout.",
)
@click.option("--model", type=NamedPath(), help=_MODEL_HELP)
@text_column_option
@click.option(
    "--input-format",
    "format",
    type=click.Choice(FORMATS),
    help="By default from the suffix; lines for stdin.",
)
@click.option(
    "--output-format",
    type=click.Choice(FORMATS),
    help="By default from the suffix; for stdout, that of the input.",
)
@click.option(
    "--uncertain",
    type=(float, float),
    metavar="LOW HIGH",
    help="Label a row uncertain whose score lies between these two, ends included.",
)
@click.option("--prefix", help="Prefix of the new columns, sentiment and sentiment_score.")
@delimiter_option
@quotechar_option
@click.option("--encoding", help="CSV, TSV and lines: nearly any that Python knows; by default UTF-8.")
@click.option(
    "--no-header", is_flag=True, help="CSV and TSV: the first line is a row; columns are called 1, 2, 3..."
)
@click.option(
    "--skip-lines",
    type=click.IntRange(0),
    default=ReadOptions.skip_lines,
    help="CSV and TSV: lines before the header, which are kept as they are.",
)
@click.option(
    "--max-row-bytes",
    type=click.IntRange(1),
    default=ReadOptions.max_row_bytes,
    help="Bytes of a record, in Parquet of its text; longer ones are rejected.",
)
@click.option(
    "--rejects",
    help="File for rows that cannot be read; by default OUTPUT.rejects.jsonl, for stdout it is stderr.",
)
@click.option(
    "--max-rejects",
    metavar="N|P%",
    help="Stop when more rows of an output are rejected: N, or P% of those read.",
)
@click.option("--strict", is_flag=True, help="Stop at the first row that cannot be read.")
@resume_option
@overwrite_option
@click.option(
    "--skip-existing",
    is_flag=True,
    help="Leave out inputs whose output is there already; score what is new, go on with what was stopped.",
)
@click.option(
    "--keep-going",
    is_flag=True,
    help="In a folder: where an input cannot be read, score the others all the same; the exit code is 1.",
)
@backend_option
@device_option
@precision_option
@workers_option
@click.option("--summary", type=NamedPath(), help="File for the summary, as JSON.")
@quiet_option
def score(inputs: tuple[str, ...], output: str, summary: Path | None, quiet: bool, **options: Any) -> None:
    """Score texts: the same rows come out, with a sentiment and a score.

    INPUTS are CSV, TSV, JSONL or Parquet files, also compressed, or text with one review a line; - or nothing
    is stdin. Rows keep their order and all that is in them. The score is the probability of the second label
    (positive); with more than two labels, that of the most probable one. A row that cannot be read is
    rejected, with the reason; one without a word in it is kept, and gets neither.

    \b
    Exit codes:
      0              done
      1              failed: an input, the model or the output
      2              options that make no sense
      3              done, but rows were rejected
      130, 143, 129  stopped by Ctrl-C, SIGTERM, SIGHUP
      141            whoever read stdout has closed it
    """
    from sentcli.runs.run import score_files  # numpy, which --help does without
    from sentcli.runs.single import REPEATED, RESUMED
    from sentcli.runs.summary import counted
    from sentcli.scoring.scorer import Scorer

    log_to_stderr(quiet=quiet)
    if not inputs and is_terminal(sys.stdin):
        raise UsageError("nothing to score: name a file, or pipe text to stdin; see sentcli score --help")
    read = ReadOptions(**{name: options[name] for name in _READ}, header=not options["no_header"])
    write = WriteOptions(format=options["output_format"], prefix=options["prefix"] or "")
    rejects = RejectOptions(options["rejects"], options["max_rejects"], options["strict"])
    # Where the rows are on the screen already, nothing is put between them.
    talks = not quiet and not (output == "-" and is_terminal(sys.stdout))
    bundle = load_bundle(options["model"] or default_bundle_path())
    with Scorer(bundle, **{name: options[name] for name in _SCORER}) as scorer:
        result = score_files(
            scorer,
            inputs or ("-",),
            output,
            read=read,
            write=write,
            rejects=rejects,
            resume=options["resume"],
            overwrite=options["overwrite"],
            skip_existing=options["skip_existing"],
            keep_going=options["keep_going"],
            summary_file=summary,
            show_progress=talks,
        )
    if summary:
        values = {**result.to_json(), **_provenance(scorer), "options": _options()}
        _write_summary(summary, values, besides="" if result.failed else _ALL_WRITTEN)
    if talks:
        for line in result.lines():
            say(line)
    if result.failed:
        again = (REPEATED if options["skip_existing"] else RESUMED)["command"]
        outputs = counted(result.failed, "output")
        raise DataError(
            f"{outputs} could not be made, for the reasons above; once mended, {again} makes them"
        )
    if result.rejected:
        click.get_current_context().exit(_REJECTED_ROWS)


def _provenance(scorer: "Scorer") -> dict[str, Any]:
    """Say what made the scores: versions, model, backend and the command line."""
    from importlib.metadata import version  # a third of numpy's import, which few runs need

    return {
        "sentcli": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in _LIBRARIES},
        "model": scorer.bundle.name,
        "model_sha256": scorer.bundle.digest,
        "backend": scorer.backend,
        "runtime": scorer.runtime,
        "uncertain": scorer.uncertain and [scorer.uncertain.low, scorer.uncertain.high],
        "command": sys.argv[1:],
    }


def _options() -> dict[str, Any]:
    """Give all arguments and options of this command, the defaults of those not given too."""
    values = click.get_current_context().params
    return {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}


def _write_summary(path: Path, values: dict[str, Any], besides: str) -> None:
    """Write the summary; `besides` is what else there is to say where it cannot be written."""
    if is_special(str(path)):
        sink: Stream | Part = Stream.device(path)
    else:
        sink = Part(resolve(path), "summary")
        sink.create()
    try:
        sink.write(f"{json.dumps(values, indent=2)}\n".encode())
        sink.publish()
    except OutputError as error:
        sink.discard()
        raise OutputError(f"{error}{besides}") from error
    except BaseException:
        sink.discard()
        raise
