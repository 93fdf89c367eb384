"""The network to train, built from word vectors or from a trained model, before and after it learns."""

import copy
import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sentcli.config import LOG, ModelConfig, TrainConfig
from sentcli.datasets.splits import are_learned
from sentcli.errors import option
from sentcli.evaluation.calibration import cooled_losses
from sentcli.evaluation.display import accuracy_of_texts
from sentcli.model.bilstm import BiLSTM, is_short_of_memory, tie_gates
from sentcli.scoring.labels import Floats, softmax
from sentcli.scoring.pool import usable_cores
from sentcli.training.classifier import loss_and_accuracy, predict_logits
from sentcli.training.corpus import Corpus, Examples, TokenIds, split_bigrams
from sentcli.training.even_words import even_words, read_kinds
from sentcli.training.finetune import MOST_LEARNED, Base
from sentcli.training.glove import NO_VECTORS, load_glove
from sentcli.training.heads import Fitted
from sentcli.training.settings import Settings

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # parameters of mallopt, from malloc.h
_NEVER = (1 << 31) - 1
_FEW_WORDS = 100_000  # up to so many, threads wait longer for each other than they save
_FEW_TOKENS = 0.8  # share of running words with a vector: fewer are less than half of the distinct words
_REHEARSED = 2  # own sentences for each text to train on
_MEASURED = 8  # one of so many own sentences is not rehearsed: it measures what was forgotten


@dataclass
class InitialModel:
    """A network before it learns the classes: with word vectors, or with weights of a trained model."""

    shape: ModelConfig
    config: TrainConfig
    vary: partial[TokenIds] | None  # see `Run.vary`
    glove: dict[str, Any]  # see `Metrics.glove`
    weights: dict[str, Tensor]  # those that it begins with
    vectors: Floats | None  # of tokens, times the log of their rank, `[tokens, embedding_dim]`; 0 if unknown
    takes_linear: bool = field(default=True, init=False)  # members in its logits, once it is fitted
    figures: dict[str, float] = field(default_factory=dict, init=False)  # see `Metrics.start`

    def build(self) -> BiLSTM:
        """Build the network, the same one each time."""
        torch.manual_seed(self.config.seed)
        network = BiLSTM(self.shape)
        tie_gates(network, self.config.gates)
        network.load_state_dict(self.weights, strict=False)
        return network

    def before(self, data: Corpus) -> None:
        """Measure this network on the validation texts."""

    def rehearse(self, train: Examples) -> Examples:
        """Return the texts to train on, with others that the network should not forget."""
        return train

    def interpolate(self, network: BiLSTM) -> None:
        """Move the weights of the fitted network back towards those of this one.

        The weights in between are often better on both data sets (M. Wortsman et al., "Robust fine-tuning of
        zero-shot models", CVPR 2022).
        """
        if self.config.interpolate:
            weights = network.state_dict()
            for name, before in self.weights.items():
                weights[name].lerp_(before, self.config.interpolate)

    def choose(self, fitted: Fitted, data: Corpus) -> Fitted:
        """Return the fitted network, or this one if it is better."""
        return fitted

    def after(self, network: BiLSTM) -> None:
        """Measure what the final network has forgotten."""


@dataclass
class FineTunedModel(InitialModel):
    """A network with all weights of a trained model, which should not forget its own sentences."""

    base: Base
    logits: Floats = field(init=False)  # of the trained model, for the validation texts; see `before`

    def __post_init__(self) -> None:
        # They know only the new texts, so they would undo what rehearsal keeps.
        self.takes_linear = bool(self.base.bundle.config.model.ngram_buckets)

    def before(self, data: Corpus) -> None:
        logits = self._predict(self.base.model, data.validation)
        loss, accuracy = loss_and_accuracy(logits, data.validation)
        texts = accuracy_of_texts(accuracy, int(data.validation.has_label.sum()))
        LOG.info("%s alone: accuracy %s, loss %.4f", self.base.origin["name"], texts, loss)
        self.logits = logits.astype(np.float64)
        self.figures |= {"epoch": 0, "validation_loss": loss, "validation_accuracy": accuracy}

    def rehearse(self, train: Examples) -> Examples:
        """Return the texts to train on, and sentences that the model has learned, labeled by it.

        What a network learns of the texts, such as how often they are negative, else changes its answers on
        all others (Z. Li and D. Hoiem, "Learning without Forgetting", ECCV 2016).
        """
        (rows,) = (np.arange(len(self.base.sentences)) % _MEASURED).nonzero()
        if not len(rows):
            return train
        sentences = self.base.sentences.take(rows[: _REHEARSED * len(train)])
        targets = softmax(self._predict(self.base.model, sentences)).astype(np.float32)
        return Examples([*train.ids, *sentences.ids], np.concatenate([train.targets, targets]))

    def choose(self, fitted: Fitted, data: Corpus) -> Fitted:
        has_learned = are_learned(data.texts.validation.texts, self.base.learned).mean() > MOST_LEARNED
        sure, labels = data.validation.has_label, data.validation.labels
        own, of_base = (cooled_losses(labels[sure], logits[sure]) for logits in (fitted.logits, self.logits))
        if not has_learned and own.mean() < of_base.mean():
            return fitted
        reason = "it has learned the validation texts" if has_learned else "training did not lower the loss"
        LOG.info("kept the weights of %s: %s", self.base.origin["name"], reason)
        network = copy.deepcopy(self.base.model)
        return Fitted(network, self.logits, best_epoch=0, has_learned_validation=has_learned)

    def after(self, network: BiLSTM) -> None:
        unseen = self.base.sentences.take(np.arange(0, len(self.base.sentences), _MEASURED))
        if not len(unseen):
            return
        models = self.base.model, network
        before, after = (loss_and_accuracy(self._predict(model, unseen), unseen)[1] for model in models)
        values = len(unseen), self.base.origin["name"], before, after
        LOG.info("on %d sentences that %s learned: accuracy %.3f before, %.3f after", *values)
        self.figures |= {"own_before": before, "own_after": after}

    def _predict(self, network: BiLSTM, examples: Examples) -> npt.NDArray[np.float32]:
        return predict_logits(network, examples, torch.device("cpu"))[:, : self.shape.num_classes]


