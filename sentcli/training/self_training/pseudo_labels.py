"""Texts that a teacher labelled, and the Parquet file that keeps them until the run ends."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from sentcli.errors import DataError, OutputError
from sentcli.files.atomic import new_file

Probabilities = npt.NDArray[np.float32]  # [texts, classes]
Reached = dict[str, dict[str, float]]  # loss and accuracy on the validation part, by the name of the teacher

_REACHED = b"sentcli"  # key in the metadata of the file


@dataclass(frozen=True)
class PseudoLabels:
    """Texts and the probability of each class.

    :param texts: whole texts, then passages.
    :param passages: number of passages.
    :param reached: `validation_loss` and `validation_accuracy` of each teacher, and of the ensemble.
    """

    texts: list[str]
    targets: Probabilities
    passages: int
    reached: Mapping[str, dict[str, float]]


def write_pseudo_labels(path: Path, labels: PseudoLabels) -> None:
    """Write the texts and a column of probabilities for each class.

    :raises OutputError: when the file cannot be written; no part of it remains.
    """
    columns = {str(number): pa.array(values) for number, values in enumerate(labels.targets.T)}
    notes = json.dumps({"passages": labels.passages, "reached": labels.reached}).encode()
    table = pa.table({"text": pa.array(labels.texts), **columns}).replace_schema_metadata({_REACHED: notes})
    try:
        with new_file(path) as file:
            pq.write_table(table, file, compression="zstd")
    except OSError as error:
        raise OutputError(f"{path}: the labels cannot be written: {error.strerror or error}") from None


def read_pseudo_labels(path: Path) -> PseudoLabels:
    """Read what `write_pseudo_labels` wrote.

    :raises DataError: when the file is damaged.
    """
    try:
        table = pq.read_table(path)
        notes = json.loads(table.schema.metadata[_REACHED])
        targets = np.stack([column.to_numpy() for column in table.columns[1:]], axis=1)
        return PseudoLabels(table["text"].to_pylist(), targets, notes["passages"], notes["reached"])
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path}: not pseudo-labels: {reason:.200}; start over with --overwrite") from None
