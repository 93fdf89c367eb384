"""The data of a training: split labeled texts, build the vocabulary, encode."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np

from sentcli.config import DataSet, TextConfig, TrainConfig
from sentcli.datasets.labels import LabeledTexts, join
from sentcli.datasets.load import NO_OPTIONS
from sentcli.datasets.rejects import MOST, Rejects
from sentcli.datasets.splits import split_data_sets, without_validation
from sentcli.datasets.training_data import read_validation
from sentcli.errors import DataError, option
from sentcli.scoring import stop
from sentcli.tables.options import ReadOptions
from sentcli.text.tokenizer import UNK_ID, Vocab, truncate, words_of
from sentcli.training.bigrams import with_bigrams
from sentcli.training.examples import Examples, Indices

_log = logging.getLogger("sentcli")

_FEW_TOKENS = 2
_SMALL_PART = 0.5  # share of the validation share: with fewer texts, metrics are uncertain


@dataclass(frozen=True)
class DataSource:
    """The sources of texts, labels and first weights; see `datasets.load` and `training.glove`."""

    data: tuple[DataSet, ...]
    glove: str | None = None  # word vectors; None: GloVe, or the included model for few English texts
    finetune: Path | None = None
    csv: ReadOptions = NO_OPTIONS
    validation: str | None = None  # see `read_validation`; None: a share of the data sets
    positive: str | None = None  # of two labels, the one whose probability is the score; None: the second
    max_rejects: str = MOST  # the limit on rows of a data set that cannot be used, `N` or `P%`


@dataclass(frozen=True)
class Texts:
    """The texts of a training, none in both parts; `counts` are the texts to train on of each data set."""

    train: LabeledTexts
    validation: LabeledTexts
    labels: tuple[str, ...]
    counts: tuple[int, ...] = ()


# The rows of the texts that a model learns from, and of those that it is validated on.
Fold = tuple[Indices, Indices]


@dataclass(frozen=True)
class Corpus:
    """The texts of a training as ids, without empty ones; `counts` are the words of those to train on.

    In a cross-validation, the texts to validate on are those to train on, and each fold has some of them.
    """

    texts: Texts
    train: Examples
    validation: Examples
    vocab: Vocab
    counts: Counter[str]
    folds: Sequence[Fold] = ()  # one without a cross-validation


def read_texts(
    source: DataSource,
    parts: Sequence[LabeledTexts],
    labels: tuple[str, ...],
    validation_share: float | None,
    rejects: Rejects | None = None,
) -> Texts:
    """Split off validation texts, unless the source names them or the share is None: a cross-validation."""
    rejects = rejects or Rejects()
    if source.validation:
        validation = read_validation(source.validation, source.data[0], source.csv, labels, rejects)
        trains = [without_validation(part, validation) for part in parts]
    elif validation_share is None:
        trains, validation = list(parts), parts[0].take([])
    else:
        trains, validation = split_data_sets(parts, source.data, labels, validation_share)
        whole = sum(len(part) for part, data in zip(parts, source.data, strict=True) if data.validate)
        if len(validation) < _SMALL_PART * validation_share * whole:
            problem = (
                "%s: only %d texts are left to validate on, since most are repeated; metrics are uncertain"
            )
            _log.warning(problem, validation.where, len(validation))
    missing = [name for name in labels if name not in {*validation.labels}]
    if missing and len(validation):
        problem = "no validation text has the class %.100r: metrics and the choice of the epoch ignore it"
        _log.warning(problem, missing[0])
    if len(parts) > 1:
        for data, part in zip(source.data, trains, strict=True):
            _log.info("%s: %d texts to train on", data.path, len(part))
    weighted = [
        replace(part, targets=np.float32(data.weight) * part.class_targets(labels))
        for data, part in zip(source.data, trains, strict=True)
    ]
    train = join(weighted)
    counts = f"{len(train)} texts to train on, {len(validation) or 'the same'} to validate"
    _log.info("%s: %s; %d classes: %.400s", train.where, counts, len(labels), ", ".join(labels))
    return Texts(train, validation, labels, tuple(map(len, trains)))


def encode_texts(
    texts: Texts,
    text: TextConfig,
    config: TrainConfig,
    vocab: Vocab | None = None,
    frequent: Sequence[str] = (),
) -> Corpus:
    """Build the vocabulary, unless one is given, and encode all texts.

    :param frequent: words that fill the vocabulary up to `config.fill_vocab`: with their vectors, the model
        also knows words that the training texts lack.
    """
    # Tokenize twice instead of keeping tokens: those of a million reviews take 18 GB, their ids 1 GB.
    counts = Counter(chain.from_iterable(map(words_of, texts.train.texts)))
    if vocab is None:
        vocab = _build_vocab(texts.train.texts, counts, config, frequent)
    else:
        known = sum(count for word, count in counts.items() if word in vocab) / max(counts.total(), 1)
        _log.info("%.1f%% of the tokens are in the vocabulary of the model", 100 * known)

    def encode(part: LabeledTexts, counts: Sequence[int]) -> tuple[LabeledTexts, Examples, tuple[int, ...]]:
        stop.check()
        encoded = (vocab.encode(words_of(content)) for content in part.texts)
        ids = [np.array(truncate(sequence, text.max_tokens), np.int32) for sequence in encoded]
        kept = [row for row, sequence in enumerate(ids) if len(sequence)]
        ends = np.searchsorted(kept, np.cumsum(counts))  # the ends of the data sets
        part = part.take(kept)
        examples = Examples([ids[row] for row in kept], part.class_targets(texts.labels))
        return part, examples, tuple(np.diff(ends, prepend=0).tolist())

    train, of_train, counts_kept = encode(texts.train, texts.counts)
    validation, of_validation, _ = encode(texts.validation, ())
    if blank := len(texts.train) - len(train) + len(texts.validation) - len(validation):
        _log.info("empty texts left out: %d", blank)
    folds: Sequence[Fold] = [(np.arange(len(train)), np.arange(len(validation)))]
    if config.folds:
        validation, of_validation, folds = train, of_train, assign_folds(of_train, config.folds)
    elif not of_validation.has_label.any():
        raise DataError("no text with a word is left to validate on; try more and different texts")
    if np.median(of_train.lengths) <= _FEW_TOKENS:
        problem = "%s: most texts have one or two words, which is little to learn from; is %s right?"
        _log.warning(problem, texts.train.where, option("text_column"))
    taught = {*of_train.labels[of_train.has_label].tolist()}
    for number, name in enumerate(texts.labels):
        if number not in taught:
            raise DataError(f"no text of the class {name!r:.200} with a word is left to train on")
    if long := int((of_train.lengths == text.max_tokens).sum()):
        advice = f"their middle is not read; try a higher {option('max_tokens')}"
        _log.warning("%d of %d texts have %d tokens or more: %s", long, len(train), text.max_tokens, advice)
    texts = replace(texts, train=train, validation=validation, counts=counts_kept)
    return Corpus(texts, of_train, of_validation, vocab, counts, folds)


def _build_vocab(
    texts: Sequence[str], counts: Counter[str], config: TrainConfig, frequent: Sequence[str]
) -> Vocab:
    vocab = Vocab.of_counts(counts, config.min_freq)
    if len(vocab) == UNK_ID + 1:
        lower = f"try a lower {option('min_freq')}"
        raise DataError(f"no word occurs {config.min_freq} times in the texts; {lower}")
    _log.info("%d words with a frequency of %d or more", len(vocab) - UNK_ID - 1, config.min_freq)
    missing = [word for word in frequent if word not in vocab]
    vocab = Vocab([*vocab.words, *missing[: max(config.fill_vocab - len(vocab), 0)]])
    if config.bigrams:
        vocab = with_bigrams(vocab, map(words_of, texts), config.bigrams, config.min_freq)
    return vocab


def assign_folds(examples: Examples, count: int) -> list[Fold]:
    """Return the folds of a cross-validation.

    Each class is cut into runs of neighboring rows, see `datasets.splits`. Copies are in one fold.
    """
    fold_of = np.zeros(len(examples), np.intp)
    for number in range(examples.targets.shape[1]):
        (rows,) = (examples.labels == number).nonzero()
        fold_of[rows] = np.arange(len(rows)) * count // max(len(rows), 1)
    first: dict[bytes, int] = {}
    copies = [
        first.setdefault(ids.tobytes(), fold)
        for ids, fold in zip(examples.ids, fold_of.tolist(), strict=True)
    ]
    if not any(copies):
        flag = option("validation")
        raise DataError(f"the texts are copies of a few; try different texts, or name others with {flag}")
    fold_of = np.array(copies)
    return [
        (np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)) for fold in range(max(copies) + 1)
    ]
