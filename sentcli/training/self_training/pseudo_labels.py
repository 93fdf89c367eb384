"""What a teacher says of texts without labels, as a Parquet file that can be looked at and used again."""

import json
import logging
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from sentcli.errors import DataError, OutputError
from sentcli.evaluation.holdout import one_spelling
from sentcli.files.atomic import new_file

_log = logging.getLogger("sentcli")

Probabilities = npt.NDArray[np.float32]  # [texts, classes]

_NOTES = b"sentcli"  # the key in the file's metadata
_FLOATING = (pa.float16(), pa.float32(), pa.float64())
_TOGETHER = "probability"  # what the teacher says; with `from`, no name of a member can be the same


@dataclass(frozen=True)
class PseudoLabels:
    """Texts and the probability of each class.

    :param texts: whole texts without labels, then passages of all texts.
    :param is_passage: which of them are passages, `[texts]`.
    :param targets: what the teacher says, `[texts, classes]`.
    :param labels: the name of each class.
    :param members: what each of those says that the teacher is made of, by name; nothing of a passage that
        it was not asked about (NaN).
    :param notes: how the teacher came about, for who looks at the file.
    """

    texts: list[str]
    is_passage: npt.NDArray[np.bool_]
    targets: Probabilities
    labels: tuple[str, ...]
    members: Mapping[str, Probabilities] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)

    def whole_texts(self) -> list[str]:
        """Give the texts that are no passages."""
        return [self.texts[row] for row in np.flatnonzero(~self.is_passage).tolist()]

    def without(self, texts: Iterable[str]) -> "PseudoLabels":
        """Leave texts out, and passages that are the same, whatever their blanks and case."""
        unwanted = {*map(one_spelling, texts)}
        kept = np.array([one_spelling(text) not in unwanted for text in self.texts], bool)
        if kept.all():
            return self
        _log.info("%d texts with pseudo-labels are held out and were left out", len(kept) - kept.sum())
        return replace(
            self,
            texts=[self.texts[row] for row in np.flatnonzero(kept).tolist()],
            is_passage=self.is_passage[kept],
            targets=self.targets[kept],
            members={name: values[kept] for name, values in self.members.items()},
        )


def write_pseudo_labels(path: Path, labels: PseudoLabels) -> None:
    """Write a column for the text, one that tells passages, and one a class for the teacher and each member.

    :raises OutputError: when the file cannot be written; nothing is left of it.
    """
    columns: dict[str, pa.Array] = {"text": pa.array(labels.texts), "passage": pa.array(labels.is_passage)}
    members = {f"from {name}": values for name, values in labels.members.items()}
    for name, values in {_TOGETHER: labels.targets, **members}.items():
        for label, probability in zip(labels.labels, values.T, strict=True):
            columns[_column(name, label)] = pa.array(probability)
    notes = json.dumps({"labels": labels.labels, **labels.notes}).encode()
    table = pa.table(columns).replace_schema_metadata({_NOTES: notes})
    try:
        with new_file(path) as file:
            pq.write_table(table, file, compression="zstd")
    except OSError as error:
        raise OutputError(f"{path}: the pseudo-labels cannot be written: {error.strerror or error}") from None


def copy_pseudo_labels(source: Path, path: Path) -> None:
    """Copy a file of pseudo-labels.

    :raises OutputError: when it cannot be written; nothing is left of it.
    """
    try:
        with source.open("rb") as labels, new_file(path) as file:
            shutil.copyfileobj(labels, file)
    except OSError as error:
        raise OutputError(f"{path}: the pseudo-labels cannot be written: {error.strerror}") from None


def read_pseudo_labels(path: Path, labels: tuple[str, ...]) -> PseudoLabels:
    """Read what `write_pseudo_labels` wrote, the members apart.

    :param labels: the classes that it has to have.
    :raises DataError: when it is no such file, or one of other classes.
    """
    wanted = ["text", "passage", *(_column(_TOGETHER, label) for label in labels)]
    try:
        file = pq.ParquetFile(path)
        schema = file.schema_arrow
        if missing := [name for name in wanted if schema.get_field_index(name) < 0]:
            raise DataError(
                f"{path}: no column {min(missing)!r:.100}, or several; not pseudo-labels of "
                f"{', '.join(labels):.200}"
            )
        kinds = {"text": (pa.string(), pa.large_string()), "passage": (pa.bool_(),)}
        for name in wanted:
            if (kind := schema.field(name).type) not in kinds.get(name, _FLOATING):
                raise DataError(f"{path}: not pseudo-labels: the column {name!r:.100} is of {kind}")
        table = file.read(wanted)
        texts = table.column("text").to_pylist()  # here it comes out whether they are UTF-8
        notes = json.loads((schema.metadata or {}).get(_NOTES, b"{}"))
    except (OSError, pa.ArrowException, ValueError) as error:
        raise DataError(f"{path}: not pseudo-labels: {' '.join(str(error).split()):.200}") from None
    columns = [table.column(name).to_numpy() for name in wanted[1:]]
    targets = np.stack(columns[1:], axis=1).astype(np.float32)
    if None in texts or not np.allclose(targets.sum(axis=1), 1, atol=1e-3) or (targets < 0).any():
        raise DataError(f"{path}: a row has no text, or probabilities that do not sum to 1")
    return PseudoLabels(
        texts, columns[0].astype(bool), targets, labels, notes=notes if isinstance(notes, dict) else {}
    )


def _column(name: str, label: str) -> str:
    return f"{name}:{label}"
