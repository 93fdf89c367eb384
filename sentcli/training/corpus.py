"""The data of a training: split labelled texts, read further texts, build the vocabulary, encode."""

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain

import numpy as np
import numpy.typing as npt

from sentcli.config import DataSet, TextConfig, TrainConfig
from sentcli.errors import DataError
from sentcli.evaluation.datasets import NO_OPTIONS, load_texts
from sentcli.evaluation.holdout import one_spelling, split_data_sets, without_validation
from sentcli.evaluation.labels import LabeledTexts, join
from sentcli.evaluation.passages import cut_passages
from sentcli.evaluation.rejects import Rejects
from sentcli.evaluation.training_data import read_validation
from sentcli.scoring import stop
from sentcli.tables.options import ReadOptions
from sentcli.text.tokenizer import truncate, words_of
from sentcli.text.vocabulary import UNK_ID, Vocab
from sentcli.training.bigrams import with_bigrams
from sentcli.training.examples import Examples
from sentcli.training.self_training.pseudo_labels import PseudoLabels

_log = logging.getLogger("sentcli")

_MOST_LISTED = 20  # classes
_SMALL_PART = 0.5  # of the validation share


@dataclass(frozen=True)
class DataSource:
    """The sources of texts, labels and word vectors; see `evaluation.datasets` and `training.glove`.

    :param csv: the format of CSV files.
    :param unlabeled_text_column: None: the same as that of the first data set.
    :param validation: labelled texts to validate on, see `read_validation`; None: a share of the data sets.
    """

    data: tuple[DataSet, ...]
    glove: str
    unlabeled: str | None = None
    csv: ReadOptions = NO_OPTIONS
    unlabeled_text_column: str | None = None
    validation: str | None = None


@dataclass(frozen=True)
class Texts:
    """The texts of a training. The other parts contain no text of the validation part.

    :param labels: the names of the classes.
    :param counts: the number of texts to train on of each data set.
    """

    train: LabeledTexts
    validation: LabeledTexts
    unlabeled: list[str]
    labels: tuple[str, ...]
    counts: tuple[int, ...] = ()


@dataclass(frozen=True)
class Corpus:
    """The texts of a training as ids.

    :param passages: a passage of each validation text.
    :param unlabeled: whole texts; their targets are zero.
    :param pseudo: texts with the labels of a teacher.
    :param counts: frequency of each word in the training texts, without passages.
    """

    train: Examples
    validation: Examples
    passages: Examples
    unlabeled: Examples
    pseudo: Examples
    vocab: Vocab
    counts: Counter[str]


def read_texts(
    source: DataSource,
    parts: Sequence[LabeledTexts],
    labels: tuple[str, ...],
    validation_share: float,
    rejects: Rejects | None = None,
) -> Texts:
    """Split the labelled texts, or read the validation part, and read the other texts.

    :param parts, labels: from `read_data_sets`.
    :param validation_share: the share for validation, if the source names no validation texts.
    :param rejects: gets the rows that are left out; None: the default limit holds.
    :raises UsageError: for a share that is not above 0 and below 1, or when no data set is validated on.
    :raises DataError: when no text is left to validate on, or none of a class to train on, or when a source
        cannot be read.
    """
    rejects = rejects or Rejects()
    if source.validation:
        validation = read_validation(source.validation, source.data[0], source.csv, labels, rejects)
        trains = [without_validation(part, validation) for part in parts]
    else:
        trains, validation = split_data_sets(parts, source.data, labels, validation_share)
        whole = sum(len(part) for part, each in zip(parts, source.data, strict=True) if each.validate)
        if len(validation) < _SMALL_PART * validation_share * whole:
            _log.warning(
                "%s: only %d texts are left to validate on, since most are repeated; metrics are uncertain",
                *(validation.where, len(validation)),
            )
    if missing := [name for name in labels if name not in {*validation.labels}]:
        _log.warning(
            "no validation text has the class %.100r: metrics and the choice of the epoch ignore it",
            missing[0],
        )
    held_out = {*map(one_spelling, validation.texts)}
    unlabeled = [text for text in _read_unlabeled(source, rejects) if one_spelling(text) not in held_out]
    if len(parts) > 1:
        for each, part in zip(source.data, trains, strict=True):
            _log.info("%s: %d texts to train on", each.path, len(part))
    weighted = [
        replace(part, targets=np.float32(each.weight) * part.class_targets(labels))
        for each, part in zip(source.data, trains, strict=True)
    ]
    train = join(weighted)
    listed = ", ".join(labels[:_MOST_LISTED]) + (", ..." if len(labels) > _MOST_LISTED else "")
    counts = f"{len(train)} texts to train on, {len(validation)} to validate"
    _log.info("%s: %s; %d classes: %s", train.where, counts, len(labels), listed)
    if source.unlabeled:
        _log.info("%s: %d texts without labels", source.unlabeled, len(unlabeled))
    return Texts(train, validation, unlabeled, labels, tuple(map(len, trains)))


