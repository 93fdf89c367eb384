"""Read the labeled data sets of a training, and name the classes."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from sentcli.config import DataSet
from sentcli.datasets.labels import (
    SURE,
    LabeledTexts,
    are_numbers,
    class_ids,
    class_names,
    join,
    known_labels,
    normalize_label,
)
from sentcli.datasets.load import NO_OPTIONS, Rejects, load_split, rejected_row, without_unknown
from sentcli.datasets.splits import warn_of_contradictions
from sentcli.errors import DataError, UsageError, option
from sentcli.scoring.labels import NEUTRAL
from sentcli.tables.options import ReadOptions

_TONES = ("negative", "positive")  # the classes, if all data sets have targets
_SEED = 1  # of `DataSet.most`: models of all seeds are validated on the same texts


def read_data_sets(
    sets: Sequence[DataSet],
    csv: ReadOptions = NO_OPTIONS,
    rejects: Rejects | None = None,
    positive: str | None = None,
    base: tuple[str, ...] | None = None,
) -> tuple[list[LabeledTexts], tuple[str, ...]]:
    """Read the train splits of data sets, with the names of classes as labels; return these names too.

    :param positive: the class to put last of two, as a score is its probability.
    :param base: the classes of the model to fine-tune, which are taken if all labels are among them.
    """
    parts, rejects = [], rejects or Rejects()
    for data in sets:
        columns = data.text_column, data.label_column
        part = load_split(data.path, "train", *columns, csv, rejects, data.weight_column)
        parts.append(_draw(part, data.most) if data.most else part)
    named = [part for data, part in zip(sets, parts, strict=True) if data.targets is None]
    # Numbers stand for names if another data set has names.
    named = [part for part in named if not are_numbers({*part.labels})] or named
    labels = {label for part in named for label in part.labels}
    if base and known_labels(labels, base).keys() >= labels:
        names = base
    else:
        names = class_names(join(named)) if named else _TONES
        names = _with_last(names, positive) if positive else names
    parts = [with_targets(part, data, names, rejects) for data, part in zip(sets, parts, strict=True)]
    warn_of_contradictions(join(parts, names))
    return [_with_weights(part, names, rejects) if part.columns else part for part in parts], names


def read_validation(
    spec: str, first: DataSet, csv: ReadOptions, names: Sequence[str], rejects: Rejects
) -> LabeledTexts:
    """Read the texts to validate on: a file, or a split of the first data set; they share its columns."""
    if Path(spec).is_file():
        path, split = spec, "train"
    elif Path(first.path).is_file():
        raise DataError(f"{spec:.200}: no such file, and {first.path:.200} has no splits")
    else:
        path, split = first.path, spec
    data = load_split(path, split, first.text_column, first.label_column, csv, rejects)
    return with_targets(data, first, names, rejects)


def _with_last(names: tuple[str, ...], positive: str) -> tuple[str, ...]:
    number = known_labels([positive], names).get(positive)
    if number is None or len(names) > 2:
        problem = "no such label" if number is None else "only of two labels is one positive; omit it"
        given = option("positive", positive)
        raise UsageError(f"{given:.200}: {problem}; the labels are {', '.join(names):.400}")
    return names[1 - number], names[number]


def _draw(data: LabeledTexts, limit: int) -> LabeledTexts:
    """Return at most so many texts of each label, in the order of the data."""
    draw, labels = np.random.default_rng(_SEED), np.array(data.labels, object)
    rows = [np.flatnonzero(labels == label) for label in sorted({*data.labels})]
    return data.take(np.sort(np.concatenate([draw.permutation(own)[:limit] for own in rows])).tolist())


def with_targets(data: LabeledTexts, source: DataSet, names: Sequence[str], rejects: Rejects) -> LabeledTexts:
    """Return the texts with the names of their classes, or with the targets of the data set.

    The label of a target is its class, or `NEUTRAL` if neither class has more than `SURE`.
    """
    if source.targets is None:
        data = without_unknown(data, names, rejects)
        return replace(data, labels=[names[number] for number in class_ids(data, names).tolist()])
    if len(names) != 2:
        raise UsageError(
            f"{source.path}: targets need two classes, but there are {len(names)}: {', '.join(names):.200}; "
            "omit targets, or change the labels of the other data sets"
        )
    if isinstance(source.targets, str):
        targets = _probabilities({*data.labels}, data.where)
    else:
        targets = {normalize_label(label): target for label, target in source.targets.items()}
    if unknown := {*data.labels} - {*targets}:
        raise DataError(f"{data.where}: the label {min(unknown)!r:.100} has no target; add it to targets")
    label_of = {
        label: names[round(target)] if max(target, 1 - target) > SURE else NEUTRAL
        for label, target in targets.items()
    }
    second = np.array([targets[label] for label in data.labels], np.float32)
    labels = [label_of[label] for label in data.labels]
    return replace(data, labels=labels, targets=np.stack([1 - second, second], axis=1))


def _with_weights(data: LabeledTexts, names: Sequence[str], rejects: Rejects) -> LabeledTexts:
    """Return the texts with their targets times the weights in their columns, over the mean of these weights.

    Texts with the weight 0 are left out.
    """
    (values,) = data.columns
    weights = np.array([float(value) if are_numbers([value]) else -1 for value in values], np.float32)
    is_valid, why = (weights >= 0) & (weights < np.inf), "is not a number of at least 0"
    wrong = np.flatnonzero(~is_valid).tolist()
    entries = [rejected_row(data, row, f"the weight {values[row]!r:.100} {why}") for row in wrong]
    rejects.add(data.where, entries, len(data))
    kept = np.flatnonzero(is_valid & (weights > 0))
    if not len(kept):
        raise DataError(f"{data.where}: no text has a weight above 0; is {option('weight_column')} right?")
    data, weights = data.take(kept.tolist()), weights[kept] / weights[kept].mean()
    return replace(data, targets=weights[:, np.newaxis] * data.class_targets(names), columns=())


def _probabilities(labels: Collection[str], where: str) -> dict[str, float]:
    targets = {label: float(label) for label in labels if are_numbers([label])}
    if wrong := [label for label in labels if not 0 <= targets.get(label, -1) <= 1]:
        raise DataError(f"{where}: the label {min(wrong)!r:.100} is not a probability from 0 to 1")
    return targets
