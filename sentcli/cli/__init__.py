"""The command line: the group, its commands, and the one place where errors become exit codes."""

import os
import signal
import sys
import threading
from importlib import import_module
from types import FrameType
from typing import Any

import click

from sentcli import __version__
from sentcli.errors import SentcliError, TerminatedBySignal

_COMMANDS = ("train", "evaluate", "export", "score")  # in the order of a model's life
_CLOSED_PIPE = 128 + 13  # SIGPIPE, as a shell reports it


class _LazyGroup(click.Group):
    """Imports the module of a command only when it is asked for, and turns errors into exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"sentcli.cli.{cmd_name}")
        return getattr(module, cmd_name)  # type: ignore[no-any-return]

    def invoke(self, ctx: click.Context) -> Any:
        for name in ("SIGTERM", "SIGHUP"):
            if hasattr(signal, name) and threading.current_thread() is threading.main_thread():
                signal.signal(getattr(signal, name), _terminate)
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # What is still buffered has no reader; Python would try to write it once more on its way out.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(_CLOSED_PIPE)
        except KeyboardInterrupt as error:
            ctx.exit(128 + (error.number if isinstance(error, TerminatedBySignal) else signal.SIGINT))
        except SentcliError as error:
            click.echo(f"Error: {printable(str(error))}", err=True)
            ctx.exit(error.exit_code)


@click.command(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.version_option(__version__, prog_name="sentcli")
def main() -> None:
    """Score files full of reviews, and train the models that do it.

    \b
    Example:
      sentcli score reviews.csv -o scored.csv
    """


def _terminate(number: int, frame: FrameType | None) -> None:
    raise TerminatedBySignal(number)


def printable(message: str) -> str:
    """Escape what a terminal would act on: control characters, line breaks, bidirectional overrides."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape", "surrogatepass").decode()
        for character in message
    )
