"""Read the settings of a command from a TOML file."""

import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click

from sentcli.config import DataSet
from sentcli.errors import UsageError

_OF_ONE_RUN = ("config", "overwrite", "quiet")  # given anew on each command line


class DataTables(click.ParamType):  # type: ignore[type-arg]  # generic in later clicks than 8.2 alone
    """The type of `[[data]]` tables: a tuple of `DataSet`."""

    name = "tables"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, list | tuple) or not value:
            self.fail("one table or more is needed, each with the header [[data]]", param, ctx)
        try:
            return tuple(DataSet.from_table(table, f"table {n}") for n, table in enumerate(value, start=1))
        except UsageError as error:
            self.fail(str(error), param, ctx)


def read_config(context: click.Context, parameter: click.Parameter, path: Path | None) -> Path | None:
    """Make the values of a file the defaults of the command's other options."""
    if path is None:
        return None
    try:
        # A path need not be valid UTF-8: surrogateescape keeps its bytes.
        values = tomllib.loads(path.read_bytes().decode("utf-8", "surrogateescape"))
    except OSError as error:
        raise UsageError(f"{path}: the settings cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: not TOML: {error}") from None
    options = {str(option.name).replace("_", "-"): option for option in context.command.params}
    defaults: dict[str, Any] = {}
    for key, value in values.items():
        name = key.replace("_", "-")
        if name not in options:
            near = get_close_matches(name, options, 3)
            hint = f"did you mean {' or '.join(near)}?" if near else "docs/training-settings.md lists them"
            raise UsageError(f"{path}: unknown key {key!r:.100}; {hint}")
        option = options[name]
        if option.name in _OF_ONE_RUN:
            raise UsageError(f"{path}: {key} cannot be set in a file; give --{name} on the command line")
        if option.name in defaults:
            raise UsageError(f"{path}: {key} is given twice, once with - and once with _")
        defaults[str(option.name)] = _checked(context, option, value, f"{path}: {key}")
    context.default_map = defaults
    return path


def _checked(context: click.Context, option: click.Parameter, value: Any, where: str) -> object:
    """Check a value with click, and return it as an option on a command line has it: as text.

    Without this, click would silently convert 2.5 epochs to 2, and a seed of true to 1.
    """
    if not isinstance(option.type, DataTables):
        if isinstance(value, bool) or not isinstance(value, str | int | float) or "\0" in str(value):
            raise UsageError(f"{where} is {value!r:.100}; it has to be a string or a number")
        value = (str(value),) if getattr(option, "multiple", False) else str(value)
    try:
        option.type_cast_value(context, value)
    except click.BadParameter as error:
        raise UsageError(f"{where}: {error.message.removesuffix('.')}") from None
    return value
