"""The command line: the group, its commands, and the one place where errors become exit codes."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from io import TextIOWrapper
from typing import Any

import click

from sentcli import __version__
from sentcli.errors import (
    SentcliError,
    is_short_of_threads,
    is_unmapped,
    printable,
    signal_of,
)
from sentcli.scoring import stop

# In the order of a model's life. What each does stands here too: the group's help imports none of them.
_COMMANDS = {
    "train": "Train a model and write it to a new folder.",
    "evaluate": "Measure a model on a labelled split of a data set.",
    "export": "Write a model as ONNX or TorchScript, checked against PyTorch.",
    "score": "Score texts: the same rows come out, with a sentiment and a score.",
}
_WITH_WORKERS = ("evaluate", "score")
_CLOSED_PIPE = 128 + 13  # SIGPIPE, as a shell reports it
_LONGEST_MESSAGE = 2000  # characters; what a message quotes is cut where it is quoted

_EXAMPLES = """\b
Example:
  sentcli score reviews.csv -o scored.csv
"""


class _LazyGroup(click.Group):
    """Imports the module of a command only when it is asked for, and turns errors into exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"sentcli.cli.{cmd_name}")
        return getattr(module, cmd_name)  # type: ignore[no-any-return]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        with exit_codes():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        _fill_standard_descriptors()
        _escape_what_stdout_lacks()
        stop.install()
        with exit_codes(ctx):
            return super().invoke(ctx)


@click.command(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
    epilog=_EXAMPLES,
)
@click.version_option(__version__, message="%(prog)s %(version)s")
def main() -> None:
    """Score files full of reviews, and train the models that do it."""


@contextmanager
def exit_codes(ctx: click.Context | None = None) -> Iterator[None]:
    """Turn what a command raises into a line on stderr and an exit code, never a traceback.

    :param ctx: that of the group, once it is known which command is meant.
    """
    try:
        yield
    except click.exceptions.NoArgsIsHelpError as error:
        for line in error.format_message().splitlines():
            say(line)
        raise click.exceptions.Exit(error.exit_code) from None
    except click.UsageError as error:
        command = f"sentcli {ctx.invoked_subcommand}" if ctx and ctx.invoked_subcommand else "sentcli"
        _fail(f"{error.format_message().removesuffix('.')}; see {command} --help", error.exit_code)
    except SentcliError as error:
        _fail(str(error), error.exit_code)
    except KeyboardInterrupt as error:
        raise click.exceptions.Exit(128 + signal_of(error)) from None
    except ImportError as error:
        if not is_unmapped(error):
            raise
        _fail(f"memory is short, or it is mounted noexec: {error.__cause__ or error}; {_less(ctx)}", 1)
    except MemoryError:
        _fail(f"memory is short; {_less(ctx)}", 1)
    except RuntimeError as error:
        if not is_short_of_threads(error):
            raise
        _fail(f"another thread cannot be started; {_less(ctx)}", 1)
    except BrokenPipeError:
        _give_up_stdout()
        raise click.exceptions.Exit(_CLOSED_PIPE) from None
    except OSError as error:  # a full disk, a folder that may not be read: where nobody thought of it
        _give_up_stdout()
        _fail(f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error), 1)


def _less(ctx: click.Context | None) -> str:
    """Say what to try where a command took more than there is."""
    is_threaded = ctx is not None and ctx.invoked_subcommand in _WITH_WORKERS
    return "try fewer --workers" if is_threaded else "free some, then try again"


def _fail(message: str, code: int) -> None:
    say(f"Error: {message:.{_LONGEST_MESSAGE}}")
    raise click.exceptions.Exit(code)


def say(message: str) -> None:
    """Write a line to stderr. If it is closed or full, the run ends as it would have ended."""
    try:
        if sys.stderr:
            click.echo(printable(message), err=True)
    except OSError:
        # As if it had been closed at the start. Were its descriptor given away, rejected rows, which go there
        # when the others go to stdout, would be lost without a word.
        sys.stderr = None


def _give_up_stdout() -> None:
    """Forget what could not be written: Python would try again on its way out, and end with another code."""
    with suppress(OSError, AttributeError):  # a stream that is no file, or closed
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fill_standard_descriptors() -> None:
    """Let no file that is opened later get the number of a standard stream that was closed.

    What a library writes to its standard error would end up in that file.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number


def _escape_what_stdout_lacks() -> None:
    """Let no character that the encoding of stdout lacks end a run when all is done; stderr is so already."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
