"""The texts that a model is trained on: read, split, and turned into ids."""

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain

import numpy as np
import numpy.typing as npt

from sentcli.config import TextConfig, TrainConfig
from sentcli.errors import DataError
from sentcli.evaluation.datasets import load_split, load_texts, load_validation
from sentcli.evaluation.holdout import learnt_part, one_spelling, train_validation
from sentcli.evaluation.labels import LabeledTexts, class_ids, class_names, label_ids
from sentcli.evaluation.leakage import Sample, sample
from sentcli.evaluation.passages import cut_passages
from sentcli.evaluation.splits import PLAIN_CSV, CsvFormat
from sentcli.text.tokenizer import tokenize, truncate
from sentcli.text.vocabulary import UNK_ID, Vocab
from sentcli.training.bigrams import with_phrases
from sentcli.training.examples import Examples, Ids
from sentcli.training.extra_data import NO_SENTENCES, read_sentences
from sentcli.training.self_training.pseudo_labels import PseudoLabels

_log = logging.getLogger("sentcli")

_MOST_LISTED = 20  # classes
_SMALL_PART = 0.5  # of the share that was to be held out


@dataclass(frozen=True)
class DataSource:
    """Where texts, labels and word vectors come from: what `sentcli.evaluation.datasets` and `glove` take.

    :param unlabeled_text_column: None: the same as `text_column`.
    :param sentences: labelled ones to learn besides; see `read_sentences`.
    :param validation: labelled texts to validate on; None: a part of the train split. See `load_validation`.
    """

    dataset: str
    text_column: str | None
    label_column: str | None
    glove: str
    unlabeled: str | None = None
    csv: CsvFormat = PLAIN_CSV
    unlabeled_text_column: str | None = None
    sentences: str | None = None
    validation: str | None = None


@dataclass(frozen=True)
class Texts:
    """What is trained on, as it was read.

    :param unlabeled: none of those that the validation part has too.
    :param labels: the name of each class.
    :param read: `sample` of all texts that were read, with labels and without.
    :param sentences: what is learnt besides, none of which is held out or was held out.
    """

    train: LabeledTexts
    validation: LabeledTexts
    unlabeled: list[str]
    labels: tuple[str, ...]
    read: Sample
    sentences: LabeledTexts = NO_SENTENCES


@dataclass(frozen=True)
class Corpus:
    """What is trained on, as ids.

    :param unlabeled: whole texts; their targets are empty.
    :param pseudo: texts that a teacher labelled.
    :param sentences: what is learnt besides.
    :param counts: how often each word of all that is learnt occurs in it, passages apart.
    """

    train: Examples
    validation: Examples
    passages: Examples
    unlabeled: Examples
    pseudo: Examples
    sentences: Examples
    vocab: Vocab
    counts: Counter[str]


def read_labeled(source: DataSource) -> LabeledTexts:
    """Read the train split.

    :raises DataError: as `load_split`.
    """
    return load_split(source.dataset, "train", source.text_column, source.label_column, source.csv)


def read_texts(source: DataSource, data: LabeledTexts, validation_share: float) -> Texts:
    """Hold a part of the train split out, or read what is to be held out, and the texts without labels.

    Of the latter, those that the validation part has too are left out.

    :param data: the train split.
    :param validation_share: of it, if the source does not say what to validate on.
    :raises UsageError: for a share that is not above 0 and below 1.
    :raises DataError: for fewer than two classes or too many, when nothing can be held out or a class of what
        is held out is not learnt, or when the texts without labels cannot be read.
    """
    labels = class_names(data)
    if source.validation:
        validation = load_validation(
            source.validation, source.dataset, source.text_column, source.label_column, source.csv
        )
        found = {*class_ids(validation, labels).tolist()}
        if missing := [name for number, name in enumerate(labels) if number not in found]:
            _log.warning(
                "%s: no text of the class %.100r; its figures, and the choice of the epoch, leave that out",
                *(validation.where, missing[0]),
            )
        train = learnt_part(data, validation)
    else:
        train, validation = train_validation(data, validation_share)
        if len(validation) < _SMALL_PART * validation_share * len(data):
            _log.warning(
                "%s: no more than %d texts can be held out, since most occur several times; figures on so "
                "few say little",
                *(source.dataset, len(validation)),
            )
    unlabeled = _read_unlabeled(source)
    sentences = _read_sentences(source, labels)
    read = sample(chain(data.texts, validation.texts, unlabeled, sentences.texts))
    held_out = {*map(one_spelling, validation.texts)}
    unlabeled = [text for text in unlabeled if one_spelling(text) not in held_out]
    rows = [row for row, text in enumerate(sentences.texts) if one_spelling(text) not in held_out]
    sentences = sentences.take(rows)
    _log.info(
        "%s: %d texts to train on, %d to validate; %d classes: %s",
        source.dataset,
        len(train),
        len(validation),
        len(labels),
        ", ".join(labels[:_MOST_LISTED]) + (", ..." if len(labels) > _MOST_LISTED else ""),
    )
    if source.unlabeled:
        _log.info("%s: %d texts without labels", source.unlabeled, len(unlabeled))
    if source.sentences:
        _log.info("%s: %d sentences to learn besides", source.sentences, len(sentences))
    return Texts(train, validation, unlabeled, labels, read, sentences)


