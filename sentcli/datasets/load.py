"""Read labeled texts from files, as `sentcli score` reads them, folders and the hub; the rows left out."""

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sentcli.config import LOG, DataSet
from sentcli.datasets.labels import (
    SURE,
    LabeledTexts,
    are_numbers,
    class_names,
    find_label_column,
    join,
    known_labels,
    label_ids,
    label_name,
    normalize_label,
    round_labels,
)
from sentcli.datasets.splits import warn_of_contradictions
from sentcli.errors import DataError, RejectsError, UsageError, counted, option, requires
from sentcli.files.sink import Target, write_file
from sentcli.scoring.labels import NEUTRAL
from sentcli.tables.chunk import Chunk
from sentcli.tables.open import read_files
from sentcli.tables.options import ReadOptions, RejectOptions
from sentcli.tables.registry import SUFFIXES, format_of, get_format, suffix_of
from sentcli.tables.table import Table
from sentcli.tables.text_column import places_of

NO_OPTIONS = ReadOptions()
MOST = "1%"  # the default limit of rejected rows
_TONES = ("negative", "positive")  # the classes, if all data sets have targets
_SEED = 1  # of `DataSet.most`: models of all seeds are validated on the same texts

Rows = Iterator[tuple[Table, Chunk]]
Entry = Mapping[str, Any]  # of a row that was left out, see `Rejects`
Classes = Mapping[str, tuple[str, ...]]  # names of classes, by the column of labels


class Rejects:
    """The rows that were left out of data sets.

    :param limit: `N` rows, or `P%` of the rows, of one data set; None: no limit.
    :ivar entries: one per row, in the fields of `Reject.to_json` or with `row`, `text` and `label`.
    """

    def __init__(self, limit: str | None = MOST, remedy: str = "correct them or leave them out") -> None:
        self.entries: list[Entry] = []
        self._options, self._remedy = RejectOptions(limit=limit), remedy

    def add(self, where: str, entries: Sequence[Entry], read: int) -> None:
        """Add the rows that were left out of the `read` rows of a data set; refuse to leave out too many."""
        if not entries:
            return
        self.entries += entries
        reason, count = Counter(entry["reason"] for entry in entries).most_common(1)[0]
        first = next(entry for entry in entries if entry["reason"] == reason)
        place = next(f"{name} {first[name]}" for name in ("line", "row") if name in first)
        at = place if first["input"] == where else f"{first['input']}, {place}"
        often = f"most often: {reason:.300} ({counted(count, 'row')}, first {at})"
        problem = f"{len(entries):,} of {counted(read, 'row')} cannot be used"
        if len(entries) == read:
            raise RejectsError(f"{where}: {problem}; {often}")
        if self._options.exceeded(len(entries), read):
            limit = self._options.limit
            raise RejectsError(f"{where}: {problem}; {often}; more than {limit}; {self._remedy}")
        LOG.info("%s: left out: %s; %s", where, problem, often)

    def write(self, target: Target) -> None:
        """Write the file of the rows, or remove that of an earlier run if no row was left out."""
        if not self.entries:
            target.remove()
            return
        write_file(target, b"".join(json.dumps(entry).encode() + b"\n" for entry in self.entries))
        LOG.info("%s: the rows that were left out", target.name)


def load_split(
    data: DataSet, split: str, options: ReadOptions = NO_OPTIONS, rejects: Rejects | None = None
) -> LabeledTexts:
    """Read one split of a labeled data set. Rows without text or label are left out; a text may be empty.

    Without a name, the column of texts is found as `sentcli score` finds it, and that of labels as the first
    of `labels.LABEL_COLUMNS`. A dotted path names a nested field. A column of weights takes the place of the
    columns of `ReadOptions.by`. A file has no splits: it is read whole, whatever `split` says.

    :param rejects: gets the rows and rejected records that are left out; None: the default limit holds.
    """
    weight, options = data.weight_column, replace(options, text_column=data.text_column)
    names = {weight: "weight_column"} if weight else dict.fromkeys(options.by, "by")
    texts, entries = _read(*_open(data.path, split, options), data.label_column, names)
    texts = round_labels(texts) if data.round_labels else texts
    if not len(texts) + len(entries):
        raise DataError(f"{texts.where}: no rows")
    missing = {row: "no label" for row, label in enumerate(texts.labels) if label is None}
    missing |= {row: "no text" for row, text in enumerate(texts.texts) if text is None}
    return _leave_out(texts, missing, rejects or Rejects(), entries)


