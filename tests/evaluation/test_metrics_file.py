"""The fields of metrics.json, and the epochs of history.csv."""

import shutil

import pytest

from sentcli.errors import BundleError
from sentcli.evaluation.model_card import Metrics, read_history, read_metrics
from sentcli.model.bundle import HISTORY, METRICS, load_bundle, write_manifest

MEASURED_LATER = {"evaluations"}


@pytest.mark.usefixtures("torch")
def test_training_writes_every_field_in_order(trained):
    metrics = read_metrics(trained)
    assert [*metrics] == [name for name in Metrics.__annotations__ if name not in MEASURED_LATER]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not JSON: Expecting property name"),
        ("[" * 100_000, "not JSON: "),
        ("[]", "not written by `sentcli train`"),
        ('{"command": "sentcli train"}', "not written by `sentcli train`"),
    ],
)
def test_a_damaged_file_is_refused(trained, tmp_path, content, message):
    shutil.copytree(trained.path, tmp_path / "m")
    (tmp_path / "m" / METRICS).write_text(content)
    write_manifest(tmp_path / "m")
    with pytest.raises(BundleError, match=rf"metrics\.json: {message}"):
        read_metrics(load_bundle(tmp_path / "m"))


def test_the_epochs_of_a_model_are_numbered(trained):
    records = read_history(trained)
    assert [record["epoch"] for record in records] == [*range(1, len(records) + 1)]


def test_a_history_that_is_no_table_is_refused(trained, tmp_path):
    folder = shutil.copytree(trained.path, tmp_path / "model")
    (folder / HISTORY).write_bytes(b"")
    write_manifest(folder)
    with pytest.raises(BundleError, match=r"model.history\.csv: cannot be read"):
        read_history(load_bundle(folder))
