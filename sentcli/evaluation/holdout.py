"""Which texts are held out to validate on, so that validation promises what new texts will show.

Texts about one thing, a film or a product, resemble each other, and a model that has learnt some of them
knows the others. So those about one thing are held out together. They are known by their place, since they
often stand side by side, and by the names they share: two texts seldom have several rare words in common
unless they are about the same thing.

IMDb shows it, of whose train split no film is in the test split. Held out row by row, n-grams reached 0.921,
on the test split 0.916 (trials, whose scripts are not kept). Of the pairs of texts in one class that share
three rare words, 93 in 100 stood within 60 rows of each other.
"""

import hashlib
import logging
from collections import Counter
from collections.abc import Iterable
from itertools import chain

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from sentcli.errors import BundleError, DataError, UsageError
from sentcli.evaluation.labels import LabeledTexts
from sentcli.evaluation.metrics_file import read_metrics
from sentcli.model.bundle import METRICS, Bundle
from sentcli.text.tokenizer import tokenize

_log = logging.getLogger("sentcli")

_SEED = 1  # the same for every model, so that teachers can be weighed on the validation part

_LONGEST_RUN, _FEWEST_RUNS = 250, 5  # texts of a class that are held out in a row; how many such runs
_STRETCH = 25  # rows side by side that follow the texts they are linked to together
_RARE = 25  # texts at most that a rare word is in
_SHARED = 3  # rare words that link two texts
_FEWEST_LINKS = 2  # of a stretch with a run; a single link may be chance
_BLOCK = 1024  # texts whose links are counted at a time: it bounds the memory, not the result

_Rows = npt.NDArray[np.int64]


def train_validation(
    data: LabeledTexts, validation_share: float, seed: int = _SEED
) -> tuple[LabeledTexts, LabeledTexts]:
    """Hold out a share of each class, at least one row of a class of two or more, and leave at least one.

    Runs of a class's neighbouring rows are held out, and with each run the rows of other classes that are
    linked to it. A text that went to both parts, whatever its blanks and case, is removed from the training
    part; but if most of its copies are there, they stay, and none is held out.

    :param validation_share: above 0 and below 1.
    :returns: training and validation part, each in the order of the data.
    :raises UsageError: for a share that is not between these.
    :raises DataError: when nothing can be held out, or a class has no row left to train on.
    """
    if not 0 < validation_share < 1:
        raise UsageError(f"--validation-share is {validation_share:g}; it has to be above 0 and below 1")
    _, classes = np.unique(np.array(data.labels, object), return_inverse=True)
    sizes = np.bincount(classes)
    quotas = np.minimum(np.maximum(np.round(validation_share * sizes).astype(np.int64), 1), sizes - 1)
    if not quotas.any():
        raise DataError(
            f"{data.where}: no class has more than one text, so that none can be held out; "
            "is --label-column right?"
        )
    held_out = _without_repeated(data, classes, _hold_out(classes, quotas, _links(data.texts), seed))
    validation = data.take(np.flatnonzero(held_out).tolist())
    return learnt_part(data.take(np.flatnonzero(~held_out).tolist()), validation), validation


def learnt_part(data: LabeledTexts, validation: LabeledTexts) -> LabeledTexts:
    """Leave texts out that are validated on as well.

    :raises DataError: when a class has no row left.
    """
    held_out = {*map(one_spelling, validation.texts)}
    train = data.take([row for row, text in enumerate(data.texts) if one_spelling(text) not in held_out])
    if len(train) < len(data):
        _log.info(
            "%s: %d texts occur in the validation part too and were removed from the training part",
            data.where,
            len(data) - len(train),
        )
    if lost := set(data.labels) - set(train.labels):
        raise DataError(
            f"{data.where}: no text of the class {min(lost)!r:.200} is left to train on: all are like those "
            "that are held out; try more texts"
        )
    return train


def held_out_part(bundle: Bundle, data: LabeledTexts) -> LabeledTexts:
    """Give what was held out when the model was trained.

    :param data: the train split; of a model that was validated on texts of their own, those.
    :raises BundleError: when the folder is not one that `sentcli train` wrote, or for another data set.
    """
    metrics = read_metrics(bundle)
    try:
        share, digest = float(metrics["training"]["validation_share"]), metrics["split"]
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(f"{bundle.path / METRICS}: it does not say which texts were held out") from error
    own = metrics.get("validation_data")
    validation = data if own else train_validation(data, share)[1]
    if digest_texts(validation.texts) != digest:
        if own:
            raise BundleError(
                f"{bundle.path}: validated on {own:.200}, and {data.where} has other texts; if those are "
                "elsewhere now, say --dataset"
            )
        raise BundleError(
            f"{bundle.path}: trained on another data set than {data.where}, or with other columns"
        )
    return validation


