"""`sentcli report`."""

from dataclasses import dataclass
from pathlib import Path

import click

from sentcli.cli import options as common
from sentcli.cli import say
from sentcli.cli.command import Command, argument, named, option
from sentcli.errors import UsageError
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
    since: str | None = common.since(
        "Compare the rows since then with those before: 2026-01-31, 3m, 1y. Default: the last three full "
        "months, or one."
    )
    against: tuple[str, ...] = option(
        "Scored file with whose rows those of INPUTS are compared; can be repeated.", metavar="FILE"
    )
    about: common.Aspects = common.about("Subject that is always shown, with its words; can be repeated.")
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
      sentcli report scored.parquet -o report.html --by product --by-time date --since 3m
      sentcli report june.csv -o report.html --against may.csv
    """
    from sentcli.report.rows import Report
    from sentcli.runs.plan import find_inputs
    from sentcli.scoring.scorer import Scorer

    if options.since and options.against:
        raise UsageError("--since compares two times of one file, --against two files; omit one")
    target = Target(options.output)
    target.check(overwrite=options.overwrite)
    read = ReadOptions(**named(options, ReadOptions))
    files, earlier = (
        [found.file for found in find_inputs(names, read, "")] for names in (options.inputs, options.against)
    )
    with Scorer(options.model, about=options.about) as scorer:
        results = [column.name for column in WriteOptions(prefix=options.prefix).columns()][:2]
        page = Report(scorer, target, options.by_time, options.since or "")
        page.read(files, earlier, read, results)
        page.finish()
    page.publish()
    if page.doubt:
        say(page.doubt)
    if not options.quiet and options.output != "-":
        say(page.line)