def _read_unlabeled(source: DataSource, rejects: Rejects) -> list[str]:
    if not source.unlabeled:
        return []
    own = source.unlabeled_text_column
    column = source.data[0].text_column if own is None else own
    try:
        return load_texts(source.unlabeled, column, source.csv, rejects)
    except DataError as error:
        hint = "; for --unlabeled, the setting is unlabeled-text-column"
        raise DataError(f"{error}{hint if '--text-column' in str(error) else ''}") from error


def encode_texts(
    texts: Texts,
    pseudo: PseudoLabels | None,
    text: TextConfig,
    config: TrainConfig,
    sentences: int,
    vocab: Vocab | None = None,
) -> Corpus:
    """Build the vocabulary, unless one is given, and encode all texts.

    Texts with pseudo-labels do not count for the vocabulary: they repeat `texts.unlabeled`, or are passages.

    :param sentences: maximum number of sentences in the passages of the validation texts.
    :raises DataError: when no word is frequent enough, or no text to train or to validate on has a word.
    """
    # Tokenise twice instead of keeping tokens: those of a million reviews take 18 GB, their ids 1 GB.
    learnt = partial(chain, texts.train.texts, texts.unlabeled)
    counts = Counter(chain.from_iterable(map(words_of, learnt())))
    if vocab is None:
        vocab = Vocab.of_counts(counts, config.min_freq)
        if len(vocab) == UNK_ID + 1:
            raise DataError(f"no word occurs {config.min_freq} times in the texts; try a lower --min-freq")
        _log.info("%d words with a frequency of %d or more", len(vocab) - UNK_ID - 1, config.min_freq)
        if config.bigrams:
            vocab = with_bigrams(vocab, map(words_of, learnt()), config.bigrams, config.min_freq)
    else:
        known = sum(count for word, count in counts.items() if word in vocab) / max(counts.total(), 1)
        _log.info("%.1f%% of the tokens are in the vocabulary of the model", 100 * known)

    def encode(some: Iterable[str], targets: npt.NDArray[np.float32]) -> Examples:
        stop.check()
        ids = [np.array(truncate(vocab.encode(words_of(each)), text.max_tokens), np.int32) for each in some]
        kept = [row for row, sequence in enumerate(ids) if len(sequence)]
        return Examples([ids[row] for row in kept], targets[kept])

    none = np.zeros((len(texts.unlabeled), len(texts.labels)), np.float32)
    validation = texts.validation.class_targets(texts.labels)
    corpus = Corpus(
        train=encode(texts.train.texts, texts.train.class_targets(texts.labels)),
        validation=encode(texts.validation.texts, validation),
        unlabeled=encode(texts.unlabeled, none),
        passages=encode(cut_passages(texts.validation.texts, sentences), validation),
        pseudo=encode(pseudo.texts, pseudo.targets) if pseudo else encode([], none[:0]),
        vocab=vocab,
        counts=counts,
    )
    if not len(corpus.validation.labelled()):
        raise DataError("no text with a word is left to validate on; try more and different texts")
    taught = {*corpus.train.labelled().labels.tolist()}
    for number, name in enumerate(texts.labels):
        if number not in taught:
            raise DataError(f"no text of the class {name!r:.200} with a word is left to train on")
    blank = len(texts.train) - len(corpus.train) + len(texts.validation) - len(corpus.validation)
    blank += len(texts.unlabeled) - len(corpus.unlabeled)
    if blank:
        _log.info("left out %d texts without a word", blank)
    return corpus
