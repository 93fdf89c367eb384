"""The settings of `sentcli train` as options, made from the fields of the settings classes."""

from collections.abc import Callable
from dataclasses import Field, fields
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from sentcli.config import ModelConfig, TextConfig, TrainConfig
from sentcli.errors import UsageError

Command = TypeVar("Command", bound=Callable[..., Any])

SETTINGS: tuple[type, ...] = (TextConfig, ModelConfig, TrainConfig)
# Settings that many users change. The file of --config takes the others too.
ON_THE_COMMAND_LINE = (
    *("hidden_size", "embedding_dim", "max_tokens", "min_freq", "bigrams", "interpolate"),
    *("epochs", "batch_size", "lr", "dropout", "class_weight", "ema_decay", "seed", "validation_share"),
)
_AUTO = "auto"


class FileSetting(click.Option):
    """A setting for the file of --config only; the command line does not accept or show it."""

    def __init__(self, *args: Any, **extra: Any) -> None:
        super().__init__(*args, **{**extra, "hidden": True})

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:
        """Do not add the option to the parser of the command line."""


class _Auto(click.ParamType):  # type: ignore[type-arg]  # generic in later clicks than 8.2 alone
    """A type that also accepts `auto`, which the command gets as None: the data decides the value."""

    def __init__(self, kind: Any) -> None:
        self._kind = click.types.convert_type(kind)
        self.name = self._kind.name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return None if value == _AUTO else self._kind.convert(value, param, ctx)

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str | None:
        metavar: str | None = self._kind.get_metavar(param, ctx)
        return metavar


def settable(settings: type) -> list[Field[Any]]:
    """Return the fields of a settings class that users can set: those with a help text."""
    return [each for each in fields(settings) if each.metadata.get("help")]


def settings_options(auto: tuple[str, ...]) -> Callable[[Command], Command]:
    """Make an option of each setting, with the setting's default or `auto`.

    :param auto: settings whose default is `auto`; the command gets None for it.
    """

    def decorate(command: Command) -> Command:
        for each in [each for settings in SETTINGS for each in settable(settings)][::-1]:
            kind: Any = each.type
            if "choices" in each.metadata:
                kind = click.Choice(each.metadata["choices"])
            default = each.default
            if each.name in auto:
                kind, default = _Auto(kind), _AUTO
            command = click.option(
                f"--{each.name.replace('_', '-')}",
                cls=click.Option if each.name in ON_THE_COMMAND_LINE else FileSetting,
                default=default,
                type=kind,
                help=each.metadata["help"],
            )(command)
        return command

    return decorate


def given_settings() -> dict[str, Any]:
    """Return the settings that the user gave, on the command line or in the file, with their values."""
    params = click.get_current_context().params
    names = [each.name for settings in SETTINGS for each in settable(settings)]
    return {name: params[name] for name in names if is_given(name) and params[name] is not None}


def is_given(name: str) -> bool:
    """Return whether a parameter was given, on the command line or in the file."""
    given = (ParameterSource.COMMANDLINE, ParameterSource.DEFAULT_MAP)
    return click.get_current_context().get_parameter_source(name) in given


def check_together() -> None:
    """Refuse an option that needs another one which is missing, or that contradicts another one.

    :raises UsageError: naming both.
    """
    params = click.get_current_context().params
    if params["interpolate"] and not params["finetune"]:
        raise UsageError("--interpolate needs --finetune; give both, or omit --interpolate")
    if params["data"] and is_given("dataset"):
        raise UsageError(
            "--dataset cannot be combined with [[data]] tables; omit it, or name it as the path of a table"
        )
    if params["folds"] and params["validation"]:
        raise UsageError("folds cannot be combined with --validation; omit one of them")
    for name, other in {
        "validation_share": "validation",
        "glove": "finetune",
        "positive": "finetune",
    }.items():
        if is_on_the_command_line(name) and params[other]:
            raise UsageError(f"{_flag(name)} has no effect with {_flag(other)}; omit one of them")


def is_on_the_command_line(name: str) -> bool:
    """Return whether a parameter was given as an option, and not in the file."""
    return click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
