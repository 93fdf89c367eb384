"""The classes of labelled texts: their names, order and numbers."""

import logging
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sentcli.config import MAX_CLASSES
from sentcli.errors import DataError

_log = logging.getLogger("sentcli")

_SPELLED_OUT = {"neg": "negative", "pos": "positive"}
_SIGNS = {("0", "1"), ("-1", "1")}
_WHOLE = re.compile(r"([+-]?\d+)\.0+")
_MOST_LISTED = 6  # classes in a warning
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)


@dataclass(frozen=True)
class LabeledTexts:
    """Texts and the names of their classes.

    :param order: all classes in the order that the data set itself states; empty when it states none.
    :param where: what an error message calls the place that the texts come from.
    """

    texts: list[str]
    labels: list[str]
    order: tuple[str, ...] = ()
    where: str = "the data set"

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: Sequence[int]) -> "LabeledTexts":
        """Give these rows, in this order."""
        texts, labels = [self.texts[row] for row in rows], [self.labels[row] for row in rows]
        return LabeledTexts(texts, labels, self.order, self.where)


def spell_out(label: str) -> str:
    """Give a label as models call it, however a file has it.

    A column of whole numbers, one of them missing, comes as 1.0 from pandas.
    """
    whole = _WHOLE.fullmatch(label)
    return whole[1] if whole else _SPELLED_OUT.get(label, label)


def class_names(data: LabeledTexts) -> tuple[str, ...]:
    """Order the classes that occur: as the data set states, else numbers by value, else by the alphabet.

    Those that only case, blanks around them or a short form tell apart are told of.

    :raises DataError: for fewer than two classes, or more than a model can have.
    """
    found = set(data.labels)
    if data.order:
        names = tuple(name for name in dict.fromkeys(data.order) if name in found)
    elif all(map(_NUMBER.fullmatch, found)):
        names = tuple(sorted(found, key=lambda name: (float(name), name)))
    else:
        names = tuple(sorted(found))
    if not 2 <= len(names) <= MAX_CLASSES:
        examples = ", ".join(repr(name)[:40] for name in names[:3])
        raise DataError(
            f"{data.where}: {len(names)} different labels ({examples}); a model has 2 to {MAX_CLASSES}; "
            f"is --label-column right?"
        )
    plain = [spell_out(name.strip().casefold()) for name in names]
    alike = [name for name, bare in zip(names, plain, strict=True) if plain.count(bare) > 1]
    if alike:
        _log.warning(
            "%s: classes of their own are %s; are they meant to be the same?", data.where, _listed(alike)
        )
    counts = Counter(data.labels)
    if single := [name for name in names if counts[name] == 1]:
        _log.warning(
            "%s: %d of %d classes have one text alone, which cannot be held out: %s; are they mistyped, or "
            "numbers that are never the same?",
            *(data.where, len(single), len(names), _listed(single)),
        )
    return names


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"{name!r:.60}" for name in names[:_MOST_LISTED])


def class_ids(data: LabeledTexts, names: Sequence[str]) -> npt.NDArray[np.int64]:
    """Give the class of each text, and warn of numbers in place of names.

    :param names: the classes of the model, in its order.
    :raises DataError: for a label that the model does not know.
    """
    ids = label_ids(data.labels, names, data.where)
    _tell_of_numbers(data, [names[number] for number in ids])
    return ids


def _tell_of_numbers(examples: LabeledTexts, names: Sequence[str]) -> None:
    """Warn of labels that are numbers: who wrote them may have counted otherwise.

    :param names: what each label is taken for.
    """
    pairs = zip(examples.labels, names, strict=True)
    taken = sorted(
        {(int(label), name) for label, name in pairs if label.isdecimal() and label != spell_out(name)}
    )
    if taken:
        said = ", ".join(f"{number} is taken for {name!r:.100}" for number, name in taken)
        _log.warning(
            "%s: labels are numbers; %.300s; if they mean others, write names instead", examples.where, said
        )


def label_ids(labels: Sequence[str], names: Sequence[str], where: str) -> npt.NDArray[np.int64]:
    """Give the class of each label.

    Upper and lower case are the same where no two classes differ in that alone. Where no class has a number
    for its name, `0` means class 0, and so on; of 0 and 1, or -1 and 1, one is `negative`, one `positive`.

    :param names: the classes of the model, in its order.
    :param where: what an error message calls the place that the labels come from.
    :raises DataError: for a label that the model does not know.
    """
    ids = {spell_out(name): index for index, name in enumerate(names)}  # older models have names as they were
    ids |= {name: index for index, name in enumerate(names)}
    if not any(map(_NUMBER.fullmatch, names)):
        ids |= {str(index): index for index in range(len(names))}
    if tuple(names) in _SIGNS:
        ids |= {"negative": 0, "positive": 1}
    usual = {label: spell_out(label.casefold()) for label in {*labels, *ids}}
    folded = {usual[name]: index for name, index in ids.items()}
    if all(folded[usual[name]] == index for name, index in ids.items()):
        ids = {label: folded[name] for label, name in usual.items() if name in folded}
    try:
        return np.array([ids[label] for label in labels], np.int64)
    except KeyError as error:
        row = labels.index(error.args[0]) + 1
        raise DataError(
            f"{where}: unknown label {error.args[0]!r:.200} in row {row}; "
            f"the model knows {', '.join(names):.200}"
        ) from None
