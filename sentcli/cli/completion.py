"""`sentcli completion`."""

import click
from click.shell_completion import BashComplete, FishComplete, ZshComplete

from sentcli.cli import main
from sentcli.cli.grouped_help import GroupedCommand

_SCRIPTS = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}


@click.command(cls=GroupedCommand, examples=["sentcli completion fish | source"])
@click.argument("shell", metavar="SHELL", type=click.Choice([*_SCRIPTS]))
def completion(shell: str) -> None:
    """Print the script for completion in a shell.

    SHELL is bash, zsh or fish. The script completes commands, options and names of files.

    \b
    For all sessions, add to ~/.bashrc:
      eval "$(sentcli completion bash)"
    """
    click.echo(_SCRIPTS[shell](main, {}, "sentcli", "_SENTCLI_COMPLETE").source())
