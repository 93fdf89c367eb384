"""Commands whose options are the fields of a dataclass, and whose help shows them under headings.

The click extension cloup could do this help, but version 4.0 makes each start 55 ms slower, or by a fifth.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import Field, field, fields
from inspect import signature
from pathlib import Path
from typing import Any, get_args

import click
from click.core import ParameterSource

from sentcli.cli import say
from sentcli.config import LOG, NOTE
from sentcli.errors import DataError

OTHER = "Other options"  # the heading of options without a heading, and of --help

_NAMES_ELSEWHERE = {  # of options, in other tools
    "--column": "--text-column",
    "--force": "--overwrite",
    "--sep": "--delimiter",
    "--threads": "--workers",
}


class _NotEmpty(click.ParamType):  # type: ignore[type-arg]  # generic in later clicks than 8.2 alone
    """A type of values that are not empty, for example because of an unset variable in a script."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("it is empty; give a value, or omit it", param, ctx)
        return super().convert(value, param, ctx)


class Name(_NotEmpty, click.types.StringParamType):
    """A name, such as that of a column."""


class NamedPath(_NotEmpty, click.Path):
    """A path; an empty one would be the current folder."""


def option(
    help: str,  # noqa: A002  # its name in click
    *names: str,
    low: float | None = None,
    high: float | None = None,
    choices: Sequence[str] = (),
    heading: str | None = None,
    convert: Callable[[Any], Any] | None = None,
    cls: type[click.Option] = click.Option,
    **attributes: Any,
) -> Any:
    """Declare a field of a dataclass as an option of its command. Its type follows from the annotation.

    :param names: its names on the command line; a name with `--` replaces the name of the field.
    :param low: the lower bound of a number, included, as `high`.
    :param heading: the heading in the help, for this option and those after it.
    :param convert: returns the value of the field for a value that the user gave and click has checked.
    :param attributes: further attributes of the `click.Option`, such as `default`.
    """
    if choices:
        attributes["type"] = click.Choice(choices)
    if convert:
        attributes["callback"] = lambda context, parameter, value: (
            value if value in (None, ()) else convert(value)
        )

    def make(entry: Field[Any]) -> click.Option:
        own = () if any(name.startswith("--") for name in names) else (flag_of(entry.name),)
        return cls([entry.name, *names, *own], help=help, **_of_type(entry.type, low, high) | attributes)

    return field(metadata={"make": make, "heading": heading})


def _of_type(kind: Any, low: Any, high: Any) -> dict[str, Any]:
    """Return the attributes of an option that follow from its type, and from the bounds of a number."""
    members = (kind, *get_args(kind))
    if kind is bool:
        return {"is_flag": True, "default": False}
    if members[-1] is ...:  # a tuple of any length
        return {"multiple": True}
    if Path in members:
        return {"type": NamedPath(path_type=Path)}
    if low is not None:
        return {"type": click.IntRange(low, high) if int in members else click.FloatRange(low, high)}
    return {}


def argument(**attributes: Any) -> Any:
    """Declare a field of a dataclass as an argument of its command, with attributes of `click.Argument`."""
    return field(metadata={"make": lambda entry: click.Argument([entry.name], **attributes)})


def flag_of(name: str) -> str:
    """Return the option of a field or setting: `--text-column` of `text_column`."""
    return f"--{name.replace('_', '-')}"


def is_given(name: str) -> bool:
    """Return whether a parameter was given, on the command line or in the file of --config."""
    given = (ParameterSource.COMMANDLINE, ParameterSource.DEFAULT_MAP)
    return click.get_current_context().get_parameter_source(name) in given


def named(options: object, *receivers: Callable[..., Any]) -> dict[str, Any]:
    """Return the options that functions or classes have parameters for, by their names."""
    names = {name for receiver in receivers for name in signature(receiver).parameters}
    return {name: value for name, value in vars(options).items() if name in names}


class Command(click.Command):
    """A command whose function has one parameter: `options`, annotated with a dataclass.

    :param params: options that are not fields, and that the function does not get.
    """

    def __init__(
        self, *, callback: Callable[[Any], None], params: Sequence[click.Parameter], **attributes: Any
    ) -> None:
        self._run, self._kind = callback, callback.__annotations__["options"]
        own = [entry.metadata["make"](entry) for entry in fields(self._kind)]
        super().__init__(params=[*own, *params], **attributes)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            meant = _NAMES_ELSEWHERE.get(error.option_name)
            if any(meant in parameter.opts for parameter in self.get_params(ctx)):
                raise click.UsageError(f"{error.message} Did you mean '{meant}'?", ctx) from None
            raise

    def invoke(self, ctx: click.Context) -> None:
        options = self._kind(**{entry.name: ctx.params[entry.name] for entry in fields(self._kind)})
        log_to_stderr(quiet=getattr(options, "quiet", False))
        try:
            self._run(options)
        except EOFError as error:  # click would take it for Ctrl-D
            raise DataError(f"an input ends too early, as a damaged file does: {error}") from error

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        headings = {entry.name: entry.metadata.get("heading") for entry in fields(self._kind)}
        sections: dict[str, list[tuple[str, str]]] = {}
        heading = OTHER
        for parameter in self.get_params(ctx):  # the last one is --help
            heading = headings.get(str(parameter.name), OTHER) or heading
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                sections.setdefault(heading, []).append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)


def log_to_stderr(*, quiet: bool) -> None:
    """Send the log of the library to stderr, one plain line per record."""
    LOG.handlers = [_Sayer()]
    LOG.setLevel(NOTE if quiet else logging.INFO)
    LOG.propagate = False


class _Sayer(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage())
