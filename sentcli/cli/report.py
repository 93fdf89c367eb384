"""`sentcli report`."""

from dataclasses import dataclass
from pathlib import Path

import click

from sentcli.cli import options as common
from sentcli.cli import say
from sentcli.cli.command import Command, argument, named, option
from sentcli.errors import counted
from sentcli.files.sink import Target
from sentcli.tables.options import ReadOptions, WriteOptions
from sentcli.tables.registry import INPUT_FORMATS


@dataclass(frozen=True)
class ReportOptions:
    """The options of `sentcli report`."""

    inputs: tuple[str, ...] = argument(nargs=-1, required=True)
    output: str = common.name("The page to write.", "-o", default="report.html")
    by: tuple[str, ...] = common.column("Column whose values are compared; can be repeated.")
    by_time: str | None = common.column("Column of dates, timestamps or seconds since 1970.")
    day_first: bool | None = common.day_first()
    prefix: str = option("Prefix of the columns with the results.", default="")
    overwrite: bool = common.overwrite()
    quiet: bool = common.quiet()
    text_column: str | None = common.text_column()
    format: str | None = option("Default: by the suffix.", "--input-format", choices=INPUT_FORMATS)
    encoding: str | None = common.encoding()
    delimiter: str | None = common.delimiter()
    quotechar: str | None = common.quotechar()
    model: Path | None = option("Model that scored the rows. Default: imdb-bilstm.")


@click.command(cls=Command)
def report(options: ReportOptions) -> None:
    """Show what the reviews of scored files say, on one HTML page.

    INPUTS are scored files, or folders of them. The page shows labels and scores, by length, by
    stars, by group and over time; what people praise and complain about; and reviews to read, with the words
    that decided their scores. Columns of groups (few values), of dates and of stars are found by their values
    and names.

    The page is one file of at most 0.4 MB that loads nothing. It contains some of the texts.

    \b
    Examples:
      sentcli report scored.csv -o report.html
      sentcli report scored.parquet -o report.html --by product --by-time date
    """
    from sentcli.report.rows import Report
    from sentcli.runs.plan import find_inputs
    from sentcli.scoring.scorer import Scorer

    target = Target(options.output)
    target.check(overwrite=options.overwrite)
    read = ReadOptions(**named(options, ReadOptions))
    files = [found.file for found in find_inputs(options.inputs, read, "")]
    with Scorer(options.model) as scorer:
        results = [column.name for column in WriteOptions(prefix=options.prefix).columns()][:2]
        page = Report(scorer, target, options.by_time)
        page.read(files, read, results)
        page.finish()
    page.publish()
    if page.doubt:
        say(page.doubt)
    if not options.quiet and options.output != "-":
        say(f"{options.output}: {counted(page.collected.rows, 'review')}, {len(page.page) / 1000:,.0f} kB")
