"""Read the settings of a command from a TOML file, and write them as a recipe."""

import json
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import asdict
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click

from sentcli.cli.options import NamedPath
from sentcli.config import DataSet
from sentcli.errors import UsageError

_OF_ONE_RUN = ("config", "overwrite", "quiet")  # given anew on each command line
_OF_ONE_MACHINE = ("output", "threads", "device")  # allowed in a file, omitted from a recipe

_BARE_KEY = re.compile(r"[\w-]+", re.ASCII)

# A path need not be valid UTF-8: surrogateescape keeps its bytes in a recipe.
_ENCODING = ("utf-8", "surrogateescape")


class DataTables(click.ParamType):  # type: ignore[type-arg]  # generic in later clicks than 8.2 alone
    """The type of `[[data]]` tables: a tuple of `DataSet`."""

    name = "tables"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, list | tuple) or not value:
            self.fail("one table or more is needed, each with the header [[data]]", param, ctx)
        try:
            return tuple(DataSet.from_table(each, f"table {n}") for n, each in enumerate(value, start=1))
        except UsageError as error:
            self.fail(str(error), param, ctx)


def _read(context: click.Context, parameter: click.Parameter, path: Path | None) -> None:
    """Make the values of a file the defaults of the command's other options.

    :raises UsageError: naming the file, and a key that is unknown or has a wrong value.
    """
    if path is None:
        return
    try:
        values = tomllib.loads(path.read_bytes().decode(*_ENCODING))
    except OSError as error:
        raise UsageError(f"{path}: the settings cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: not TOML: {error}") from None
    options = _options(context.command)
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


config_option = click.option(
    "--config",
    type=NamedPath(),
    is_eager=True,  # before the options that get their defaults from it
    expose_value=False,
    callback=_read,
    help="TOML file with these and further settings, such as batch-size = 64; options override it.",
)


def recipe(context: click.Context, resolved: Mapping[str, Any], left_out: Collection[str] = ()) -> str:
    """Return as TOML all settings that affect the result of a command, including defaults.

    :param resolved: values that the data decided, by parameter name; they replace those of the command.
    :param left_out: names of parameters to omit, because they had no effect.
    :returns: a file for `--config`, to be encoded with `surrogateescape`.
    """
    lines, tables = [], []
    for key, option in _options(context.command).items():
        value = resolved.get(str(option.name), context.params.get(str(option.name)))
        if value in (None, ()) or option.name in {*_OF_ONE_RUN, *_OF_ONE_MACHINE, *left_out}:
            continue
        if isinstance(option.type, DataTables):
            for each in value:
                table = {name.replace("_", "-"): value for name, value in asdict(each).items()}
                tables.append("\n".join([f"\n[[{key}]]", *_pairs(table)]) + "\n")
        else:
            lines.append(f"{key} = {_toml(value)}\n")
    return "".join(lines + tables)


def _pairs(table: Mapping[str, Any]) -> list[str]:
    """Return the keys and values of a TOML table, without those that are None."""
    keys = {key: key if _BARE_KEY.fullmatch(key) else _toml(key) for key in table}
    return [f"{keys[key]} = {_toml(value)}" for key, value in table.items() if value is not None]


def _options(command: click.Command) -> dict[str, click.Option]:
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    return {max(option.opts, key=len).removeprefix("--"): option for option in options}


def _checked(context: click.Context, option: click.Option, value: object, where: str) -> object:
    """Check a value with click, and return it as an option on a command line has it: as text.

    Without this, click would silently convert 2.5 epochs to 2, and a seed of true to 1.
    """
    given: Any = value
    if not isinstance(option.type, DataTables):
        if option.multiple and not isinstance(value, list):
            raise UsageError(f"{where} is {value!r:.100}; it has to be a list")
        items = value if option.multiple and isinstance(value, list) else [value]
        for item in items:
            if isinstance(item, bool) or not isinstance(item, str | int | float) or "\0" in str(item):
                raise UsageError(f"{where} is {item!r:.100}; it has to be a string or a number")
        words = [str(item) for item in items]
        given = words if option.multiple else words[0]
    try:
        option.type_cast_value(context, given)
    except click.BadParameter as error:
        raise UsageError(f"{where}: {error.message.removesuffix('.')}") from None
    return given


def _toml(value: Any) -> str:
    """Return a value as TOML. A JSON string is a TOML string, except that TOML escapes DEL."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Mapping):
        return f"{{ {', '.join(_pairs(value))} }}"
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
