"""The options of `sentcli train`; its settings come from the fields of the settings classes."""

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from sentcli.cli import options as common
from sentcli.cli.command import NamedPath, flag_of, option
from sentcli.cli.config_file import DataTables, read_config
from sentcli.config import DataSet, settable
from sentcli.errors import UsageError

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


def _setting_option(name: str, cls: type[click.Option] = click.Option) -> click.Option:
    """Make an option of a setting, with its default, or `auto` where the data decide the value."""
    setting = _SETTINGS[name]
    rule, default = setting.metadata, setting.default
    kind: Any = click.Choice(rule["choices"]) if "choices" in rule else setting.type
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
        "Word vectors: a file, a name such as 6B.100d, or none.", default="6B.100d", heading="Model"
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
    ema_decay: float = _setting()
    seed: int = _setting()
    device: str | None = common.device()
    threads: int | None = option(
        "Threads of PyTorch. Default: one for up to 100,000 words, else all cores.", low=1
    )

    output: Path = common.new_folder(
        "New model folder.", "-o", default="sentcli-model", heading="Output and settings"
    )
    overwrite: bool = common.overwrite()
    # Eager: before the options that get their defaults from it.
    config: Path | None = option(
        "TOML file of these and more settings; options override it.", is_eager=True, callback=read_config
    )
    quiet: bool = common.quiet()

    data: tuple[DataSet, ...] | None = option(
        "Several data sets, in place of dataset: [[data]] tables.", cls=FileSetting, type=DataTables()
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
    params = click.get_current_context().params
    return {name: params[name] for name in _SETTINGS if is_given(name)}


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
    for name, other in (("validation_share", "validation"), ("glove", "finetune"), ("positive", "finetune")):
        # In the file, which may be the recipe of another model, such an option is ignored.
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE and params[other]:
            raise UsageError(f"{flag_of(name)} has no effect with --{other}; omit one of them")
