"""Labels: their column, their names as models spell them, and the classes with their order and ids."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any

import numpy as np
import numpy.typing as npt

from sentcli.config import LOG, MAX_CLASSES
from sentcli.errors import DataError, counted, option
from sentcli.tables.table import list_columns
from sentcli.tables.text_column import find_usual
from sentcli.text.null_values import NullValues, is_missing

SURE = 0.75  # targets above this are labels; those below are neutral
LABEL_COLUMNS = ("label", "labels", "sentiment", "class", "category", "target", "polarity", "stars", "rating")
_FULL_NAMES = {"neg": "negative", "pos": "positive"}
_SIGNS = {("0", "1"), ("-1", "1")}
_WHOLE = re.compile(r"([+-]?\d+)\.0+")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
RARE = 0.2  # of an even share: a class with fewer texts is rare
_MOST_LISTED = 6  # classes named in a warning
_NULL = NullValues(("nan", "n/a", "#n/a", "null"))  # no labels; "none" may be one
_FEW_CLASSES = 5  # up to so many, each may have a single text
_SIMILAR = 0.8  # of `get_close_matches`: one letter of five
_MOST_DECIMALS = 20  # labels; more numbers, some with decimals, are no classes


@dataclass(frozen=True)
class LabeledTexts:
    """Texts and the names of their classes.

    :param targets: the probability of each class times the weight of the text, float32 `[texts, classes]`;
        None: the labels are certain and the weights are 1.
    """

    texts: list[str]
    labels: list[str]
    order: tuple[str, ...] = ()  # all classes in the order that the data set states, if it states one
    where: str = "the data set"
    targets: npt.NDArray[np.float32] | None = field(default=None, compare=False)
    rows: Sequence[int] = field(default=(), compare=False)  # numbers in the data set, from 1, if known
    columns: Sequence[Sequence[str]] = field(default=(), compare=False)  # the values of further columns

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: Sequence[int]) -> "LabeledTexts":
        """Return these rows, in this order."""
        texts, labels = [self.texts[row] for row in rows], [self.labels[row] for row in rows]
        targets = None if self.targets is None else self.targets[[*rows]]
        numbers = [self.rows[row] for row in rows] if self.rows else ()
        columns = [[column[row] for row in rows] for column in self.columns]
        return LabeledTexts(texts, labels, self.order, self.where, targets, numbers, columns)

    def class_targets(self, names: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return the targets; for certain labels, which are some of these names, one-hot rows."""
        if self.targets is not None:
            return self.targets
        return np.eye(len(names), dtype=np.float32)[label_ids(self.labels, names, self.where)]


def join(parts: Sequence[LabeledTexts], names: Sequence[str] = ()) -> LabeledTexts:
    """Return the texts of several data sets as one, whose names are a column; targets need class names."""
    if len(parts) == 1:
        return parts[0]
    has_order = all(part.order for part in parts)
    has_targets = any(part.targets is not None for part in parts)
    return LabeledTexts(
        [text for part in parts for text in part.texts],
        [label for part in parts for label in part.labels],
        tuple(dict.fromkeys(name for part in parts for name in part.order)) if has_order else (),
        f"{len(parts)} data sets",
        np.concatenate([part.class_targets(names) for part in parts]) if has_targets else None,
        [row for part in parts for row in part.rows or range(1, len(part) + 1)],
        [[part.where for part in parts for _ in part.texts]],
    )


def find_label_column(
    columns: Sequence[str], given: str | None, text_columns: Sequence[str], where: str
) -> str:
    """Choose the column of labels: the given one, else the first of `LABEL_COLUMNS`, ignoring case."""
    name = find_usual(columns, LABEL_COLUMNS) if given is None else given
    if name is None or not {name, name.split(".")[0]} & {*columns}:
        problem = f"no column {name!r:.200}" if name else "which column has the labels?"
        raise DataError(f"{where}: {problem}; {list_columns(columns)}; try {option('label_column')}")
    if name in text_columns:
        hint = f"name the texts with {option('text_column')}"
        raise DataError(f"{where}: the column {name!r:.200} has the labels; {hint}")
    return name


def label_name(value: Any, classes: Sequence[str], where: str) -> str | None:
    """Return the label of a row as models spell it; None if it is missing.

    :param value: a string, a number, or the number of one of `classes`, of which -1 is a missing label.
    """
    if is_missing(value) or (isinstance(value, str) and (not value.strip() or value in _NULL)):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    is_list = isinstance(value, str) and value.startswith(("['", '["'))
    if is_list or not isinstance(value, str | int | float):
        hint = f"a text has one label; name the column of such labels with {option('label_column')}"
        raise DataError(f"{where}: {value!r:.100} is neither a name nor a number; {hint}")
    if classes and value not in classes:
        try:
            number = int(value)
            return normalize_label(classes[number]) if number >= 0 else None
        except (ValueError, IndexError):
            raise DataError(f"{where}: {value!r:.100} is not one of its classes: {classes!r:.200}") from None
    return normalize_label(str(value))


def normalize_label(label: str) -> str:
    """Return a label as models spell it. In a column with gaps, pandas writes whole numbers as 1.0."""
    label = label.removeprefix("__label__")  # of fastText
    whole = _WHOLE.fullmatch(label)
    return whole[1] if whole else _FULL_NAMES.get(label, label)


