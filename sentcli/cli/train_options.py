"""The options of `sentcli train`, and the TOML file that sets them.

The settings come from the fields of the settings classes.
"""

import re
import tomllib
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from sentcli.cli import options as common
from sentcli.cli.command import NamedPath, flag_of, is_given, option
from sentcli.config import DataSet, settable
from sentcli.errors import UsageError

_OF_ONE_RUN = ("config", "overwrite", "quiet")  # given anew on each command line
_AUTO = "auto"
_SETTINGS = {setting.name: setting for setting in settable()}


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


def _seconds(time: str) -> float:
    """Return a time such as 90s, 10m or 2h in seconds."""
    parts = re.fullmatch(r"(\d+(?:\.\d*)?)([smh]?)", str(time))
    if not parts:
        raise click.BadParameter(f"{time!r:.100} is not a time such as 90s, 10m or 2h")
    return float(parts[1]) * {"h": 3600, "m": 60}.get(parts[2], 1)


def _read_config(context: click.Context, parameter: click.Parameter, path: Path | None) -> Path | None:
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
    if option.name == "data":
        return _data_sets(value, where)
    is_no_flag = isinstance(value, bool) and not getattr(option, "is_flag", False)
    if is_no_flag or not isinstance(value, str | int | float) or "\0" in str(value):
        raise UsageError(f"{where} is {value!r:.100}; it has to be a string or a number")
    value = (str(value),) if getattr(option, "multiple", False) else str(value)
    try:
        option.type_cast_value(context, value)
    except click.BadParameter as error:
        raise UsageError(f"{where}: {error.message.removesuffix('.')}") from None
    return value


def _data_sets(tables: Any, where: str) -> tuple[DataSet, ...]:
    """Return the data sets of `[[data]]` tables."""
    if not isinstance(tables, list) or not tables:
        raise UsageError(f"{where}: one table or more is needed, each with the header [[data]]")
    return tuple(DataSet.from_table(table, f"{where}: table {n}") for n, table in enumerate(tables, start=1))


def _setting_option(name: str, cls: type[click.Option] = click.Option) -> click.Option:
    """Make an option of a setting, with its default, or `auto` where the data decide the value."""
    setting = _SETTINGS[name]
    rule, default = setting.metadata, setting.default
    kind: Any = click.Choice(rule["choices"]) if "choices" in rule else setting.type
    kind = click.types.FuncParamType(_seconds) if name == "time_limit" else kind
    if rule.get("auto"):
        kind, default = _Auto(kind), _AUTO
    return cls([name, flag_of(name)], default=default, type=kind, help=rule["help"])


def _setting(heading: str | None = None) -> Any:
    """Declare a field as the option of the setting with its name."""
    return field(metadata={"make": lambda entry: _setting_option(entry.name), "heading": heading})


@dataclass(frozen=True)
class TrainOptions:
    """The options of `sentcli train`, without the settings that only the file of --config takes."""

    dataset: str = common.dataset(heading="Data")
    text_column: str | None = common.text_column()
    label_column: str | None = common.label_column()
    weight_column: str | None = common.column("Column of the weight of each text.")
    round_labels: bool = common.round_labels()
    positive: str | None = common.name(
        "Label whose probability is the score (two labels). Default: the second in sort order."
    )
    delimiter: str | None = common.delimiter()
    encoding: str | None = common.encoding()
    validation: str | None = common.name(
        "Labeled file, or split of --dataset, to validate on. Default: a share of the training split."
    )
    validation_share: float | None = _setting()

    glove: str = option(
        "Word vectors: included, a file, a name such as 6B.100d, or none.",
        default="included",
        heading="Model",
    )
    finetune: Path | None = option(
        "Model to start from; it sets vocabulary and shape. imdb-bilstm comes with sentcli.",
        type=NamedPath(file_okay=False, path_type=Path),
    )
    interpolate: float | None = _setting()
    hidden_size: int = _setting()
    embedding_dim: int = _setting()
    max_tokens: int = _setting()
    min_freq: int | None = _setting()
    bigrams: int = _setting()

    epochs: int | None = _setting(heading="Training")
    batch_size: int | None = _setting()
    lr: float = _setting()
    dropout: float = _setting()
    class_weight: str = _setting()
    seed: int = _setting()
    time_limit: float = _setting()
    device: str | None = common.device()
    threads: int | None = option("Threads of PyTorch. Default: 1 up to 100,000 words, else all cores.", low=1)

    output: Path = common.new_folder(
        "New model folder.", "-o", default="sentcli-model", heading="Output and settings"
    )
    overwrite: bool = common.overwrite()
    # Eager: before the options that get their defaults from it.
    config: Path | None = option(
        "TOML file of these and more settings; options override it.", is_eager=True, callback=_read_config
    )
    quiet: bool = common.quiet()

    data: tuple[DataSet, ...] | None = option(
        "Several data sets, in place of dataset: [[data]] tables.", cls=FileSetting, type=click.UNPROCESSED
    )
    quotechar: str | None = common.quotechar(cls=FileSetting)
    skip_lines: int = common.skip_lines(cls=FileSetting)
    max_rejects: str = option(
        "Maximum rows per data set to skip, without text or label: N or P%.", cls=FileSetting, default="1%"
    )
    even_words: str | None = option(
        "File with the columns word and kind: of these words, such as names, only the kind counts.",
        cls=FileSetting,
    )
    license: str | None = option("License of the model for its card, such as apache-2.0.", cls=FileSetting)


def file_settings() -> list[click.Parameter]:
    """Return the settings that only the file of --config takes."""
    shown = {entry.name for entry in fields(TrainOptions)}
    return [_setting_option(name, FileSetting) for name in _SETTINGS if name not in shown]


def given_settings() -> dict[str, Any]:
    """Return the settings that the user gave, on the command line or in the file; None for `auto`."""
    return {name: click.get_current_context().params[name] for name in _SETTINGS if is_given(name)}


def check_together() -> None:
    """Refuse an option that needs another one which is missing, or that contradicts another one."""
    context = click.get_current_context()
    params = context.params
    if params["data"] and is_given("dataset"):
        hint = "omit it, or name it as the path of a table"
        raise UsageError(f"--dataset cannot be combined with [[data]] tables; {hint}")
    if params["folds"] and params["validation"]:
        raise UsageError("folds cannot be combined with --validation; omit one of them")
    for name, other in (("validation_share", "validation"), ("glove", "finetune"), ("positive", "finetune")):
        # In the file, which may be the recipe of another model, such an option is ignored.
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE and params[other]:
            raise UsageError(f"{flag_of(name)} has no effect with --{other}; omit one of them")
