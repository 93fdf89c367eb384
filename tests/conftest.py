"""What tests of more than one module share."""

import logging
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import invented
import pytest
from hypothesis import settings

# Before torch is imported: each worker of pytest-xdist has a core, and more threads only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from sentcli.config import BundleConfig, DataSet, ModelConfig, TextConfig, TrainConfig
from sentcli.errors import STOP_SIGNALS
from sentcli.model.bilstm import BiLSTM, save_weights
from sentcli.model.bundle import VOCAB, WEIGHTS, Bundle, load_bundle, new_bundle, write_config
from sentcli.scoring import stop
from sentcli.training.corpus import DataSource
from sentcli.training.settings import NO_VECTORS, Settings
from sentcli.training.train import train_bundle

# A shell that starts the tests in the background, or under nohup, has them ignore these; so would every
# process that they start.
for _number, _handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _handler)


# `SENTCLI_FUZZ=MINUTES` lets all fuzzers go on for longer; see tests/reliability/test_fuzz.py.
if minutes := float(os.environ.get("SENTCLI_FUZZ", "0")):
    settings.register_profile("fuzz", max_examples=int(1000 * minutes), deadline=None)
    settings.load_profile("fuzz")

_HANDLERS = {number: signal.getsignal(number) for number in STOP_SIGNALS}


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
    """Write a bundle with the weights of a model, as training does but for the papers around it."""

    def make(model: BiLSTM, name: str = "trained", max_tokens: int = 40) -> Bundle:
        config = model.config
        labels = tuple(f"class{number}" for number in range(config.num_classes))
        words = ["<pad>", "<unk>", *(f"word{number}" for number in range(config.vocab_size - 2))]
        with new_bundle(tmp_path / name) as folder:
            write_config(folder, BundleConfig(config, TextConfig(max_tokens=max_tokens), labels))
            (folder / VOCAB).write_text("".join(f"{word}\n" for word in words), "utf-8")
            save_weights(model, folder / WEIGHTS)
        return load_bundle(tmp_path / name)

    return make


@pytest.fixture(scope="session")
def labeled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Invented reviews with two labels, as a CSV file; not to be written to."""
    return invented.write_csv(tmp_path_factory.mktemp("data") / "reviews.csv", invented.reviews(240, seed=1))


@pytest.fixture(scope="session")
def trained(labeled: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A model that was really trained, once for all tests; not to be written to."""
    return train(labeled, tmp_path_factory.mktemp("models") / "trained")


@pytest.fixture(scope="session")
def trained_three(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The same with three classes."""
    rows = invented.reviews(240, seed=2, labels=invented.THREE)
    file = invented.write_csv(tmp_path_factory.mktemp("data") / "three.csv", rows)
    return train(file, tmp_path_factory.mktemp("models") / "three")


def train(file: Path, output: Path) -> Bundle:
    train_bundle(
        DataSource((DataSet(str(file)),), NO_VECTORS),
        output,
        Settings(
            text=TextConfig(max_tokens=40),
            model=ModelConfig(vocab_size=2, embedding_dim=12, hidden_size=8),
            config=TrainConfig(epochs=6, batch_size=16, lr=0.02, ema_decay=0.9, min_freq=1, precision="fp32"),
            device="cpu",
            threads=1,
            quiet=True,
            recipe=lambda settled: f"seed = {settled.config.seed}\n",
        ),
    )
    return load_bundle(output)


@pytest.fixture
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the datasets library, and no way to the hub."""
    import datasets
    import huggingface_hub

    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", folder)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    return folder