def round_labels(data: LabeledTexts) -> LabeledTexts:
    """Return the texts with whole numbers for labels with decimals; a half becomes the higher one."""
    numbers = [label for label in {*data.labels} if label and are_numbers([label])]
    whole = {label: f"{np.floor(float(label) + 0.5):.0f}" for label in numbers}
    return replace(data, labels=[whole.get(label, label) for label in data.labels])


def are_numbers(labels: Iterable[str]) -> bool:
    """Return whether all labels are numbers."""
    return all(map(_NUMBER.fullmatch, labels))


def class_names(data: LabeledTexts) -> tuple[str, ...]:
    """Return the classes that occur in the stated order, else by number, else alphabetically.

    Without a stated order, labels that differ by case, outer blanks or a short form are one class, in its
    most frequent spelling. Log these, and warn about classes that may be a mistake.
    """
    counts = Counter(data.labels) if data.order else _merged(data)
    names = tuple(name for name in dict.fromkeys(data.order or sorted(counts)) if name in counts)
    has_decimals = are_numbers(names) and not all(float(name).is_integer() for name in names)
    limit = _MOST_DECIMALS if has_decimals else MAX_CLASSES
    if not 2 <= len(names) <= limit:
        examples = ", ".join(repr(name)[:40] for name in names[:3])
        rounding = f"Round them ({option('round_labels', True)})"
        hint = f' {rounding}; for probabilities, the [[data]] table needs targets = "probability"'
        raise DataError(
            f"{data.where}: {counted(len(names), 'different label')} ({examples}); a model has 2 to {limit}; "
            f"is {option('label_column')} right?{hint * has_decimals}"
        )
    if len(names) > max(_FEW_CLASSES, counts.total() / 2):
        problem = f"{len(names)} different labels in {counts.total()} texts: most have a single text"
        raise DataError(f"{data.where}: {problem} to learn from; is {option('label_column')} right?")
    if single := [name for name in names if counts[name] == 1]:
        listed = ", ".join(_doubted(name, counts) for name in single[:_MOST_LISTED])
        LOG.warning("%s: classes that have a single text: %s; are they mistyped?", data.where, listed)
    parts = Counter(part for name in names for part in re.split(r"\s*[,;|]\s*", name))
    if combined := [part for part, count in parts.items() if count > 1]:
        problem = "%s: %.60r is in several labels; a text has one label, so each combination is a class"
        LOG.warning(problem, data.where, combined[0])
    return tuple(sorted(names, key=float)) if are_numbers(names) and not data.order else names


def _doubted(single: str, counts: Mapping[str, int]) -> str:
    """Return a label that occurs once, and the frequent one that it may be a mistyped form of."""
    frequent = [name for name, count in counts.items() if count > 1]
    near = get_close_matches(single, frequent, 1, _SIMILAR)
    return f"{single!r:.60} (did you mean {near[0]!r:.60}?)" if near else f"{single!r:.60}"


def _merged(data: LabeledTexts) -> Counter[str]:
    """Return the counts of labels with one spelling for each class."""
    names: dict[str, str] = {}
    merged: Counter[str] = Counter()
    said = []
    for label, count in Counter(data.labels).most_common():
        name = names.setdefault(normalize_label(label.strip().casefold()), normalize_label(label.strip()))
        merged[name] += count
        said += [f"{label!r:.60} as {name!r:.60}"] if name != label else []
    if said:
        LOG.info("%s: labels that differ by case or blanks are one: %.300s", data.where, ", ".join(said))
    return merged


def label_ids(labels: Sequence[str], names: Sequence[str], where: str) -> npt.NDArray[np.int64]:
    """Return the id of each label's class; warn if numbers stand for names.

    :param labels: some that `known_labels` has.
    """
    ids = known_labels(labels, names)
    taken = [(label, names[ids[label]]) for label in sorted({*labels}) if label.isdecimal()]
    said = [f"{label} is taken for {name!r:.100}" for label, name in taken if label != normalize_label(name)]
    if said:
        LOG.warning("%s: labels are numbers; %.300s; if that is wrong, use names", where, ", ".join(said))
    return np.array([ids[label] for label in labels], np.int64)


def known_labels(labels: Iterable[str], names: Sequence[str]) -> dict[str, int]:
    """Return the id of the class of each label that has one.

    Case and outer blanks do not matter unless two classes differ only by them. If no class is a number, `0`
    means class 0, and so on. For classes 0 and 1, or -1 and 1, `negative` and `positive` are accepted too.
    """
    ids = {name: index for index, name in enumerate(names)}
    if not any(map(_NUMBER.fullmatch, names)):
        ids |= {str(index): index for index in range(len(names))}
    if tuple(names) in _SIGNS:
        ids |= {"negative": 0, "positive": 1}
    usual = {label: normalize_label(label.strip().casefold()) for label in {*labels, *ids}}
    folded = {usual[name]: index for name, index in ids.items()}
    if all(folded[usual[name]] == index for name, index in ids.items()):
        ids = {label: folded[name] for label, name in usual.items() if name in folded}
    return ids
