"""The command line in this process, and command lines that are written in documents."""

import re
import shlex
from dataclasses import dataclass

import click
from click.testing import CliRunner, Result

from sentcli.cli import main


def invoke(*arguments: object, stdin: str | bytes | None = None) -> Result:
    """Run `sentcli` with these arguments; its standard output and error are kept apart."""
    return CliRunner().invoke(main, list(map(str, arguments)), prog_name="sentcli", input=stdin)


@dataclass(frozen=True)
class Failure:
    """A message on stderr: one line, as every failure gets it."""

    code: int
    message: str


def fail(*arguments: object, stdin: str | bytes | None = None) -> Failure:
    """Run a command that has to fail: cleanly, with one line on stderr and nothing on stdout."""
    result = invoke(*arguments, stdin=stdin)
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert result.stderr.endswith("\n")
    return Failure(result.exit_code, result.stderr)


def parse(line: str) -> click.Context:
    """Let click parse the `sentcli` part of a shell line, without running it.

    :raises click.UsageError: for a command or an option that does not exist.
    """
    words = shlex.split(next(part for part in line.split("|") if re.search(r"(^|[\s/])sentcli ", part)))
    program, name, *arguments = words
    assert program.rpartition("/")[2] == "sentcli", line
    context = main.make_context("sentcli", [name])
    command = main.get_command(context, name)
    if command is None:
        raise click.UsageError(f"there is no command {name}")
    return command.make_context(name, arguments, parent=context)
