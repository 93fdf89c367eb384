"""What tests of more than one module share."""

import logging
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import invented
import pytest
from hypothesis import settings

# Before torch is imported: each worker of pytest-xdist has a core, and more threads only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from sentcli.config import BundleConfig, DataSet, TextConfig
from sentcli.errors import STOP_SIGNALS, names_flags
from sentcli.files import stop
from sentcli.model.bundle import (
    ONNX,
    VOCAB,
    Bundle,
    default_bundle_path,
    load_bundle,
    new_bundle,
    write_config,
)

if TYPE_CHECKING:
    from sentcli.model.bilstm import BiLSTM

# The base install with the extra `test` has neither; .ci/run tests it too.
HAS_TORCH, HAS_SKLEARN = (find_spec(package) is not None for package in ("torch", "sklearn"))
collect_ignore = [*([] if HAS_TORCH else ["export", "training"]), *([] if HAS_SKLEARN else ["evaluation"])]

# A shell that starts the tests in the background, or under nohup, has them ignore these; so would every
# process that they start.
for _name, _handler in (("SIGINT", signal.default_int_handler), ("SIGHUP", signal.SIG_DFL)):
    if (_number := getattr(signal, _name, None)) and signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _handler)


# A test that takes long on a busy machine is no fault.
settings.register_profile("sentcli", deadline=None)
settings.load_profile("sentcli")

# `SENTCLI_FUZZ=MINUTES` lets all fuzzers go on for longer; see tests/reliability/test_fuzz.py.
if minutes := float(os.environ.get("SENTCLI_FUZZ", "0")):
    settings.register_profile("fuzz", max_examples=int(1000 * minutes), deadline=None)
    settings.load_profile("fuzz")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests for Linux elsewhere, and those that have passed on the base install.

    .ci/run names the file with the names of the latter.
    """
    if sys.platform != "linux":
        for item in items:
            if item.get_closest_marker("linux"):
                item.add_marker(pytest.mark.skip(reason="needs Linux"))
    if file := os.environ.get("SENTCLI_PASSED"):
        passed = {*Path(file).read_text("utf-8").splitlines()}
        done = {item for item in items if item.nodeid in passed and not item.get_closest_marker("packages")}
        config.hook.pytest_deselected(items=[*done])
        items[:] = [item for item in items if item not in done]


_HANDLERS = {number: signal.getsignal(number) for number in STOP_SIGNALS}


@pytest.fixture
def flag_names() -> Iterator[None]:
    """Let messages name options as the command line does."""
    with names_flags():
        yield


@pytest.fixture(autouse=True)
def _no_trace_of_commands() -> Iterator[None]:
    """Undo what commands do to their process, before the test too: fixtures of a module run commands."""
    _undo()
    yield
    _undo()


def _undo() -> None:
    logger = logging.getLogger("sentcli")
    logger.handlers, logger.propagate = [], True
    logger.setLevel(logging.NOTSET)
    for number, handler in _HANDLERS.items():
        signal.signal(number, handler)
    stop._requests.clear()


@pytest.fixture
def make_bundle(tmp_path: Path) -> Callable[..., Bundle]:
    """Write a bundle with the folded graph of a model, as training does but for the papers around it."""

    from sentcli.export.folded import folded_graph

    def make(model: "BiLSTM", name: str = "trained", max_tokens: int = 40) -> Bundle:
        config = model.config
        labels = tuple(f"class{number}" for number in range(config.num_classes))
        words = ["<pad>", "<unk>", *(f"word{number}" for number in range(config.vocab_size - 2))]
        with new_bundle(tmp_path / name) as folder:
            write_config(folder, BundleConfig(config, TextConfig(max_tokens=max_tokens), labels))
            (folder / VOCAB).write_text("".join(f"{word}\n" for word in words), "utf-8")
            (folder / ONNX).write_bytes(folded_graph(model).SerializeToString())
        return load_bundle(tmp_path / name)

    return make


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, which opens pages in tests; no longer than for a module, as no other event loop may run."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("needs Chromium, as Debian's package chromium")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def labeled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Invented reviews with two labels, as a CSV file; not to be written to."""
    return invented.write_csv(tmp_path_factory.mktemp("data") / "reviews.csv", invented.reviews(240, seed=1))


