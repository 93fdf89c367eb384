"""The command line: the group, its commands, and the one place where errors become exit codes."""

import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from io import TextIOWrapper
from typing import Any

import click

from sentcli import __version__
from sentcli.errors import SentcliError, UsageError, names_flags, printable, signal_of, without_secrets
from sentcli.files import stop

# In the order of use. The descriptions are repeated here so that the help of the group imports no command.
_COMMANDS = {
    "train": "Train a model and write it to a new folder.",
    "evaluate": "Measure a model on a labeled split of a data set.",
    "export": "Write a model as ONNX or TorchScript, checked against PyTorch.",
    "score": "Score texts: write the same rows with a sentiment and a score.",
    "explain": "Show why texts have their scores: words and sentences.",
    "report": "Show what the reviews of scored files say, on one HTML page.",
}
_WITH_WORKERS = ("evaluate", "score")
_CLOSED_PIPE = 128 + 13  # SIGPIPE, as a shell reports it
_LONGEST_MESSAGE = 2000  # characters

_EXAMPLES = """\b
Examples:
  sentcli score reviews.csv -o scored.csv
  sentcli score --text "an absolute joy"
  sentcli explain "an absolute joy"
"""
_HELP = "Options: sentcli score --help; all commands: sentcli --help"


class _LazyGroup(click.Group):
    """A group that imports a command only when it is called, and turns errors into exit codes."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.commands:
            return None
        return getattr(import_module(f"sentcli.cli.{cmd_name}"), cmd_name)  # type: ignore[no-any-return]

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args[0] not in self.commands and "." in args[0]:
            raise UsageError(f"a command is missing; try: {shlex.join(['sentcli', 'score', *args])}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        with names_flags(), exit_codes():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        _fill_standard_descriptors()
        _escape_what_stdout_lacks()
        stop.install()
        with names_flags(), exit_codes(ctx):
            return super().invoke(ctx)


@click.command(
    cls=_LazyGroup,
    commands={name: click.Command(name) for name in _COMMANDS},  # names for proposals
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
    epilog=_EXAMPLES,
)
@click.version_option(__version__, "-V", "--version", message="%(prog)s %(version)s")
def main() -> None:
    """Score files of reviews, and train the models for it."""


@contextmanager
def exit_codes(ctx: click.Context | None = None) -> Iterator[None]:
    """Turn expected errors into a line on stderr and an exit code, without a traceback."""
    try:
        yield
    except click.exceptions.NoArgsIsHelpError as error:
        for line in (*_EXAMPLES.splitlines()[1:], _HELP):
            say(line)
        raise click.exceptions.Exit(error.exit_code) from None
    except click.UsageError as error:
        command = f"sentcli {ctx.invoked_subcommand}" if ctx and ctx.invoked_subcommand else "sentcli"
        message = error.format_message().replace("\n\t", " ")  # of a list of choices
        joint = " See" if message.endswith("?") else "; see"
        _fail(f"{message.removesuffix('.')}{joint} {command} --help", error.exit_code)
    except SentcliError as error:
        _fail(str(error), error.exit_code)
    except KeyboardInterrupt as error:
        raise click.exceptions.Exit(128 + signal_of(error)) from None
    except (MemoryError, RuntimeError) as error:
        # Python has no type for a lack of threads.
        if isinstance(error, RuntimeError) and "can't start new thread" not in str(error):
            raise
        what = "out of memory" if isinstance(error, MemoryError) else "cannot start another thread"
        is_threaded = ctx is not None and ctx.invoked_subcommand in _WITH_WORKERS
        advice = "try fewer --workers" if is_threaded else "close other programs, then try again"
        _fail(f"{what}; {advice}", 1)
    except OSError as error:  # such as a full disk, where the caller does not handle it
        _give_up_stdout()
        if isinstance(error, BrokenPipeError):
            raise click.exceptions.Exit(_CLOSED_PIPE) from None
        _fail(f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error), 1)


def _fail(message: str, code: int) -> None:
    say(f"Error: {message:.{_LONGEST_MESSAGE}}")
    raise click.exceptions.Exit(code)


def say(message: str) -> None:
    """Write a line to stderr. A closed or full stderr does not change how the run ends."""
    try:
        if sys.stderr:
            click.echo(printable(without_secrets(message)), err=True)
    except OSError:
        # Keep the descriptor: rejected rows go to stderr when the output is stdout, and must not be lost.
        sys.stderr = None


def _give_up_stdout() -> None:
    """Discard unwritten output: Python would try to write it again at exit, and change the exit code."""
    with suppress(OSError, AttributeError):  # stdout is closed or not a file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fill_standard_descriptors() -> None:
    """Open closed standard streams, so that no other file gets their descriptors.

    A library that writes to stderr would otherwise write into that file.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number


def _escape_what_stdout_lacks() -> None:
    """Make stdout escape characters that its encoding lacks, as stderr does, instead of failing."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