def one_spelling(text: str) -> str:
    """Give what copies of a text have in common that differ by blanks and by upper case."""
    return " ".join(text.split()).casefold()


def digest_texts(texts: Iterable[str]) -> str:
    """Give a SHA-256 of texts in their order."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(hashlib.sha256(text.encode(errors="surrogatepass")).digest())
    return digest.hexdigest()


def _without_repeated(
    data: LabeledTexts, classes: _Rows, held_out: npt.NDArray[np.bool_]
) -> npt.NDArray[np.bool_]:
    """Put held out copies of a text back if most of its copies are learnt.

    A class of which no row would be left gives the text that it has the fewest copies of.
    """
    numbers: dict[str, int] = {}
    spellings = map(one_spelling, data.texts)
    text_of = np.array([numbers.setdefault(text, len(numbers)) for text in spellings])
    copies = np.bincount(text_of)
    is_repeated = 2 * np.bincount(text_of, held_out) < copies
    left: npt.NDArray[np.bool_] = held_out & ~is_repeated[text_of]
    for index in np.setdiff1d(classes[held_out], classes[left]):
        of_class = classes == index
        texts = np.unique(text_of[of_class])
        if len(texts) > 1:
            left |= of_class & (text_of == texts[copies[texts].argmin()])
    return left


def _links(texts: list[str]) -> csr_array:
    """Give 1 for each two texts that share so many rare words, `[texts, texts]`."""
    frequencies = Counter(chain.from_iterable(map(_words, texts)))
    numbers = {word: at for at, word in enumerate(w for w, n in frequencies.items() if 2 <= n <= _RARE)}
    held = [[numbers[word] for word in _words(text) if word in numbers] for text in texts]
    row_of = np.repeat(np.arange(len(texts)), list(map(len, held)))
    column_of = np.fromiter(chain.from_iterable(held), np.int64, len(row_of))
    ones = np.ones(len(row_of), np.int32)
    rare = csr_array((ones, (row_of, column_of)), (len(texts), len(numbers)))
    rows, columns = [], []
    for start in range(0, len(texts), _BLOCK):
        shared = (rare[start : start + _BLOCK] @ rare.T).tocoo()
        is_link = shared.data >= _SHARED
        rows.append(shared.row[is_link].astype(np.int64) + start)
        columns.append(shared.col[is_link].astype(np.int64))
    ends = np.concatenate(rows), np.concatenate(columns)
    return csr_array((np.ones(len(ends[0]), np.int32), ends), (len(texts), len(texts)))


def _words(text: str) -> Iterable[str]:
    return dict.fromkeys(tokenize(text))


def _hold_out(classes: _Rows, quotas: _Rows, links: csr_array, seed: int) -> npt.NDArray[np.bool_]:
    """Choose the rows, `[texts]`, so many of each class."""
    random = np.random.default_rng(seed)
    held_out = np.zeros(len(classes), bool)
    rows_of = [np.flatnonzero(classes == index) for index in range(len(quotas))]
    missing = quotas.copy()
    is_full = np.zeros(len(quotas), bool)  # no more is held out of it: what is left of it will be learnt
    learnt_links = np.zeros(len(classes), np.int64)
    while missing.any():
        filled = (missing == 0) & ~is_full
        if filled.any():
            learnt_links += _count_links(links, np.flatnonzero(filled[classes] & ~held_out))
            is_full |= filled
        index = int(np.argmax(missing / np.maximum(quotas, 1)))
        length = min(max(int(quotas[index]) // _FEWEST_RUNS, 1), _LONGEST_RUN)
        is_left = ~held_out[rows_of[index]]
        rows = rows_of[index][is_left]
        _, run_of, sizes = np.unique(
            np.flatnonzero(is_left) // length, return_inverse=True, return_counts=True
        )
        drawn = random.permutation(len(sizes))
        best = drawn[(np.bincount(run_of, learnt_links[rows]) / sizes)[drawn].argmin()]
        run = rows[run_of == best][: missing[index]]
        held_out[run] = True
        missing[index] -= len(run)
        with_run = _count_links(links, run)
        for other in np.intersect1d(np.flatnonzero(missing), classes[with_run > 0]):
            if other != index:
                stretches = [each[~held_out[each]] for each in _cut(rows_of[other], _STRETCH)]
                for rows in sorted(stretches, key=lambda rows: -with_run[rows].sum()):
                    if with_run[rows].sum() >= _FEWEST_LINKS:
                        taken = rows[: missing[other]]
                        held_out[taken] = True
                        missing[other] -= len(taken)
    return held_out


def _count_links(links: csr_array, rows: _Rows) -> _Rows:
    """Say how many of these rows each text is linked to, `[texts]`."""
    return np.bincount(links[rows].indices, minlength=links.shape[0])


def _cut(rows: _Rows, length: int) -> list[_Rows]:
    return np.split(rows, range(length, len(rows), length))
