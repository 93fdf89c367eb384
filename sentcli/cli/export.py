"""`sentcli export`."""

from pathlib import Path

import click

from sentcli.cli import say
from sentcli.cli.options import log_to_stderr, model_argument, new_folder, overwrite_option, quiet_option
from sentcli.errors import requires
from sentcli.export import FORMATS, GRAPHS, PRECISIONS
from sentcli.model.bundle import load_bundle

_ALL = "all"

_EXAMPLES = """\b
Example:
  sentcli export my-model -o my-model-onnx --format onnx --graph folded
"""


@click.command(epilog=_EXAMPLES)
@model_argument
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    callback=new_folder,
    help="New model folder; by default the model's name, a dash and the format, here.",
)
@click.option(
    "--format", "format_", type=click.Choice([*FORMATS, _ALL]), default="onnx", help="What to write."
)
@click.option(
    "--graph",
    type=click.Choice(GRAPHS),
    default="portable",
    help="ONNX of LSTM operators, for every runtime, or with the input products folded: faster on CPUs.",
)
@click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    default="fp32",
    help="Precision of the ONNX file. int8 moves scores a little. Portable: half the size, but a score "
    "depends on the texts beside it. Folded: it does not, and a large model gets faster.",
)
@overwrite_option
@quiet_option
def export(
    model: Path, output: Path | None, format_: str, graph: str, precision: str, overwrite: bool, quiet: bool
) -> None:
    """Write a model for other runtimes, checked against PyTorch.

    MODEL is a model folder with PyTorch's weights; by default the model in the box. The result is a model
    folder too: `sentcli score --model` takes it, or a file in it. TorchScript still works, but PyTorch has
    marked it as deprecated.
    """
    log_to_stderr(quiet=quiet)
    bundle = load_bundle(model)
    with requires("train"):
        from sentcli.export.export import export_bundle
    output = output or Path(f"{bundle.name}-{format_}")
    formats = FORMATS if format_ == _ALL else (format_,)
    files = export_bundle(
        bundle, output, formats=formats, graph=graph, precision=precision, overwrite=overwrite
    )
    if quiet:
        return
    for file in files:
        parity = file.parity
        say(
            f"{output / file.name}: {file.size / 1e6:.1f} MB; on made-up texts it differs from PyTorch by up "
            f"to {parity.logits:.1e} in a logit, {parity.probability:.1e} in a probability, and in "
            f"{parity.changed:.2%} of the labels"
        )
