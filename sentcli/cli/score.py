"""`sentcli score`."""

import json
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sentcli import __version__
from sentcli.bundle import default_bundle_path, load_bundle
from sentcli.cli.options import (
    backend_option,
    device_option,
    is_terminal,
    log_to_stderr,
    overwrite_option,
    quiet_option,
    text_column_option,
)
from sentcli.errors import OutputError, UsageError
from sentcli.tables import FORMATS, ReadOptions, RejectOptions, WriteOptions

if TYPE_CHECKING:
    from sentcli.scoring import Scorer

_REJECTED_ROWS = 3  # exit code of a run that is done, with rows in the rejects file

_READ = ("format", "text_column", "delimiter", "quotechar", "encoding", "field_limit")  # of ReadOptions
_MODEL_HELP = "Model folder, or one model file in it; by default the model in the box."


@click.command()
@click.argument("inputs", nargs=-1)
@click.option("-o", "--output", default="-", help="File, folder ending in /, or - for stdout.")
@click.option("--model", type=click.Path(path_type=Path), help=_MODEL_HELP)
@text_column_option
@click.option(
    "--input-format",
    "format",
    type=click.Choice(FORMATS),
    help="By default what the suffix says; stdin: lines.",
)
@click.option("--output-format", type=click.Choice(FORMATS), help="By default what the suffix says.")
@click.option("--prefix", default="", help="Put before the names of the new columns.")
@click.option("--delimiter", help="CSV: what stands between fields.")
@click.option("--quotechar", help="CSV: what stands around fields; empty: nothing does.")
@click.option("--encoding", help="CSV and lines: one of Python's; by default UTF-8.")
@click.option("--no-header", is_flag=True, help="CSV: the first line is a row; columns are called 1, 2, 3.")
@click.option("--field-limit", type=click.IntRange(1), default=16 << 20, help="Largest record, in bytes.")
@click.option("--rejects", help="File for rows that cannot be read; by default OUTPUT.rejects.jsonl.")
@click.option("--max-rejects", metavar="N|P%", help="Stop when more rows than this are rejected.")
@click.option("--strict", is_flag=True, help="Stop at the first row that cannot be read.")
@click.option("--resume", is_flag=True, help="Go on where a run that was stopped left off.")
@overwrite_option
@backend_option
@device_option
@click.option("--workers", type=click.IntRange(1), help="Threads that score; by default all usable cores.")
@click.option("--summary", type=click.Path(path_type=Path), help="Write the summary to this file, as JSON.")
@quiet_option
def score(inputs: tuple[str, ...], output: str, summary: Path | None, quiet: bool, **options: Any) -> None:
    """Score texts: the same rows come out, in order, with a sentiment and a score.

    INPUTS are CSV, TSV, JSONL or Parquet files, or text with one review a line; - or nothing is stdin. The
    score is the probability of the second label (positive), with more than two labels that of the one given.

    Exit codes: 0 done; 1 failed; 2 usage; 3 done, but rows were rejected; 130, 143, 129 stopped by a signal;
    141 the reader of stdout is gone.

    \b
    Examples:
      sentcli score reviews.csv -o scored.csv
      sentcli score 'parts/*.jsonl.gz' -o scored/ --text-column body
      echo "an absolute joy" | sentcli score
    """
    from sentcli.bulk import score_files  # numpy, which --help does without
    from sentcli.scoring import Scorer

    log_to_stderr(quiet=quiet)
    if not inputs and is_terminal(sys.stdin):
        raise UsageError("nothing to score: name a file, or pipe text to stdin; see sentcli score --help")
    bundle = load_bundle(options["model"] or default_bundle_path())
    with Scorer(
        bundle, backend=options["backend"], device=options["device"], workers=options["workers"]
    ) as scorer:
        result = score_files(
            scorer,
            inputs or ("-",),
            output,
            read=ReadOptions(**{name: options[name] for name in _READ}, header=not options["no_header"]),
            write=WriteOptions(format=options["output_format"], prefix=options["prefix"]),
            rejects=RejectOptions(options["rejects"], options["max_rejects"], options["strict"]),
            resume=options["resume"],
            overwrite=options["overwrite"],
            show_progress=not quiet,
        )
    if summary:
        _write_summary(summary, {**result.to_json(), **_provenance(scorer)})
    if not quiet and not (output == "-" and is_terminal(sys.stdout)):
        for line in result.lines():
            click.echo(line, err=True)
    if result.rejected:
        click.get_current_context().exit(_REJECTED_ROWS)


def _provenance(scorer: "Scorer") -> dict[str, Any]:
    """Say what made the scores: versions, model, backend and the command line."""
    return {
        "sentcli": __version__,
        "python": platform.python_version(),
        "model": scorer.bundle.name,
        "model_sha256": scorer.bundle.digest,
        "backend": scorer.backend,
        "command": sys.argv[1:],
    }


def _write_summary(path: Path, values: dict[str, Any]) -> None:
    try:
        path.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", "utf-8")
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror}") from None
