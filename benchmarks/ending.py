"""Report the errors of a benchmark as `sentcli` does: one line on stderr and an exit code."""

import sys
from collections.abc import Callable

import click

from sentcli.cli import exit_codes


def run(main: Callable[[], None]) -> None:
    """Run a script; a missing data set, model or file is one line, not a traceback."""
    try:
        with exit_codes():
            main()
    except click.exceptions.Exit as end:
        sys.exit(end.exit_code)