@pytest.fixture(scope="session")
def trained(labeled: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A model that was really trained, once for all tests; not to be written to.

    Without PyTorch, it is a part of the included model, which has the same labels.
    """
    folder = tmp_path_factory.mktemp("models") / "trained"
    return train(labeled, folder) if HAS_TORCH else with_fewer_words(folder, words=7000)


@pytest.fixture(scope="session")
def trained_three(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The same with three classes."""
    pytest.importorskip("torch")
    rows = invented.reviews(240, seed=2, labels=invented.THREE)
    file = invented.write_csv(tmp_path_factory.mktemp("data") / "three.csv", rows)
    return train(file, tmp_path_factory.mktemp("models") / "three")


@pytest.fixture(scope="session")
def headed(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A model of two classes with a neutral head, which was trained on three kinds of texts."""
    pytest.importorskip("torch")
    rows = invented.reviews(420, seed=5, labels=invented.THREE)
    file = invented.write_csv(tmp_path_factory.mktemp("data") / "sides.csv", rows)
    targets = dict(zip(invented.THREE, (0.0, 0.5, 1.0), strict=True))
    return train(file, tmp_path_factory.mktemp("models") / "headed", targets=targets)


@pytest.fixture(scope="session")
def headless(headed: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The same model without its head, as older versions wrote it."""
    from sentcli.backends.torch import load_model
    from sentcli.export.export import write_onnx

    model = load_model(headed)
    model.neutral_head, model.config = None, replace(model.config, neutral_head=False)
    with new_bundle(tmp_path_factory.mktemp("models") / "headless") as folder:
        write_config(folder, replace(headed.config, model=model.config))
        (folder / VOCAB).write_bytes(headed.read(VOCAB))
        write_onnx(model, folder / ONNX, "folded", headed.config.text.max_tokens)
    return load_bundle(folder.parent / "headless")


_TINY = {"max_tokens": 40, "embedding_dim": 12, "hidden_size": 8, "epochs": 6, "batch_size": 16, "lr": 0.02}
_TINY |= {"ema_decay": 0.9, "min_freq": 1, "validation_share": 0.1, "precision": "fp32"}


@pytest.fixture
def torch() -> None:
    """Skip a test that needs PyTorch on an install without it."""
    pytest.importorskip("torch")


def with_fewer_words(output: Path, words: int) -> Bundle:
    """Write the included model with its first words alone, to load faster, and without its neutral head."""
    import onnx
    from onnx import numpy_helper

    box = load_bundle(default_bundle_path())
    model = onnx.load_from_string(box.read(ONNX))
    (table,) = (tensor for tensor in model.graph.initializer if tensor.name == "embedding")
    table.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(table)[:words], table.name))
    for parts in (model.graph.node, model.graph.output):
        (head,) = (part for part in parts if "neutral_logits" in (part.name, *getattr(part, "output", ())))
        parts.remove(head)
    for tensor in [each for each in model.graph.initializer if each.name.startswith("neutral_head")]:
        model.graph.initializer.remove(tensor)
    shape = replace(box.config.model, vocab_size=words, neutral_head=False)
    with new_bundle(output) as folder:
        write_config(folder, BundleConfig(shape, TextConfig(max_tokens=40), box.config.labels))
        (folder / VOCAB).write_text("".join(f"{word}\n" for word in box.vocab.words[:words]), "utf-8")
        (folder / ONNX).write_bytes(model.SerializeToString())
    return load_bundle(output)


def train(file: Path, output: Path, **data: Any) -> Bundle:
    from sentcli.training.corpus import DataSource
    from sentcli.training.glove import NO_VECTORS
    from sentcli.training.settings import Options
    from sentcli.training.train import train_bundle

    train_bundle(
        DataSource((DataSet(str(file), **data),), NO_VECTORS),
        _TINY,
        output,
        Options(device="cpu", threads=1, quiet=True),
    )
    return load_bundle(output)


@pytest.fixture
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the datasets library, and no way to the hub."""
    huggingface_hub = pytest.importorskip("huggingface_hub")  # without it, `datasets` is tests/datasets
    import datasets

    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", folder)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    return folder
