"""List the systems of the comparison: the backends of sentcli, and other tools."""

from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from systems.base import System

# The range that five authors published for DistilBERT fine-tuned on IMDb.
PUBLISHED_DISTILBERT = (0.923, 0.931)


@dataclass(frozen=True)
class Entry:
    """A system of the comparison.

    :param key: its name for `--systems`.
    :param factory: module and class; only the worker imports it.
    :param options: arguments of the class.
    :param needs: modules that it imports, by their packages.
    :param short: its name in the picture.
    :param how: how it uses the machine, for the table.
    :param published: the published range of accuracy of a system that has random weights here.
    """

    key: str
    title: str
    short: str
    factory: str
    options: dict[str, Any] = field(default_factory=dict)
    needs: dict[str, str] = field(default_factory=dict)
    how: str = "all cores"
    is_peer: bool = False
    published: tuple[float, float] | None = None

    def missing(self) -> str | None:
        """Return why this system cannot run here, or None."""
        for package, module in self.needs.items():
            if find_spec(module) is None:
                return f"{package} is not installed"
        if self.options.get("device") == "cuda":
            import torch

            if not torch.cuda.is_available():
                return "PyTorch finds no CUDA device"
        elif self.options.get("precision"):
            import torch

            from sentcli.model.bilstm import has_lstm

            if not has_lstm(torch.bfloat16):
                return "this processor has no bf16"
        return None

    @property
    def system(self) -> type[System]:
        module, name = self.factory.split(":")
        found: type[System] = getattr(import_module(f"systems.{module}"), name)
        return found


_OURS, _TUTORIAL, _DISTILBERT = "ours:Sentcli", "ours:Tutorial", "distilbert:DistilBert"
_TORCH = {"torch": "torch"}
_ONNX = {"onnx": "onnx", **_TORCH}
_VADER, _TEXTBLOB = {"vaderSentiment": "vaderSentiment"}, {"textblob": "textblob"}
_FASTTEXT, _SKLEARN = {"fasttext-community": "fasttext"}, {"scikit-learn": "sklearn"}
_TRANSFORMERS = {"transformers": "transformers", **_TORCH}
_ONE_CORE, _POOL, _GPU = "one core, as the library works", "a process a core", "one GPU"


def _cuda(precision: str) -> Entry:
    options = {"backend": "torch", "device": "cuda", "precision": None if precision == "fp32" else precision}
    return Entry(
        f"cuda-{precision}",
        f"sentcli, PyTorch CUDA {precision}",
        f"sentcli, CUDA {precision}",
        _OURS,
        options,
        needs=_TORCH,
        how=_GPU,
    )


def _on_each_core(entry: Entry) -> Entry:
    return Entry(
        f"{entry.key}-pool",
        entry.title,
        f"{entry.short}, all cores",
        entry.factory,
        {"pooled": True},
        entry.needs,
        _POOL,
        is_peer=True,
    )


_ON_ONE_CORE = [
    Entry("vader", "VADER", "VADER", "lexicons:Vader", {}, _VADER, _ONE_CORE, is_peer=True),
    Entry("textblob", "TextBlob", "TextBlob", "lexicons:TextBlob", {}, _TEXTBLOB, _ONE_CORE, is_peer=True),
    Entry(
        "fasttext",
        "fastText, word bigrams",
        "fastText",
        "fasttext_bigrams:FastText",
        {},
        _FASTTEXT,
        _ONE_CORE,
        is_peer=True,
    ),
    Entry(
        "tfidf",
        "TF-IDF (1,2) + logistic regression",
        "TF-IDF + LR",
        "ngrams:Tfidf",
        {},
        _SKLEARN,
        _ONE_CORE,
        is_peer=True,
    ),
    Entry(
        "naive-bayes",
        "NB-weighted (1,2)-grams + logistic regression",
        "NB n-grams + LR",
        "ngrams:NaiveBayes",
        {},
        _SKLEARN,
        _ONE_CORE,
        is_peer=True,
    ),
]

ENTRIES = [
    Entry("sentcli", "sentcli, folded graph, fp32 (default)", "sentcli", _OURS),
    Entry(
        "sentcli-1",
        "sentcli, folded graph, fp32, `--workers 1`",
        "sentcli, --workers 1",
        _OURS,
        {"workers": 1},
        how="one core",
    ),
    Entry(
        "lstm",
        "sentcli, LSTM operators, fp32",
        "sentcli, LSTM operators",
        _OURS,
        {"export": {"formats": ["onnx"], "graph": "portable"}},
        _ONNX,
    ),
    Entry(
        "torch-fp32",
        "sentcli, PyTorch fp32",
        "sentcli, PyTorch",
        _OURS,
        {"backend": "torch", "device": "cpu"},
        _TORCH,
    ),
    Entry(
        "torch-bf16",
        "sentcli, PyTorch bf16",
        "sentcli, PyTorch bf16",
        _OURS,
        {"backend": "torch", "device": "cpu", "precision": "bf16"},
        _TORCH,
    ),
    Entry(
        "torchscript",
        "sentcli, TorchScript fp32",
        "sentcli, TorchScript",
        _OURS,
        {"backend": "torchscript", "device": "cpu", "export": {"formats": ["torchscript"]}},
        _TORCH,
    ),
    *map(_cuda, ("fp32", "bf16", "fp16")),
    Entry(
        "tutorial",
        "the same model in a tutorial's loop, PyTorch fp32",
        "same model, tutorial loop",
        _TUTORIAL,
        {},
        _TORCH,
    ),
    *_ON_ONE_CORE,
    *map(_on_each_core, _ON_ONE_CORE[2:]),
    Entry(
        "distilbert-torch",
        "DistilBERT's shape, 256 tokens, PyTorch fp32",
        "DistilBERT, 256 tokens",
        _DISTILBERT,
        {"runtime": "torch"},
        _TRANSFORMERS,
        is_peer=True,
        published=PUBLISHED_DISTILBERT,
    ),
    Entry(
        "distilbert-torch-512",
        "DistilBERT's shape, 512 tokens, PyTorch fp32",
        "DistilBERT, 512 tokens",
        _DISTILBERT,
        {"runtime": "torch", "tokens": 512},
        _TRANSFORMERS,
        is_peer=True,
        published=PUBLISHED_DISTILBERT,
    ),
    Entry(
        "distilbert-onnx",
        "DistilBERT's shape, 256 tokens, onnxruntime fp32",
        "DistilBERT, onnxruntime",
        _DISTILBERT,
        {"runtime": "onnxruntime"},
        {"onnxscript": "onnxscript", **_TRANSFORMERS},
        is_peer=True,
        published=PUBLISHED_DISTILBERT,
    ),
]
