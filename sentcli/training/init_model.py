"""What a network is before it learns the classes: word vectors, and a language model of the texts."""

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from sentcli.config import ModelConfig, SelfTrainingConfig
from sentcli.model.bilstm import BiLSTM, choose_device, is_short_of_memory, tie_gates
from sentcli.training.allocator import keep_freed_memory
from sentcli.training.bigrams import PhraseSplitter, with_phrase_vectors
from sentcli.training.corpus import Corpus, DataSource, Texts, encode_texts
from sentcli.training.glove import Coverage, load_glove, random_embedding
from sentcli.training.pretraining import pretrain
from sentcli.training.settings import NO_VECTORS, Settings

_log = logging.getLogger("sentcli")

LANGUAGE_MODEL = "pretraining.safetensors"  # in the folder of a run


@contextmanager
def set_up(settings: Settings) -> Iterator[None]:
    """Set this process up for training; a lack of memory is told as such.

    :raises MemoryError: for what PyTorch says of it.
    """
    torch.set_num_threads(settings.cores)
    keep_freed_memory()
    try:
        yield
    except RuntimeError as error:
        if is_short_of_memory(error):
            raise MemoryError(str(error)) from error
        raise


@dataclass(frozen=True)
class Begun:
    """A network before it learns the classes.

    :param language: the records of its epochs as a language model.
    :param fingerprint: what its numbers depend on so far, besides settings of training.
    :param vary: see `fit`.
    """

    network: BiLSTM
    coverage: Coverage
    language: list[dict[str, float]]
    fingerprint: dict[str, Any]
    vary: PhraseSplitter | None


def begin(
    data: Corpus, labels: tuple[str, ...], source: DataSource, settings: Settings, language_model: Path
) -> Begun:
    """Make the network: that of the base, else with word vectors and trained as a language model.

    :param language_model: where that is kept, and gone on with.
    :raises SentcliError: for vectors that will not do, and as `fit`.
    """
    config = settings.config
    model = replace(settings.model, vocab_size=len(data.vocab), num_classes=len(labels))
    if settings.base:
        network, coverage = settings.base.network(model), settings.base.coverage
    else:
        network, coverage = _new_network(model, source.glove, data, settings)
    words = hashlib.sha256(repr((labels, data.vocab.words)).encode()).hexdigest()
    of_data = {**asdict(source), **settings.text.to_json(), "words": words}
    vary = PhraseSplitter.of(data.vocab, config.phrase_dropout)
    language: list[dict[str, float]] = []
    if config.pretrain:
        language = pretrain(
            network,
            data.train + data.unlabeled + data.sentences,
            data.validation,
            config,
            device=choose_device(settings.device),
            checkpoint=language_model,
            fingerprint={
                **of_data,
                "hidden": model.hidden_size,
                "layers": model.num_layers,
                "embedding": model.embedding_dim,
                "pooling": model.pooling,
            },
            quiet=settings.quiet,
            vary=vary,
        )
    began = {"base": settings.base.digest} if settings.base else {}
    return Begun(network, coverage, language, {**of_data, **model.to_json(), **began}, vary)


def train_language_model(texts: Texts, source: DataSource, settings: Settings, path: Path) -> None:
    """Train the language model that a model will begin with, while there is nothing yet to teach it.

    :param path: where it will look for it; nothing is there before it is done.
    :raises SentcliError, MemoryError: as `train_model`.
    """
    unfinished = path.with_stem(f"{path.stem}-unfinished")
    with set_up(settings):
        data = encode_texts(texts, None, settings.text, settings.config, SelfTrainingConfig.passage_sentences)
        begin(data, texts.labels, source, settings, unfinished)
    unfinished.replace(path)


def _new_network(model: ModelConfig, glove: str, data: Corpus, settings: Settings) -> tuple[BiLSTM, Coverage]:
    seed = settings.config.seed
    embedding, coverage = _embedding(glove, data, model.embedding_dim, seed, quiet=settings.quiet)
    torch.manual_seed(seed)
    network = BiLSTM(model)
    network.embedding.weight.data.copy_(torch.from_numpy(embedding))
    tie_gates(network, settings.config.gates)
    return network, coverage


def _embedding(
    glove: str, data: Corpus, dim: int, seed: int, *, quiet: bool
) -> tuple[npt.NDArray[np.float32], Coverage]:
    words = data.vocab.words[: data.vocab.first_bigram]
    if glove == NO_VECTORS:
        embedding, coverage = random_embedding(words, dim, data.counts, seed)
    else:
        embedding, coverage = load_glove(glove, words, dim, data.counts, seed, quiet=quiet)
        _log.info("%s", coverage)
    return with_phrase_vectors(embedding, data.vocab), coverage