def _read(
    where: str, sources: Sequence[Rows], classes: Classes, label_column: str | None, names: Mapping[str, str]
) -> tuple[LabeledTexts, list[dict[str, Any]]]:
    """Return the rows of a split, in which texts and labels may be None, and the entries of rejected records.

    :param names: those of further columns, each with the option that has it.
    """
    texts: list[Any] = []
    labels: list[Any] = []
    order: tuple[str, ...] = ()
    entries: list[dict[str, Any]] = []
    columns: list[list[str]] = [[] for _ in names]
    for rows in sources:
        place: Any = None
        for table, chunk in rows:
            if place is None and table.columns:
                label = find_label_column(table.columns, label_column, table.texts, table.name)
                order = classes.get(label) or _stated_classes(table, label)
                place, *places = places_of(table, {label: "label_column"}) + places_of(table, names)
            entries += [json.loads(reject.to_json()) for reject in chunk.rejects]
            texts += chunk.texts
            if chunk.texts:
                labels += [label_name(value, order, where) for value in chunk.cells(place)]
                for values, column in zip(columns, places, strict=True):
                    values += chunk.texts_of(column)
    order, numbers = tuple(map(normalize_label, order)), range(1, len(texts) + 1)
    return LabeledTexts(texts, labels, order, where, rows=numbers, columns=columns), entries


def _open(spec: str, split: str, options: ReadOptions) -> tuple[str, list[Rows], Classes]:
    """Return what messages call a split, its rows by file, and the classes if a folder states them."""
    if Path(spec).is_file():
        return f"{spec:.200}", [_read_file(spec, options)], {}
    with requires("evaluate"):
        from sentcli.datasets import hub  # imports datasets and pandas

    where, is_folder = f"{spec:.200}, split {split:.100}", Path(spec).is_dir()
    splits, classes = hub.folder_layout(spec) if is_folder else (hub.load(spec), {})
    if split not in splits:
        raise DataError(f"{spec:.200}: there is no split {split!r:.200}; the splits are {', '.join(splits)}")
    if is_folder:
        return where, [_read_file(name, options) for name in splits[split]], classes
    return where, [hub.read(splits[split], where, options)], {}


def _read_file(name: str, options: ReadOptions) -> Rows:
    """Return the rows of a file, read with the options that its format has."""
    if suffix_of(name) not in SUFFIXES:
        raise DataError(f"{name:.200}: unknown format; known are {', '.join(SUFFIXES)}")
    form = format_of(name, "")
    known = {name: getattr(options, name) for name in (*get_format(form).options, "by", "text_column")}
    return read_files([name], ReadOptions(**known | {"format": form}))


def _stated_classes(table: Table, column: str) -> tuple[str, ...]:
    """Return the names of classes that the datasets library wrote into the schema of a Parquet file."""
    schema = getattr(table, "schema", None)
    said = (schema.metadata if schema else None) or {}
    stated = json.loads(said.get(b"huggingface", b"{}"))
    return tuple(stated.get("info", {}).get("features", {}).get(column, {}).get("names", ()))


def _leave_out(
    data: LabeledTexts, reasons: Mapping[int, str], rejects: Rejects, broken: Sequence[Entry] = ()
) -> LabeledTexts:
    """Return the texts without some, each with its reason; `broken` are the records that have no text."""
    numbers = data.rows or range(1, len(data) + 1)
    entries = [
        {"input": data.where, "row": numbers[row], "reason": reason}
        | {"text": data.texts[row], "label": data.labels[row]}
        for row, reason in sorted(reasons.items())
    ]
    rejects.add(data.where, [*broken, *entries], len(broken) + len(data))
    return data.take([row for row in range(len(data)) if row not in reasons]) if reasons else data


