"""Labels of a round: they come back from their file, and a damaged file is refused."""

import numpy as np
import pytest

from sentcli.errors import DataError, OutputError
from sentcli.training.self_training.pseudo_labels import (
    PseudoLabels,
    read_pseudo_labels,
    write_pseudo_labels,
)

TARGETS = np.array([[0.5, 0.25, 0.25], [0.0, 0.0, 1.0], [0.1, 0.2, 0.7]], np.float32)
REACHED = {"one": {"validation_loss": 0.1 + 0.2, "validation_accuracy": 0.9}}
LABELS = PseudoLabels(["a text", "", "a passage\nof it"], TARGETS, 1, REACHED)


def test_they_come_back(tmp_path):
    write_pseudo_labels(tmp_path / "p.parquet", LABELS)
    read = read_pseudo_labels(tmp_path / "p.parquet")
    assert (read.texts, read.passages, read.reached) == (LABELS.texts, 1, REACHED)
    assert read.targets.dtype == np.float32
    assert np.array_equal(read.targets, TARGETS)
    assert [path.name for path in tmp_path.iterdir()] == ["p.parquet"]


@pytest.mark.parametrize("content", [b"", b"PAR1 and no more"])
def test_a_damaged_file_is_refused(tmp_path, content):
    (tmp_path / "p.parquet").write_bytes(content)
    with pytest.raises(DataError, match=r"p\.parquet: not pseudo-labels.*--overwrite"):
        read_pseudo_labels(tmp_path / "p.parquet")


def test_where_it_cannot_be_written_nothing_is_left(tmp_path):
    (tmp_path / "p.parquet").mkdir()
    with pytest.raises(OutputError, match=r"p\.parquet: the labels cannot be written"):
        write_pseudo_labels(tmp_path / "p.parquet", LABELS)
    assert [path.name for path in tmp_path.iterdir()] == ["p.parquet"]
