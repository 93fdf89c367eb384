"""Write a trained model as ONNX and TorchScript, checked against PyTorch."""

import copy
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from sentcli.backends import Backend, Ids, Lengths
from sentcli.backends.onnx import OnnxBackend
from sentcli.backends.onnx_check import check_model
from sentcli.backends.torch import TORCHSCRIPT_DEPRECATED, load_model, load_torchscript
from sentcli.config import TextConfig
from sentcli.errors import ExportError, OutputError, UsageError, option
from sentcli.export.folded import folded_graph
from sentcli.export.portable import portable_graph
from sentcli.files.atomic import resolve
from sentcli.model.bilstm import BiLSTM
from sentcli.model.bundle import ONNX, TORCHSCRIPT, VOCAB, Bundle, new_bundle, write_config
from sentcli.scoring.batches import pad
from sentcli.scoring.labels import Floats, softmax
from sentcli.scoring.pool import usable_cores
from sentcli.text.tokenizer import UNK_ID

# Both compute in fp32, but sum in different orders. The included model differs by less than 1e-6.
_TOLERANCE = 1e-4  # largest difference of a probability
# An LSTM that learned from short texts can amplify rounding over hundreds of tokens. From the length on at
# which PyTorch in fp32 differs by more than this from fp64, a text shows nothing about the exported model.
_ROUNDING = _TOLERANCE / 10

_TEXTS = 512
_ROWS = 16  # texts of a batch, of mixed lengths, so that an error in masking the padding shows
_LONGEST = 1024  # tokens; longer texts take the same path in the graphs
_SHORT = 64  # tokens; in a longer text a wrong word vector changes the probability too little

_BUILDERS = {"portable": portable_graph, "folded": folded_graph}


def export_bundle(
    bundle: Bundle,
    output: Path,
    *,
    formats: Sequence[str] = ("onnx",),
    graph: str = "portable",
    overwrite: bool = False,
) -> dict[str, float]:
    """Write a model folder with the model in other formats, for `sentcli score --model`.

    :returns: for each new model file, by its name, the largest difference from PyTorch's probabilities.
    :raises ExportError: when an exported file disagrees with PyTorch; nothing is written then.
    """
    if graph != "portable" and "onnx" not in formats:
        raise UsageError(f"{option('graph', graph)} is for ONNX; try {option('format', 'onnx')}")
    if resolve(output) == bundle.path.resolve():
        raise OutputError(f"{output} is the model itself; name another folder with -o")
    torch.set_num_threads(min(torch.get_num_threads(), usable_cores()))
    model, max_tokens = load_model(bundle), bundle.config.text.max_tokens
    differences = {}
    with new_bundle(output, overwrite=overwrite) as folder:
        write_config(folder, bundle.config)
        (folder / VOCAB).write_bytes(bundle.read(VOCAB))
        if "onnx" in formats:
            differences[ONNX] = write_onnx(model, folder / ONNX, graph, max_tokens)
        if "torchscript" in formats:
            differences[TORCHSCRIPT] = write_torchscript(model, folder / TORCHSCRIPT, max_tokens)
    return differences


def write_onnx(model: BiLSTM, path: Path, graph: str, max_tokens: int = TextConfig.max_tokens) -> float:
    """Write a model as ONNX, and return the largest difference from PyTorch's probabilities.

    :param model: its embedding rounded by `round_embedding`, because the file holds it in fp16.
    :param max_tokens: length of the longest text that is compared.
    """
    content = _BUILDERS[graph](model).SerializeToString()
    check_model(content, path, model.config)
    return _write(content, path, OnnxBackend(content, path, model.config), model, max_tokens)


def write_torchscript(model: BiLSTM, path: Path, max_tokens: int = TextConfig.max_tokens) -> float:
    """Write a model as TorchScript, which PyTorch loads without sentcli; see `write_onnx`.

    PyTorch has deprecated TorchScript, so it should never be the only copy of a model.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", TORCHSCRIPT_DEPRECATED)  # `sentcli export --help` says so
        content = torch.jit.script(copy.deepcopy(model).cpu().eval()).save_to_buffer()  # type: ignore[no-untyped-call]
    return _write(content, path, load_torchscript(content, path, model.config, "cpu"), model, max_tokens)


def _write(content: bytes, path: Path, exported: Backend, model: BiLSTM, max_tokens: int) -> float:
    difference = check_parity(model, exported, path, max_tokens)
    path.write_bytes(content)
    return difference


def check_parity(model: BiLSTM, exported: Backend, file: Path, max_tokens: int) -> float:
    """Compare an exported model with PyTorch on synthetic texts of 1 to `max_tokens` tokens.

    :returns: the largest difference of a probability. Texts so long that the model amplifies PyTorch's own
        rounding are left out, if they are fewer than half.
    """
    original = copy.deepcopy(model).cpu().eval()
    batches = [*parity_batches(model.config.vocab_size, max_tokens)]
    classes = model.config.num_classes
    probabilities = np.concatenate([_softmax(exported.logits(*batch), classes) for batch in batches])
    expected = np.concatenate([_probabilities(original, *batch) for batch in batches])
    differences = np.abs(probabilities - expected).max(axis=1)
    if not differences.max() <= _TOLERANCE:  # also when it is NaN
        exact = np.concatenate([_probabilities(original.double(), *batch) for batch in batches])
        is_unstable = np.abs(exact - expected).max(axis=1) > _ROUNDING
        lengths = np.concatenate([lengths for _, lengths in batches])
        is_stable = lengths < lengths[is_unstable].min(initial=np.iinfo(np.int32).max)
        if 2 * is_stable.sum() > len(is_stable):
            differences = differences[is_stable]
    largest = float(differences.max())
    if not largest <= _TOLERANCE:
        problem = f"its probabilities differ from PyTorch's by up to {largest:.2g}, more than {_TOLERANCE:g}"
        hint = "it was not written; please report the model's config.json as a bug"
        raise ExportError(f"{file.name}: {problem}; {hint}")
    return largest


def _probabilities(model: BiLSTM, ids: Ids, lengths: Lengths) -> Floats:
    """Return the probabilities of a batch, `[texts, outputs]`, in the precision of the model."""
    with torch.inference_mode():
        logits = model(torch.from_numpy(ids), torch.from_numpy(lengths)).numpy()
    return _softmax(logits, model.config.num_classes)


def _softmax(logits: npt.NDArray[np.floating], classes: int) -> Floats:
    """Return the probabilities of the classes, and those of a neutral head."""
    return np.hstack([softmax(part) for part in np.split(logits, [classes], axis=1) if part.size])


def parity_batches(vocab_size: int, max_tokens: int) -> Iterator[tuple[Ids, Lengths]]:
    """Yield fixed synthetic batches: texts of mixed lengths, then short texts with every word."""
    random = np.random.default_rng(0)
    words = random.permutation(np.arange(UNK_ID, vocab_size))
    lengths = np.geomspace(1, min(max_tokens, _LONGEST), 64).round().astype(np.int64)
    texts = [random.choice(words, length) for length in random.permutation(np.resize(lengths, _TEXTS))]
    short = min(max_tokens, _SHORT)
    texts += [words[start : start + short] for start in range(0, len(words), short)]
    for start in range(0, len(texts), _ROWS):
        yield pad(texts[start : start + _ROWS])
