"""Options that more than one command has, and options made from the fields of a settings class."""

import logging
import sys
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, TextIO, TypeVar

import click

from sentcli.bundle import default_bundle_path

Command = TypeVar("Command", bound=Callable[..., Any])
Settings = TypeVar("Settings")

BACKENDS = ("onnx", "torch", "torchscript")
DEVICES = ("cpu", "cuda")


def _default_model() -> Path:
    return default_bundle_path()


model_argument = click.argument(
    "model", type=click.Path(path_type=Path), default=_default_model, required=False
)
backend_option = click.option(
    "--backend",
    type=click.Choice(BACKENDS),
    help="What runs the model; by default what its file is for: onnx.",
    show_default=False,
)
device_option = click.option(
    "--device", type=click.Choice(DEVICES), help="Where PyTorch runs; by default cuda if there is one."
)
text_column_option = click.option("--text-column", help="Column of the texts; found by name if not given.")
label_column_option = click.option("--label-column", help="Column of the labels; found by name if not given.")
overwrite_option = click.option("--overwrite", is_flag=True, help="Replace what is there already.")
quiet_option = click.option("-q", "--quiet", is_flag=True, help="No progress, no summary: errors alone.")


def settings_options(settings: type, options: Mapping[str, tuple[str, str]]) -> Callable[[Command], Command]:
    """Make an option of each named field, with the field's default.

    :param settings: a settings dataclass.
    :param options: field name to flag and help text.
    """
    defaults = {field.name: field.default for field in fields(settings)}

    def decorate(command: Command) -> Command:
        for name, (flag, text) in reversed(options.items()):
            default = defaults[name]
            if default is MISSING:
                raise TypeError(f"{name} of {settings.__name__} has no default")
            command = click.option(flag, name, default=default, type=type(default), help=text)(command)
        return command

    return decorate


def log_to_stderr(*, quiet: bool) -> None:
    """Send what the library has to say to stderr, a plain line each."""
    handler = logging.StreamHandler(sys.stderr) if sys.stderr else logging.NullHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger = logging.getLogger("sentcli")
    logger.handlers = [handler]
    logger.setLevel(logging.ERROR if quiet else logging.INFO)
    logger.propagate = False


def is_terminal(stream: TextIO | None) -> bool:
    """Tell whether a person sits at the other end; a stream that was closed at the start is None."""
    return stream is not None and stream.isatty()
