"""`sentcli report`."""

from pathlib import Path
from typing import Any

import click

from sentcli.cli import options as common
from sentcli.cli import say
from sentcli.cli.grouped_help import GroupedCommand
from sentcli.errors import counted
from sentcli.files.sink import Target
from sentcli.tables.options import ReadOptions, WriteOptions
from sentcli.tables.registry import FORMATS

_READ = ("text_column", "by", "format", "encoding", "delimiter", "quotechar")


@click.command(
    cls=GroupedCommand,
    examples=(
        "sentcli report scored.csv -o report.html",
        "sentcli report scored.parquet -o report.html --by product --by-time date",
    ),
)
@click.argument("inputs", nargs=-1, required=True)
@click.option("-o", "--output", default="report.html", callback=common.not_empty, help="The page to write.")
@click.option(
    "--by", multiple=True, callback=common.not_empty, help="Column whose values are compared; repeatable."
)
@click.option(
    "--by-time", callback=common.not_empty, help="Column of dates, timestamps or seconds since 1970."
)
@click.option("--prefix", default="", help="Prefix of the columns with the results.")
@common.overwrite_option
@common.quiet_option
@common.text_column_option
@click.option("--input-format", "format", type=click.Choice(FORMATS), help="By default given by the suffix.")
@common.csv_encoding_option
@common.delimiter_option
@common.quotechar_option
@click.option("--model", type=common.NamedPath(), help="Model that scored the rows; by default imdb-bilstm.")
def report(inputs: tuple[str, ...], output: str, model: Path | None, quiet: bool, **options: Any) -> None:
    """Show what the reviews of scored files say, on one HTML page.

    INPUTS are scored files, or folders of them. The page shows labels and scores, by length, by
    stars, by group and over time; what people praise and complain about; and reviews to read, with the words
    that decided their scores. Columns of groups (few values), of dates and of stars are found by their values
    and names.

    The page is one file of at most 0.4 MB that loads nothing. It contains some of the texts.
    """
    from sentcli.report.rows import Report
    from sentcli.runs.folders import find_inputs
    from sentcli.scoring.scorer import Scorer

    common.log_to_stderr(quiet=quiet)
    target = Target(output)
    target.check()
    if not options["overwrite"]:
        target.refuse_existing()
    read = ReadOptions(**{name: options[name] for name in _READ})
    files = [found.file for found in find_inputs(inputs, options["format"], "")]
    with Scorer(model) as scorer:
        results = [column.name for column in WriteOptions(prefix=options["prefix"]).columns()][:2]
        made = Report(scorer, target, options["by_time"])
        made.read(files, read, results)
        made.finish()
    made.publish()
    if not quiet and output != "-":
        say(f"{output}: {counted(made.collected.rows, 'review')}, {len(made.page) / 1000:,.0f} kB")
