"""How a benchmark ends that cannot go on: as `sentcli` does, with a line on stderr and an exit code."""

import sys
from collections.abc import Callable

import click

from sentcli.cli import exit_codes


def run(main: Callable[[], None]) -> None:
    """Run a script; without its data, its model or a file it ends in one line, and not in a traceback."""
    try:
        with exit_codes():
            main()
    except click.exceptions.Exit as end:
        sys.exit(end.exit_code)
