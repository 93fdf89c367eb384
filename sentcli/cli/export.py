"""`sentcli export`."""

from pathlib import Path

import click

from sentcli.cli import say
from sentcli.cli.grouped_help import GroupedCommand
from sentcli.cli.options import log_to_stderr, model_argument, new_folder, overwrite_option, quiet_option
from sentcli.errors import requires
from sentcli.export import FORMATS, GRAPHS
from sentcli.model.bundle import load_bundle

_ALL = "all"


@click.command(
    cls=GroupedCommand,
    examples=(
        "sentcli export my-model",
        "sentcli export my-model -o my-model-fast --graph folded",
        "sentcli export my-model -o my-model-all --format all",
    ),
    groups={"What to write": ("output", "format_", "graph", "overwrite")},
)
@model_argument
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    callback=new_folder,
    help="New model folder; by default the model's name, a dash and the format.",
)
@click.option("--format", "format_", type=click.Choice([*FORMATS, _ALL]), default="onnx", help="File format.")
@click.option(
    "--graph",
    type=click.Choice(GRAPHS),
    default="portable",
    help="ONNX graph. portable: LSTM operators, for every runtime; folded: 4 to 6 times as fast on CPUs.",
)
@overwrite_option
@quiet_option
def export(model: Path, output: Path | None, format_: str, graph: str, overwrite: bool, quiet: bool) -> None:
    """Write a model as ONNX or TorchScript, checked against PyTorch.

    MODEL is a model folder with PyTorch's weights; by default the included model. The result is a model
    folder too: use it with `sentcli score --model`. PyTorch has deprecated TorchScript; it still works.
    """
    log_to_stderr(quiet=quiet)
    bundle = load_bundle(model)
    with requires("train"):
        from sentcli.export.export import export_bundle
    output = output or Path(f"{bundle.name}-{format_}")
    formats = FORMATS if format_ == _ALL else (format_,)
    files = export_bundle(bundle, output, formats=formats, graph=graph, overwrite=overwrite)
    if quiet:
        return
    for file in files:
        say(
            f"{output / file.name}: {file.size / 1e6:.1f} MB; its probabilities differ from PyTorch's by at "
            f"most {file.difference:.1e} on synthetic texts"
        )