def _read_unlabeled(source: DataSource) -> list[str]:
    if not source.unlabeled:
        return []
    own = source.unlabeled_text_column
    column = source.text_column if own is None else own
    return load_texts(source.unlabeled, column, source.csv, "--unlabeled-text-column")


def _read_sentences(source: DataSource, labels: tuple[str, ...]) -> LabeledTexts:
    if not source.sentences:
        return NO_SENTENCES
    return read_sentences(source.sentences, labels, source.text_column, source.label_column, source.csv)


def encode_texts(
    texts: Texts,
    pseudo: PseudoLabels | None,
    text: TextConfig,
    config: TrainConfig,
    sentences: int,
    vocab: Vocab | None = None,
) -> Corpus:
    """Build the vocabulary, where there is none yet, and turn all texts into ids.

    A text that a teacher labelled is of the training part, so its words count, and those of sentences;
    passages only repeat them.

    :param sentences: of the passages that are cut from the validation part, at most.
    :raises DataError: when no word is seen often enough, or no text to train or to validate on has one.
    """
    classes = len(texts.labels)
    # Tokenised anew each time: the words of a million reviews would take 18 GB, their ids take 1.
    learnt = partial(chain, texts.train.texts, texts.unlabeled, texts.sentences.texts)
    counts = Counter(chain.from_iterable(map(tokenize, learnt())))
    is_new = vocab is None
    if vocab is None:
        vocab = Vocab.of_counts(counts, config.min_freq)
        if config.bigrams:
            vocab = with_phrases(vocab, map(tokenize, learnt()), config.bigrams, config.min_freq)

    def encode(some: Iterable[str], targets: npt.NDArray[np.float32]) -> Examples:
        ids = (truncate(vocab.encode(tokenize(each)), text.max_tokens) for each in some)
        return _examples([np.array(sequence, np.int32) for sequence in ids], targets)

    def one_hot(part: LabeledTexts) -> npt.NDArray[np.float32]:
        return np.eye(classes, dtype=np.float32)[label_ids(part.labels, texts.labels, part.where)]

    held_out = texts.validation
    passages = cut_passages(held_out.texts, sentences)
    none = np.empty((0, classes), np.float32)
    corpus = Corpus(
        train=encode(texts.train.texts, one_hot(texts.train)),
        validation=encode(held_out.texts, one_hot(held_out)),
        passages=encode(passages, one_hot(held_out)),
        unlabeled=encode(texts.unlabeled, np.zeros((len(texts.unlabeled), classes), np.float32)),
        pseudo=encode(pseudo.texts, pseudo.targets) if pseudo else encode([], none),
        sentences=encode(texts.sentences.texts, one_hot(texts.sentences)),
        vocab=vocab,
        counts=counts,
    )
    if not len(corpus.validation):
        raise DataError("no text with a word in it is left to validate on; try more texts that differ")
    for name, count in zip(texts.labels, corpus.train.targets.sum(axis=0), strict=True):
        if not count:
            raise DataError(f"no text of the class {name!r:.200} with a word in it is left to train on")
    if len(vocab) == UNK_ID + 1:
        raise DataError(f"no word is seen {config.min_freq} times in the texts; try a lower --min-freq")
    blank = len(texts.train) - len(corpus.train) + len(held_out) - len(corpus.validation)
    blank += len(texts.unlabeled) - len(corpus.unlabeled) + len(texts.sentences) - len(corpus.sentences)
    if blank:
        _log.info("%s without a word left out", "1 text" if blank == 1 else f"{blank:,} texts")
    if is_new:
        _log.info("%d words of a frequency of %d or more", vocab.first_bigram - 2, config.min_freq)
    else:
        unknown = sum(count for word, count in counts.items() if word not in vocab) / counts.total()
        _log.info("%.1f%% of the running words are none that the model knows", 100 * unknown)
    return corpus


def _examples(ids: Sequence[Ids], targets: npt.NDArray[np.float32]) -> Examples:
    kept = [row for row, sequence in enumerate(ids) if len(sequence)]
    return Examples([ids[row] for row in kept], targets[kept])