def without_unknown(
    data: LabeledTexts, names: Sequence[str], rejects: Rejects, also: Collection[str] = ()
) -> LabeledTexts:
    """Leave out the texts whose label is neither a class nor, in lower case, in `also`."""
    known, why = known_labels(data.labels, names), f"; the model knows {', '.join(names):.200}"
    unknown = {label for label in {*data.labels} - {*known} if label.strip().casefold() not in also}
    rows = [(row, label) for row, label in enumerate(data.labels) if label in unknown]
    return _leave_out(data, {row: f"unknown label {label!r:.200}{why}" for row, label in rows}, rejects)


def read_data_sets(
    sets: Sequence[DataSet],
    csv: ReadOptions = NO_OPTIONS,
    rejects: Rejects | None = None,
    positive: str | None = None,
    base: tuple[str, ...] | None = None,
    given: LabeledTexts | None = None,
) -> tuple[list[LabeledTexts], tuple[str, ...]]:
    """Read the train splits of data sets, with the names of classes as labels; return these names too.

    :param positive: the class to put last of two, as a score is its probability.
    :param base: the classes of the model to fine-tune, which are taken if all labels are among them.
    :param given: the texts of the only data set, if they are in memory.
    """
    parts, rejects = [], rejects or Rejects()
    for data in sets:
        part = given or load_split(data, "train", csv, rejects)
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
    path = spec if Path(spec).is_file() else first.path
    if path != spec and Path(path).is_file():
        raise DataError(f"{spec:.200}: no such file, and {path:.200} has no splits")
    data = load_split(replace(first, path=path, weight_column=None), spec, csv, rejects)
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
        places = label_ids(data.labels, names, data.where)
        return replace(data, labels=[names[place] for place in places.tolist()])
    if len(names) != 2:
        problem = f"targets need two classes, but there are {len(names)}: {', '.join(names):.200}"
        hint = "omit targets, or change the labels of the other data sets"
        raise UsageError(f"{source.path}: {problem}; {hint}")
    if isinstance(source.targets, str):
        problem = "is not a probability from 0 to 1"
        numbers = {label: float(label) for label in data.labels if are_numbers([label])}
        targets = {label: number for label, number in numbers.items() if 0 <= number <= 1}
    else:
        problem = "has no target; add it to targets"
        targets = {normalize_label(label): target for label, target in source.targets.items()}
    if unknown := {*data.labels} - {*targets}:
        raise DataError(f"{data.where}: the label {min(unknown)!r:.100} {problem}")
    second = np.array([targets[label] for label in data.labels], np.float32)
    label_of = np.array([names[0], NEUTRAL, names[1]], object)
    labels = label_of[1 + (second > SURE) - (second < 1 - SURE)].tolist()
    return replace(data, labels=labels, targets=np.stack([1 - second, second], axis=1))


def _with_weights(data: LabeledTexts, names: Sequence[str], rejects: Rejects) -> LabeledTexts:
    """Return the texts with their targets times the weights in their columns, over the mean of these weights.

    Texts with the weight 0 are left out.
    """
    wrong = {
        row: f"the weight {value!r:.100} is not a number of at least 0"
        for row, value in enumerate(data.columns[0])
        if not are_numbers([value]) or not 0 <= np.float32(value) < np.inf
    }
    data = _leave_out(data, wrong, rejects)
    weights = np.array([*map(float, data.columns[0])], np.float32)
    (kept,) = weights.nonzero()
    if not len(kept):
        raise DataError(f"{data.where}: no text has a weight above 0; is {option('weight_column')} right?")
    data, weights = data.take(kept.tolist()), weights[kept] / weights[kept].mean()
    return replace(data, targets=weights[:, np.newaxis] * data.class_targets(names), columns=())
