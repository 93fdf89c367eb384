"""The settings of `sentcli train` as options, made from the fields of the settings classes."""

from collections.abc import Callable
from typing import Any

import click
from click.core import ParameterSource

from sentcli.config import settable
from sentcli.errors import UsageError

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
    """A type that also accepts `auto`, which the command gets as None: the data decide the value."""

    def __init__(self, kind: Any) -> None:
        self._kind = click.types.convert_type(kind)
        self.name = self._kind.name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return None if value == _AUTO else self._kind.convert(value, param, ctx)


def settings_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Make an option of each setting, with its default, or `auto` where the data decide the value."""
    for setting in settable()[::-1]:
        rule, default = setting.metadata, setting.default
        kind: Any = click.Choice(rule["choices"]) if "choices" in rule else setting.type
        if rule.get("auto"):
            kind, default = _Auto(kind), _AUTO
        command = click.option(
            f"--{setting.name.replace('_', '-')}",
            cls=click.Option if setting.name in ON_THE_COMMAND_LINE else FileSetting,
            default=default,
            type=kind,
            help=rule["help"],
        )(command)
    return command


def given_settings() -> dict[str, Any]:
    """Return the settings that the user gave, on the command line or in the file; None for `auto`."""
    params = click.get_current_context().params
    return {setting.name: params[setting.name] for setting in settable() if is_given(setting.name)}


def is_given(name: str) -> bool:
    """Return whether a parameter was given, on the command line or in the file."""
    given = (ParameterSource.COMMANDLINE, ParameterSource.DEFAULT_MAP)
    return click.get_current_context().get_parameter_source(name) in given


def check_together() -> None:
    """Refuse an option that needs another one which is missing, or that contradicts another one."""
    context = click.get_current_context()
    params = context.params
    if params["data"] and is_given("dataset"):
        raise UsageError(
            "--dataset cannot be combined with [[data]] tables; omit it, or name it as the path of a table"
        )
    if params["folds"] and params["validation"]:
        raise UsageError("folds cannot be combined with --validation; omit one of them")
    for option, other in (
        ("validation_share", "validation"),
        ("glove", "finetune"),
        ("positive", "finetune"),
    ):
        # In the file, which may be the recipe of another model, such an option is ignored.
        if context.get_parameter_source(option) is ParameterSource.COMMANDLINE and params[other]:
            raise UsageError(f"--{option.replace('_', '-')} has no effect with --{other}; omit one of them")
