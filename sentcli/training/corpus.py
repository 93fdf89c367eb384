"""The data of a training: split labeled texts, build the vocabulary, encode, and draw batches."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from sentcli.config import LOG, DataSet, TextConfig, TrainConfig
from sentcli.datasets.labels import SURE, LabeledTexts, join
from sentcli.datasets.load import MOST, NO_OPTIONS, Rejects, read_validation
from sentcli.datasets.splits import split_data_sets, without_validation
from sentcli.errors import DataError, option
from sentcli.files import stop
from sentcli.scoring.batches import pad
from sentcli.scoring.labels import Floats
from sentcli.tables.options import ReadOptions
from sentcli.text.tokenizer import PAD, UNK_ID, Vocab, truncate, words_of

Indices = npt.NDArray[np.intp]
TokenIds = npt.NDArray[np.int32]  # the ids of one text
Vary = Callable[[TokenIds], TokenIds]

_FEW_TOKENS = 2
_SENTENCE, _WEIGHT_OF_SENTENCES = 12, 0.25  # tokens of the median text of a data set of sentences
_SMALL_PART = 0.5  # share of the validation share: with fewer texts, metrics are uncertain
_POOL = 50  # number of batches sorted by length together: little padding, but still well shuffled


@dataclass(frozen=True)
class DataSource:
    """The sources of texts, labels and first weights; see `datasets.load` and `training.glove`."""

    data: tuple[DataSet, ...]
    glove: str | None = None  # word vectors; None: GloVe, or the included model for few English texts
    finetune: Path | None = None
    csv: ReadOptions = NO_OPTIONS
    validation: str | None = None  # see `read_validation`; None: a share of the data sets
    even_words: str | None = None  # a file, see `training.even_words`
    positive: str | None = None  # of two labels, the one whose probability is the score; None: the second
    given: LabeledTexts | None = None  # the texts of the only data set, if they are in memory
    max_rejects: str = MOST  # the limit on rows of a data set that cannot be used, `N` or `P%`


@dataclass(frozen=True)
class Texts:
    """The texts of a training, none in both parts; `counts` are the texts to train on of each data set."""

    train: LabeledTexts
    validation: LabeledTexts
    labels: tuple[str, ...]
    counts: tuple[int, ...] = ()


@dataclass(frozen=True)
class Examples:
    """Encoded texts `ids[i]`, at least one id each.

    :param targets: the probability of each class times the weight of the text, float32 `[n, classes]`.
    """

    ids: Sequence[TokenIds]
    targets: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def has_label(self) -> npt.NDArray[np.bool_]:
        """Whether each text has a label: a class with more than `SURE` of the probability, `[n]`."""
        return np.asarray(self.targets.max(axis=1) > SURE * self.targets.sum(axis=1), np.bool_)

    def take(self, rows: Indices) -> "Examples":
        """Return these texts, in this order."""
        return Examples([self.ids[row] for row in rows.tolist()], self.targets[rows])

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """The most probable class of each text, `[n]`."""
        return np.asarray(self.targets.argmax(axis=1), np.int64)

    @property
    def sides(self) -> npt.NDArray[np.int64]:
        """0, 1 or 2 if a text of two classes is negative, neutral or positive, `[n]`."""
        return np.where(self.has_label, 2 * self.labels, 1)

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """The number of tokens of each text, `[n]`."""
        return np.fromiter(map(len, self.ids), np.int64, len(self.ids))


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

    @property
    def data_sets(self) -> Indices:
        """The number of the data set of each text to train on, from 0, `[n]`."""
        return np.searchsorted(np.cumsum(self.texts.counts), np.arange(len(self.train)), side="right")

    @property
    def importance(self) -> Floats:
        """The weight of each text to train on in linear models, `[n]`.

        Texts of data sets of sentences count less: linear models of many sentences are worse on reviews.
        """
        medians = pd.Series(self.train.lengths).groupby(self.data_sets).transform("median")
        weights = np.where(medians <= _SENTENCE, _WEIGHT_OF_SENTENCES, 1.0)
        return np.asarray(weights / weights.max())


def read_texts(
    source: DataSource,
    parts: Sequence[LabeledTexts],
    labels: tuple[str, ...],
    config: TrainConfig,
    rejects: Rejects,
) -> Texts:
    """Split off validation texts, unless the source names them or there are folds."""
    if source.validation:
        validation = read_validation(source.validation, source.data[0], source.csv, labels, rejects)
        trains = [without_validation(part, validation) for part in parts]
    elif config.folds:
        trains, validation = list(parts), parts[0].take([])
    else:
        trains, validation = split_data_sets(parts, source.data, labels, config.validation_share)
        whole = sum(len(part) for part, data in zip(parts, source.data, strict=True) if data.validate)
        if len(validation) < _SMALL_PART * config.validation_share * whole:
            problem = "%s: only %d texts are left to validate on, most are repeated; metrics are uncertain"
            LOG.warning(problem, validation.where, len(validation))
    missing = [name for name in labels if name not in {*validation.labels}]
    if missing and len(validation):
        problem = "no validation text has the class %.100r: metrics and the choice of the epoch ignore it"
        LOG.warning(problem, missing[0])
    weighted = []
    for data, part in zip(source.data, trains, strict=True):
        weighted.append(replace(part, targets=np.float32(data.weight) * part.class_targets(labels)))
    train = join(weighted)
    validated = f"{len(validation)} to validate" if len(validation) else "each validated by another model"
    counts = f"{len(train)} texts to train on, {validated}"
    LOG.info("%s: %s; %d classes: %.400s", train.where, counts, len(labels), ", ".join(labels))
    return Texts(train, validation, labels, tuple(map(len, trains)))


def encode_texts(
    texts: Texts, text: TextConfig, config: TrainConfig, vocab: Vocab | None = None, extra: Sequence[str] = ()
) -> Corpus:
    """Build the vocabulary, unless one is given, and encode all texts.

    :param extra: words that fill the vocabulary up to `config.fill_vocab`: with their vectors, the model
        also knows words that the training texts lack.
    """
    # Tokenize twice instead of keeping tokens: those of a million reviews take 18 GB, their ids 1 GB.
    counts = Counter(chain.from_iterable(map(words_of, texts.train.texts)))
    if vocab is None:
        vocab = _build_vocab(texts.train.texts, counts, config, extra)
    else:
        known = sum(count for word, count in counts.items() if word in vocab) / max(counts.total(), 1)
        LOG.info("%.1f%% of the tokens are in the vocabulary of the model", 100 * known)

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
        LOG.info("empty texts left out: %d", blank)
    folds: Sequence[Fold] = [(np.arange(len(train)), np.arange(len(validation)))]
    if config.folds:
        validation, of_validation, folds = train, of_train, assign_folds(of_train, config.folds)
    elif not of_validation.has_label.any():
        raise DataError("no text with a word is left to validate on; try more and different texts")
    if np.median(of_train.lengths) <= _FEW_TOKENS:
        problem = "%s: most texts have one or two words, which is little to learn from; is %s right?"
        LOG.warning(problem, texts.train.where, option("text_column"))
    taught = {texts.labels[number] for number in np.unique(of_train.labels[of_train.has_label])}
    if missing := [name for name in texts.labels if name not in taught]:
        raise DataError(f"no text of the class {missing[0]!r:.200} with a word is left to train on")
    if long := int((of_train.lengths == text.max_tokens).sum()):
        advice = f"their middle is not read; try a higher {option('max_tokens')}"
        LOG.warning("%d of %d texts have %d tokens or more: %s", long, len(train), text.max_tokens, advice)
    texts = replace(texts, train=train, validation=validation, counts=counts_kept)
    return Corpus(texts, of_train, of_validation, vocab, counts, folds)


def _build_vocab(
    texts: Sequence[str], counts: Counter[str], config: TrainConfig, extra: Sequence[str]
) -> Vocab:
    vocab = Vocab.of_counts(counts, config.min_freq)
    if len(vocab) == UNK_ID + 1:
        lower = f"try a lower {option('min_freq')}"
        raise DataError(f"no word occurs {config.min_freq} times in the texts; {lower}")
    LOG.info("%d words with a frequency of %d or more", len(vocab) - UNK_ID - 1, config.min_freq)
    missing = [word for word in extra if word not in vocab]
    vocab = Vocab([*vocab.words, *missing[: max(config.fill_vocab - len(vocab), 0)]])
    if config.bigrams:
        vocab = with_bigrams(vocab, map(words_of, texts), config.bigrams, config.min_freq)
    return vocab


def with_bigrams(vocab: Vocab, texts: Iterable[Sequence[str]], count: int, min_freq: int) -> Vocab:
    """Add the most frequent bigrams to a vocabulary of words; break ties by the ids of their words."""
    words = np.fromiter(chain.from_iterable(vocab.encode((*tokens, PAD)) for tokens in texts), np.int64)
    known = (words[:-1] != UNK_ID) & (words[1:] != UNK_ID)
    pairs, counts = np.unique((words[:-1] * len(vocab) + words[1:])[known], return_counts=True)
    chosen = np.argsort(-counts, kind="stable")[:count]
    chosen = chosen[counts[chosen] >= min_freq]
    bigrams = (
        f"{vocab.words[first]} {vocab.words[second]}"
        for first, second in zip(*(ids.tolist() for ids in np.divmod(pairs[chosen], len(vocab))), strict=True)
    )
    return Vocab([*vocab.words, *bigrams])


def assign_folds(examples: Examples, count: int) -> list[Fold]:
    """Return the folds of a cross-validation.

    Each class is cut into runs of neighboring rows, see `datasets.splits`. Copies are in one fold.
    """
    fold_of = np.zeros(len(examples), np.intp)
    for number in range(examples.targets.shape[1]):
        (rows,) = (examples.labels == number).nonzero()
        fold_of[rows] = np.arange(len(rows)) * count // max(len(rows), 1)
    keys = np.array([ids.tobytes() for ids in examples.ids], object)
    _, first, copies = np.unique(keys, return_index=True, return_inverse=True)
    fold_of = fold_of[first[copies]]
    if not fold_of.any():
        flag = option("validation")
        raise DataError(f"the texts are copies of a few; try different texts, or name others with {flag}")
    folds = range(fold_of.max() + 1)
    return [(np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)) for fold in folds]


def epoch_batches(examples: Examples, batch_size: int, seed: int, epoch: int) -> list[Indices]:
    """Draw the batches of an epoch: shuffle, then sort by length within pools of `_POOL` batches."""
    random = np.random.default_rng((seed, epoch))
    lengths = examples.lengths
    order = random.permutation(len(examples))
    batches: list[Indices] = []
    for start in range(0, len(order), _POOL * batch_size):
        pool = order[start : start + _POOL * batch_size]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        batches += [pool[at : at + batch_size] for at in range(0, len(pool), batch_size)]
    return [batches[index] for index in random.permutation(len(batches))]


def collate(
    examples: Examples, rows: Indices, device: torch.device, vary: Vary | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Return padded ids, which `vary` changes first, lengths on the CPU, and targets `[batch, classes]`."""
    texts = [vary(examples.ids[row]) if vary else examples.ids[row] for row in rows]
    ids, lengths = pad(texts)
    targets = torch.from_numpy(examples.targets[rows])
    return torch.from_numpy(ids).to(device), torch.from_numpy(lengths), targets.to(device)


def split_bigrams(
    pairs: npt.NDArray[np.int32], first_bigram: int, share: float, random: np.random.Generator, ids: TokenIds
) -> TokenIds:
    """Replace a random share of the bigrams of a text, the ids from the first on, by their pairs of words.

    Done anew in each step, this also trains the words of bigrams, which texts on other subjects have in other
    pairs (after I. Provilkov, D. Emelianenko and E. Voita, "BPE-Dropout", ACL 2020).
    """
    is_split = (ids >= first_bigram) & (random.random(len(ids)) < share)
    words = np.repeat(ids, is_split + 1)
    (split,) = is_split.nonzero()
    starts = split + np.arange(len(split))  # each split adds a word
    words[starts], words[starts + 1] = pairs[ids[split] - first_bigram].T
    return words