def init_model(data: Corpus, settings: Settings, frequent: Sequence[str] = ()) -> InitialModel:
    """Return the network to train: that of the model to fine-tune, else one with word vectors.

    :param frequent: the first words of these vectors, frequent ones first.
    """
    config, base, vocab, vary = settings.config, settings.base, data.vocab, None
    shape = replace(settings.model, vocab_size=len(vocab), num_classes=len(data.texts.labels))
    if vocab.bigrams and config.bigram_dropout:
        pairs = np.array(vocab.bigrams, np.int32)
        vary = partial(split_bigrams, pairs, vocab.first_bigram, config.bigram_dropout)
    if not base:
        embedding, vectors, glove = _embedding(data, settings, frequent)
        weights = {"embedding.weight": torch.from_numpy(embedding)}
        return InitialModel(shape, config, vary, glove, weights, vectors)
    even_words(base.model, vocab, read_kinds(settings.source.even_words))  # if training keeps its weights
    # Only training uses dropouts and fits a neutral head and n-grams; other classes need a new classifier.
    new = "neutral_head.", "ngrams.", *([] if base.keeps_classifier else ["classifier."])
    new += () if base.keeps_network else ("lstm.",)
    weights = {name: value for name, value in base.model.state_dict().items() if not name.startswith(new)}
    start = shape, config, vary, base.origin["glove"], weights
    if base.keeps_classifier:
        return FineTunedModel(*start, None, base)
    vectors = weights["embedding.weight"].double().numpy()
    return InitialModel(*start, vectors * np.log(2 + np.arange(len(vocab)))[:, None])


def _embedding(
    data: Corpus, settings: Settings, frequent: Sequence[str]
) -> tuple[npt.NDArray[np.float32], Floats | None, dict[str, Any]]:
    """Return the word vectors, those of pairs too, `InitialModel.vectors`, and `Metrics.glove`."""
    words, pairs = data.vocab.words[: data.vocab.first_bigram], data.vocab.bigrams
    glove, dim = settings.glove, settings.model.embedding_dim
    embedding, has_vector = load_glove(glove, words, dim, settings.config.seed)
    types, total = int(has_vector.sum()), data.counts.total()
    tokens = sum(data.counts[words[index]] for index in np.flatnonzero(has_vector).tolist())
    share = tokens / max(total, 1)
    if glove != NO_VECTORS:
        of_words = f"{types:,} of {len(words) - 2:,} words"
        LOG.info("word vectors for %s, %.1f%% of tokens", of_words, 100 * share)
        if share < _FEW_TOKENS:
            advice = "of the language of the texts, such as a .vec file of fastText"
            problem = "%s: vectors for few of the words; try %s with vectors %s"
            LOG.warning(problem, glove, option("glove", "FILE"), advice)
    of_pairs = embedding[np.array(pairs, np.int64).reshape(-1, 2)].mean(axis=1)
    rank_of = {word: rank for rank, word in reversed([*enumerate(frequent)])}  # of a repeated word, the first
    ranks = np.array([rank_of.get(word, len(frequent)) for word in words])
    weighted = embedding * (has_vector * np.log(2 + ranks))[:, None]
    vectors = np.concatenate([weighted, weighted[np.array(pairs, np.int64).reshape(-1, 2)].sum(axis=1)])
    record = {"source": Path(glove).name, "types_covered": types, "types_total": len(words) - 2}
    record |= {"tokens_covered": tokens, "tokens_total": total}
    return np.concatenate([embedding, of_pairs]), vectors if share >= _FEW_TOKENS else None, record


@contextmanager
def torch_set_up(threads: int | None, words: int) -> Iterator[None]:
    """Prepare PyTorch for training; raise a MemoryError, not PyTorch's own error, when memory runs out.

    Freed memory stays in this process for the next step, which only glibc can do. By default, each large
    tensor is a separate mapping (mallopt(3), M_MMAP_THRESHOLD), whose pages the system clears in each step.
    Kept memory raises the speed of one core from 49,000 to 71,000 words/s.
    """
    # PyTorch's own number respects OMP_NUM_THREADS, but not the cores of this process.
    cores = min(torch.get_num_threads(), usable_cores()) if words > _FEW_WORDS else 1
    torch.set_num_threads(threads or cores)
    with suppress(OSError, AttributeError, TypeError):  # another C library, another system
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP_MAX, 0)
        mallopt(_TRIM_THRESHOLD, _NEVER)
    try:
        yield
    except RuntimeError as error:
        if is_short_of_memory(error):
            raise MemoryError(str(error)) from error
        raise
