"""Build the network to train, from word vectors or from a trained model."""

import ctypes
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt
import torch

from sentcli.errors import option
from sentcli.model.bilstm import BiLSTM, is_short_of_memory, tie_gates
from sentcli.scoring.cores import usable_cores
from sentcli.training.bigrams import BigramSplitter, with_bigram_vectors
from sentcli.training.corpus import Corpus
from sentcli.training.examples import Examples
from sentcli.training.glove import Coverage, load_glove, random_embedding
from sentcli.training.settings import NO_VECTORS, Settings

_log = logging.getLogger("sentcli")

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # parameters of mallopt, from malloc.h
_NEVER = (1 << 31) - 1
_FEW_WORDS = 100_000  # up to so many, threads wait longer for each other than they save
_FEW_TOKENS = 0.8  # share of running words with a vector: fewer are less than half of the distinct words


@dataclass(frozen=True)
class InitialModel:
    """A network before it learns the classes."""

    build: Callable[[], BiLSTM]
    coverage: Coverage
    vary: BigramSplitter | None
    rehearse: Callable[[Examples], Examples] = lambda train: train  # adds texts to those to train on


def init_model(data: Corpus, settings: Settings, *, quiet: bool) -> InitialModel:
    """Build the network from the model to fine-tune, else from word vectors."""
    config = settings.config
    shape = replace(settings.model, vocab_size=len(data.vocab), num_classes=len(data.texts.labels))
    vary = BigramSplitter.of(data.vocab, config.bigram_dropout)
    if base := settings.base:
        return InitialModel(partial(base.network, shape, config.seed), base.coverage, vary, base.rehearse)
    embedding, coverage = _embedding(data, settings, quiet=quiet)

    def build() -> BiLSTM:
        torch.manual_seed(config.seed)
        network = BiLSTM(shape)
        network.embedding.weight.data.copy_(torch.from_numpy(embedding))
        tie_gates(network, config.gates)
        return network

    return InitialModel(build, coverage, vary)


def _embedding(data: Corpus, settings: Settings, *, quiet: bool) -> tuple[npt.NDArray[np.float32], Coverage]:
    words, seed = data.vocab.words[: data.vocab.first_bigram], settings.config.seed
    glove, dim = settings.glove, settings.model.embedding_dim
    if glove == NO_VECTORS:
        embedding, coverage = random_embedding(words, dim, data.counts, seed)
    else:
        embedding, coverage = load_glove(glove, words, dim, data.counts, seed, quiet=quiet)
        _log.info("%s", coverage)
        if coverage.tokens_covered < _FEW_TOKENS * coverage.tokens_total:
            _log.warning(
                "%s: vectors for few of the words; try %s with vectors of the language of the texts, such "
                "as a .vec file of fastText, or the model of n-grams in docs/training.md",
                glove,
                option("glove", "FILE"),
            )
    return with_bigram_vectors(embedding, data.vocab), coverage


@contextmanager
def torch_set_up(threads: int | None, words: int) -> Iterator[None]:
    """Prepare PyTorch for training; raise a MemoryError, not PyTorch's own error, when memory runs out."""
    # PyTorch's own number respects OMP_NUM_THREADS, but not the cores of this process.
    cores = min(torch.get_num_threads(), usable_cores()) if words > _FEW_WORDS else 1
    torch.set_num_threads(threads or cores)
    keep_freed_memory()
    try:
        yield
    except RuntimeError as error:
        if is_short_of_memory(error):
            raise MemoryError(str(error)) from error
        raise


def keep_freed_memory() -> None:
    """Keep freed memory in this process for the next step; only glibc can do so.

    By default, each large tensor is a separate mapping (mallopt(3), M_MMAP_THRESHOLD), whose pages the system
    clears in each step. Kept memory raises the speed of one core from 49,000 to 71,000 words/s.
    """
    with suppress(OSError, AttributeError, TypeError):  # another C library, another system
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP_MAX, 0)
        mallopt(_TRIM_THRESHOLD, _NEVER)
