"""Read labeled texts from files, as `sentcli score` reads them, folders and the hub; the rows left out."""

import json
import logging
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sentcli.config import DataSet
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

_log = logging.getLogger("sentcli")

NO_OPTIONS = ReadOptions()
MOST = "1%"  # the default limit of rejected rows
_TONES = ("negative", "positive")  # the classes, if all data sets have targets
_SEED = 1  # of `DataSet.most`: models of all seeds are validated on the same texts

Rows = Iterator[tuple[Table, Chunk]]
Classes = Mapping[str, tuple[str, ...]]  # names of classes, by the column of labels


class Rejects:
    """The rows that were left out of data sets.

    :param limit: `N` rows, or `P%` of the rows, of one data set; None: no limit.
    :ivar entries: one per row, in the fields of `Reject.to_json` or with `row`, `text` and `label`.
    """

    def __init__(self, limit: str | None = MOST, remedy: str = "correct them or leave them out") -> None:
        self.entries: list[Mapping[str, Any]] = []
        self._options, self._remedy = RejectOptions(limit=limit), remedy

    def add(self, where: str, entries: Sequence[Mapping[str, Any]], read: int) -> None:
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
        _log.info("%s: left out: %s; %s", where, problem, often)

    def write(self, target: Target) -> None:
        """Write the file of the rows, or remove that of an earlier run if no row was left out."""
        if not self.entries:
            target.remove()
            return
        write_file(target, b"".join(json.dumps(entry).encode() + b"\n" for entry in self.entries))
        _log.info("%s: the rows that were left out", target.name)


def load_split(
    spec: str,
    split: str,
    text_column: str | None,
    label_column: str | None,
    options: ReadOptions = NO_OPTIONS,
    rejects: Rejects | None = None,
    weight_column: str | None = None,
) -> LabeledTexts:
    """Read one split of a labeled data set. Rows without text or label are left out; a text may be empty.

    :param spec: a file, a folder in the layout of the hub, or an id on the Hugging Face hub. A file has no
        splits: it is read whole, whatever `split` says.
    :param text_column: None: found as `sentcli score` finds it. A dotted path names a nested field.
    :param label_column: None: the first of `labels.LABEL_COLUMNS`.
    :param weight_column: a further column, in place of those of `ReadOptions.by`.
    :param rejects: gets the rows and rejected records that are left out; None: the default limit holds.
    """
    further = {weight_column: "weight_column"} if weight_column else dict.fromkeys(options.by, "by")
    where, sources, classes = _open(spec, split, options, text_column)
    data, entries = _read(where, sources, classes, label_column, further)
    read = len(data) + len(entries)
    if not read:
        raise DataError(f"{where}: no rows")
    pairs: Iterable[tuple[Any, Any]] = zip(data.texts, data.labels, strict=True)
    missing = {
        row: rejected_row(data, row, "no text" if text is None else "no label")
        for row, (text, label) in enumerate(pairs)
        if text is None or label is None
    }
    entries += missing.values()
    (rejects or Rejects()).add(where, entries, read)
    kept = [row for row in range(len(data)) if row not in missing]
    return data.take(kept) if missing else data


def _read(
    where: str,
    sources: Sequence[Rows],
    classes: Classes,
    label_column: str | None,
    further: Mapping[str, str],
) -> tuple[LabeledTexts, list[dict[str, Any]]]:
    """Return the rows of a split, in which texts and labels may be None, and the entries of rejected records.

    :param further: columns, each with the option that names it.
    """
    texts: list[Any] = []
    labels: list[Any] = []
    order: tuple[str, ...] = ()
    entries: list[dict[str, Any]] = []
    columns: list[list[str]] = [[] for _ in further]
    for rows in sources:
        place: Any = None
        for table, chunk in rows:
            if place is None and table.columns:
                name = find_label_column(table.columns, label_column, table.texts, table.name)
                order = classes.get(name) or _stated_classes(table, name)
                place, *places = places_of(table, {name: "label_column"}) + places_of(table, further)
            entries += [json.loads(reject.to_json()) for reject in chunk.rejects]
            texts += chunk.texts
            if chunk.texts:
                labels += [label_name(value, order, where) for value in chunk.cells(place)]
                for values, column in zip(columns, places, strict=True):
                    values += chunk.texts_of(column)
    order, numbers = tuple(map(normalize_label, order)), range(1, len(texts) + 1)
    return LabeledTexts(texts, labels, order, where, rows=numbers, columns=columns), entries


def _open(
    spec: str, split: str, options: ReadOptions, text_column: str | None
) -> tuple[str, list[Rows], Classes]:
    """Return what messages call a split, its rows by file, and the classes if a folder states them."""
    if Path(spec).is_file():
        return f"{spec:.200}", [_read_file(spec, options, text_column)], {}
    with requires("evaluate"):
        from sentcli.datasets import hub  # imports datasets and pandas

    where, is_folder = f"{spec:.200}, split {split:.100}", bool(spec) and Path(spec).is_dir()
    splits, classes = hub.folder_layout(spec) if is_folder else (hub.load(spec), {})
    if split not in splits:
        raise DataError(f"{spec:.200}: there is no split {split!r:.200}; the splits are {', '.join(splits)}")
    if is_folder:
        return where, [_read_file(name, options, text_column) for name in splits[split]], classes
    return where, [hub.read(splits[split], where, ReadOptions(text_column=text_column, by=options.by))], {}


def _read_file(name: str, options: ReadOptions, text_column: str | None) -> Rows:
    """Return the rows of a file, read with the options that its format has."""
    if suffix_of(name) not in SUFFIXES:
        raise DataError(f"{name:.200}: unknown format; known are {', '.join(SUFFIXES)}")
    form = format_of(name, "")
    known = {name: getattr(options, name) for name in (*get_format(form).options, "by")}
    return read_files([name], ReadOptions(**known | {"text_column": text_column, "format": form}))


def _stated_classes(table: Table, column: str) -> tuple[str, ...]:
    """Return the names of classes that the datasets library wrote into the schema of a Parquet file."""
    schema = getattr(table, "schema", None)
    said = (schema.metadata if schema else None) or {}
    stated = json.loads(said.get(b"huggingface", b"{}"))
    return tuple(stated.get("info", {}).get("features", {}).get(column, {}).get("names", ()))


def rejected_row(data: LabeledTexts, index: int, reason: str) -> dict[str, Any]:
    """Return the entry of a row that was read but cannot be used."""
    place = {"input": data.where, "row": data.rows[index] if data.rows else index + 1, "reason": reason}
    return {**place, "text": data.texts[index], "label": data.labels[index]}


def without_unknown(
    data: LabeledTexts, names: Sequence[str], rejects: Rejects, also: Collection[str] = ()
) -> LabeledTexts:
    """Leave out the texts whose label is neither a class nor, in lower case, in `also`."""
    known, why = known_labels(data.labels, names), f"; the model knows {', '.join(names):.200}"
    kept, unknown = [], []
    for row, label in enumerate(data.labels):
        if label in known or label.strip().casefold() in also:
            kept.append(row)
        else:
            unknown.append(rejected_row(data, row, f"unknown label {label!r:.200}{why}"))
    rejects.add(data.where, unknown, len(data))
    return data.take(kept) if unknown else data


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
        return replace(
            data, labels=[names[number] for number in label_ids(data.labels, names, data.where).tolist()]
        )
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
