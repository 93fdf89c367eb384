"""The data of a training: read and split labelled texts, read further texts, build the vocabulary, encode."""

import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from itertools import chain

import numpy as np
import numpy.typing as npt

from sentcli.config import TextConfig, TrainConfig
from sentcli.errors import DataError
from sentcli.evaluation.datasets import NO_OPTIONS, load_split, load_texts, load_validation
from sentcli.evaluation.holdout import one_spelling, train_validation, without_validation
from sentcli.evaluation.labels import LabeledTexts, class_ids, class_names, label_ids
from sentcli.evaluation.passages import cut_passages
from sentcli.scoring import stop
from sentcli.tables.options import ReadOptions
from sentcli.text.tokenizer import truncate, words_of
from sentcli.text.vocabulary import UNK_ID, Vocab
from sentcli.training.bigrams import with_bigrams
from sentcli.training.examples import Examples
from sentcli.training.self_training.pseudo_labels import PseudoLabels

_log = logging.getLogger("sentcli")

NO_TEXTS = LabeledTexts([], [])
_MOST_LISTED = 20  # classes
_SMALL_PART = 0.5  # of the validation share


@dataclass(frozen=True)
class DataSource:
    """The sources of texts, labels and word vectors; see `evaluation.datasets` and `training.glove`.

    :param csv: the format of CSV files.
    :param unlabeled_text_column: None: the same as `text_column`.
    :param extra_data: labelled texts to train on but never to validate on.
    :param validation: labelled texts to validate on, see `load_validation`; None: a share of the train split.
    """

    dataset: str
    text_column: str | None
    label_column: str | None
    glove: str
    unlabeled: str | None = None
    csv: ReadOptions = NO_OPTIONS
    unlabeled_text_column: str | None = None
    extra_data: str | None = None
    validation: str | None = None


@dataclass(frozen=True)
class Texts:
    """The texts of a training. The other parts contain no text of the validation part.

    :param labels: the names of the classes.
    """

    train: LabeledTexts
    validation: LabeledTexts
    unlabeled: list[str]
    labels: tuple[str, ...]
    extra_data: LabeledTexts = NO_TEXTS


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
    extra_data: Examples
    vocab: Vocab
    counts: Counter[str]


def read_labeled(source: DataSource) -> LabeledTexts:
    """Read the train split.

    :raises DataError: as `load_split`.
    """
    return load_split(source.dataset, "train", source.text_column, source.label_column, source.csv)


def read_texts(source: DataSource, data: LabeledTexts, validation_share: float) -> Texts:
    """Split the labelled texts, or read the validation part, and read the other texts.

    :param data: the train split.
    :param validation_share: its share for validation, if the source names no validation texts.
    :raises UsageError: for a share that is not above 0 and below 1.
    :raises DataError: for fewer than two classes or too many, when no text is left to validate on, or
        none of a class to train on, or when a source cannot be read.
    """
    labels = class_names(data)
    if source.validation:
        columns = source.text_column, source.label_column
        validation = load_validation(source.validation, source.dataset, *columns, source.csv)
        class_ids(validation, labels)
        train = without_validation(data, validation)
    else:
        train, validation = train_validation(data, validation_share)
        if len(validation) < _SMALL_PART * validation_share * len(data):
            _log.warning(
                "%s: only %d texts are left to validate on, since most are repeated; metrics are uncertain",
                *(source.dataset, len(validation)),
            )
    found = {*label_ids(validation.labels, labels, validation.where).tolist()}
    if missing := [name for index, name in enumerate(labels) if index not in found]:
        _log.warning(
            "no validation text has the class %.100r: metrics and the choice of the epoch ignore it",
            missing[0],
        )
    held_out = {*map(one_spelling, validation.texts)}
    unlabeled = [text for text in _read_unlabeled(source) if one_spelling(text) not in held_out]
    extra_data = NO_TEXTS
    if source.extra_data:
        read = load_split(source.extra_data, "train", source.text_column, source.label_column, source.csv)
        class_ids(read, labels)
        extra_data = read.take([i for i, text in enumerate(read.texts) if one_spelling(text) not in held_out])
    listed = ", ".join(labels[:_MOST_LISTED]) + (", ..." if len(labels) > _MOST_LISTED else "")
    counts = f"{len(train)} texts to train on, {len(validation)} to validate"
    _log.info("%s: %s; %d classes: %s", source.dataset, counts, len(labels), listed)
    if source.unlabeled:
        _log.info("%s: %d texts without labels", source.unlabeled, len(unlabeled))
    if source.extra_data:
        _log.info("%s: %d texts of extra data", source.extra_data, len(extra_data))
    return Texts(train, validation, unlabeled, labels, extra_data)


def _read_unlabeled(source: DataSource) -> list[str]:
    if not source.unlabeled:
        return []
    own = source.unlabeled_text_column
    try:
        return load_texts(source.unlabeled, source.text_column if own is None else own, source.csv)
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
    classes = len(texts.labels)
    # Tokenise twice instead of keeping tokens: those of a million reviews take 18 GB, their ids 1 GB.
    learnt = partial(chain, texts.train.texts, texts.unlabeled, texts.extra_data.texts)
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

    def one_hot(part: LabeledTexts) -> npt.NDArray[np.float32]:
        return np.eye(classes, dtype=np.float32)[label_ids(part.labels, texts.labels, part.where)]

    none = np.zeros((len(texts.unlabeled), classes), np.float32)
    validation = one_hot(texts.validation)
    corpus = Corpus(
        train=encode(texts.train.texts, one_hot(texts.train)),
        validation=encode(texts.validation.texts, validation),
        unlabeled=encode(texts.unlabeled, none),
        extra_data=encode(texts.extra_data.texts, one_hot(texts.extra_data)),
        passages=encode(cut_passages(texts.validation.texts, sentences), validation),
        pseudo=encode(pseudo.texts, pseudo.targets) if pseudo else encode([], none[:0]),
        vocab=vocab,
        counts=counts,
    )
    if not len(corpus.validation):
        raise DataError("no text with a word is left to validate on; try more and different texts")
    for name, count in zip(texts.labels, corpus.train.targets.sum(axis=0), strict=True):
        if not count:
            raise DataError(f"no text of the class {name!r:.200} with a word is left to train on")
    blank = len(texts.train) - len(corpus.train) + len(texts.validation) - len(corpus.validation)
    blank += len(texts.unlabeled) - len(corpus.unlabeled) + len(texts.extra_data) - len(corpus.extra_data)
    if blank:
        _log.info("left out %d texts without a word", blank)
    return corpus
