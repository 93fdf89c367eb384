"""The division of labeled texts into a training and a validation split.

Texts about the same film or product are similar, so a model that was trained on some of them does better on
the others than on new texts. Such texts are usually neighbors, so it has runs of neighboring rows, not
single rows. On IMDb, a linear model of n-grams has an accuracy of 0.903 on the test split, 0.886 on
such runs (mean of 8 seeds) and 0.910 on single rows.
"""

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from sentcli.config import LOG, DataSet
from sentcli.datasets.labels import LabeledTexts, join
from sentcli.errors import DataError, UsageError, counted, option
from sentcli.model.bundle import LEARNED, Bundle
from sentcli.text.tokenizer import words_of

Hashes = npt.NDArray[np.bytes_]

_HASH = np.dtype("S6")  # 6 bytes
_SEED = 1  # the same for all models, so that they are compared on the same texts
_FEWEST_RUNS, _LONGEST_RUN = 5, 250  # runs per class; rows per run


def train_validation(data: LabeledTexts, share: float) -> tuple[LabeledTexts, LabeledTexts]:
    """Split off a share of each class for validation: at least one text if the class has two.

    Copies of a text, which differ only in case and blanks, all go to the part with most of them.
    """
    is_chosen = _choose_runs(data.labels, share)
    _, text_of = np.unique(np.array([*map(normalize_copy, data.texts)], object), return_inverse=True)
    is_chosen = (2 * np.bincount(text_of, is_chosen) >= np.bincount(text_of))[text_of]
    train, validation = (data.take(np.flatnonzero(rows).tolist()) for rows in (~is_chosen, is_chosen))
    if not len(validation):
        problem = "no text is left to validate on: each class has one text or repeats a few"
        hint = f"is {option('label_column')} right? If it is, name other texts with {option('validation')}"
        raise DataError(f"{data.where}: {problem}; {hint}")
    return train, validation


def split_data_sets(
    parts: Sequence[LabeledTexts], sets: Sequence[DataSet], names: Sequence[str], validation_share: float
) -> tuple[list[LabeledTexts], LabeledTexts]:
    """Split off a share of each data set that has `validate`; no training split keeps one of these texts."""
    split = [
        train_validation(part, validation_share) if data.validate else (part, part.take([]))
        for part, data in zip(parts, sets, strict=True)
    ]
    validated = [validation for _, validation in split if len(validation)]
    if not validated:
        add = option("validation", "FILE")
        raise UsageError(f"all data sets have validate = false; remove it from one, or add {add}")
    validation = join(validated, names)
    return [without_validation(train, validation) for train, _ in split], validation


def _choose_runs(labels: Sequence[str], share: float) -> npt.NDArray[np.bool_]:
    """Divide each class into equal parts, and choose a run of neighboring rows in each part."""
    _, classes, sizes = np.unique(np.array(labels, object), return_inverse=True, return_counts=True)
    quotas = np.minimum(np.maximum(np.round(share * sizes).astype(np.int64), 1), sizes - 1)
    runs = max(_FEWEST_RUNS, -(-int(quotas.max()) // _LONGEST_RUN))
    # All classes use the same places, because texts at the same place are often about the same thing.
    places = np.random.default_rng(_SEED).random(runs)
    is_chosen = np.zeros(len(labels), bool)
    for index, quota in enumerate(quotas.tolist()):
        parts = np.array_split(np.flatnonzero(classes == index), min(runs, max(quota, 1)))
        for number, part in enumerate(parts):
            length = quota * (number + 1) // len(parts) - quota * number // len(parts)
            start = round(places[number] * (len(part) - length))
            is_chosen[part[start : start + length]] = True
    return is_chosen


def without_validation(data: LabeledTexts, validation: LabeledTexts) -> LabeledTexts:
    """Remove the texts of a validation split from a training split, ignoring case and blanks."""
    excluded = {*map(normalize_copy, validation.texts)}
    train = data.take([row for row, text in enumerate(data.texts) if normalize_copy(text) not in excluded])
    if removed := len(data) - len(train):
        LOG.info("%s: %d texts are in the validation split too and were removed", data.where, removed)
    return train


def warn_of_contradictions(data: LabeledTexts) -> None:
    """Warn about texts that have several labels; case and blanks make no difference."""
    labels: dict[int, str] = {}  # by the hash of a text: the texts of a million reviews take gigabytes
    pairs = zip(map(normalize_copy, data.texts), data.labels, strict=True)
    torn = {text for text, label in pairs if text and labels.setdefault(hash(text), label) != label}
    if torn:
        problem = "%s: %s with more than one label, such as %.60r"
        LOG.warning(problem, data.where, counted(len(torn), "text"), min(torn))


def normalize_copy(text: str) -> str:
    """Return a text in the same spelling as its copies, which differ only in blanks and case."""
    return " ".join(text.split()).casefold()


def spell_learned(text: str) -> str:
    """Return the words of a text without the marks at its end, unless it has nothing else."""
    words = words_of(text)
    ends = (end for end, word in enumerate(words, 1) if any(map(str.isalnum, word)))
    return " ".join(words[: max(ends, default=len(words))])


def hash_texts(texts: Iterable[str]) -> Hashes:
    """Return a hash of each text; copies have the same, also those with other final marks."""
    plain = (spell_learned(text).encode(errors="surrogatepass") for text in texts)
    hashes = (hashlib.blake2b(text, digest_size=_HASH.itemsize).digest() for text in plain)
    return np.frombuffer(b"".join(hashes), _HASH)


def learned_hashes(bundle: Bundle) -> Hashes:
    """Return the sorted hashes of the texts that a model and its base have learned; none if unknown."""
    content = bundle.read(LEARNED) if LEARNED in bundle.digests else b""
    return np.frombuffer(content, _HASH, len(content) // _HASH.itemsize)


def are_learned(texts: Iterable[str], learned: Hashes) -> npt.NDArray[np.bool_]:
    """Return for each text whether its hash, in any case and with any blanks, is one of these."""
    return np.isin(hash_texts(texts), learned)


def digest_texts(texts: Iterable[str]) -> str:
    """Return the SHA-256 of a sequence of texts."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(hashlib.sha256(text.encode(errors="surrogatepass")).digest())
    return digest.hexdigest()
