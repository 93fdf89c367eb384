"""A model folder for other runtimes, made from a trained one."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sentcli.errors import OutputError, UsageError
from sentcli.export.graph import write_onnx
from sentcli.export.parity import Parity
from sentcli.export.quantize import write_int8
from sentcli.export.torchscript import write_torchscript
from sentcli.files.storage import resolve
from sentcli.model.bilstm import load_model
from sentcli.model.bundle import (
    INT8_ONNX,
    ONNX,
    ORIGIN,
    TORCHSCRIPT,
    VOCAB,
    WEIGHTS,
    Bundle,
    new_bundle,
    write_config,
)


@dataclass(frozen=True)
class ExportedFile:
    """A file that was written, its size in bytes, and how far it is from PyTorch."""

    name: str
    size: int
    parity: Parity


def export_bundle(
    bundle: Bundle,
    output: Path,
    *,
    formats: Sequence[str] = ("onnx",),
    graph: str = "portable",
    precision: str = "fp32",
    overwrite: bool = False,
) -> list[ExportedFile]:
    """Write a folder with the model in other formats, ready to be given to `sentcli score --model`.

    :param output: the new folder.
    :param formats: of `sentcli.export.FORMATS`.
    :param graph: of `sentcli.export.GRAPHS`; what the ONNX file consists of.
    :param precision: of `sentcli.export.PRECISIONS`; that of the ONNX file.
    :raises UsageError: when the options do not go together.
    :raises OutputError: when the folder exists and `overwrite` is not set, or is that of the model.
    :raises BundleError: when the bundle has no weights, or not those of its config.
    :raises ExportError: when an exported file does not agree with PyTorch; the folder is not written then.
    """
    for given, usual in ((graph, "portable"), (precision, "fp32")):
        if given != usual and "onnx" not in formats:
            raise UsageError(f"{given} is for ONNX; try --format onnx")
    if resolve(output) == bundle.path.resolve():
        raise OutputError(f"{output} is the model itself; give another folder")
    text = bundle.config.text
    model = load_model(bundle)
    files = []
    with new_bundle(output, overwrite=overwrite) as folder:

        def report(name: str, parity: Parity) -> None:
            files.append(ExportedFile(name, (folder / name).stat().st_size, parity))

        write_config(folder, bundle.config)
        (folder / VOCAB).write_bytes(bundle.read(VOCAB))
        (folder / ORIGIN).write_text(f"{bundle.digests[WEIGHTS]}  {WEIGHTS}\n")
        if "onnx" in formats and precision == "int8":
            report(INT8_ONNX, write_int8(model, folder / INT8_ONNX, graph, text.max_tokens))
        elif "onnx" in formats:
            report(ONNX, write_onnx(model, folder / ONNX, graph, text.max_tokens))
        if "torchscript" in formats:
            report(TORCHSCRIPT, write_torchscript(model, folder / TORCHSCRIPT, text.max_tokens))
    return files
