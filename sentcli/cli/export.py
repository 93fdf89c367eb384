"""`sentcli export`."""

from dataclasses import dataclass
from pathlib import Path

import click

from sentcli.cli import options as common
from sentcli.cli import say
from sentcli.cli.command import OTHER, Command, named, option
from sentcli.errors import requires
from sentcli.export import FORMATS, GRAPHS
from sentcli.model.bundle import load_bundle

_ALL = "all"


@dataclass(frozen=True)
class ExportOptions:
    """The options of `sentcli export`."""

    model: Path = common.model_path()
    output: Path | None = common.new_folder(
        "New model folder. Default: the model's name, a dash and the format.", "-o", heading="What to write"
    )
    format: str = option("File format.", default="onnx", choices=[*FORMATS, _ALL])
    graph: str = option(
        "ONNX graph. portable: LSTM operators, for every runtime; folded: 4 to 6 times as fast on CPUs.",
        choices=GRAPHS,
        default="portable",
    )
    overwrite: bool = common.overwrite()
    quiet: bool = common.quiet(heading=OTHER)


@click.command(cls=Command)
def export(options: ExportOptions) -> None:
    """Write a model as ONNX or TorchScript, checked against PyTorch.

    MODEL is a model folder with PyTorch's weights; by default the included model. The result is a model
    folder too: use it with `sentcli score --model`. PyTorch has deprecated TorchScript; it still works.

    \b
    Examples:
      sentcli export my-model
      sentcli export my-model -o my-model-fast --graph folded
      sentcli export my-model -o my-model-all --format all
    """
    bundle = load_bundle(options.model)
    with requires("train"):
        from sentcli.export.export import export_bundle
    output = options.output or Path(f"{bundle.name}-{options.format}")
    formats = FORMATS if options.format == _ALL else (options.format,)
    how = named(options, export_bundle) | {"output": output, "formats": formats}
    for name, largest in export_bundle(bundle, **how).items():
        size = (output / name).stat().st_size / 1e6
        difference = f"from PyTorch's by at most {largest:.1e} on synthetic texts"
        if not options.quiet:
            say(f"{output / name}: {size:.1f} MB; its probabilities differ {difference}")
