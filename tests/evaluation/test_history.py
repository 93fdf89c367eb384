"""The epochs of a model folder."""

import pytest

from sentcli.errors import BundleError
from sentcli.evaluation.history import own_epochs, read_history
from sentcli.model.bundle import HISTORY, load_bundle, write_manifest
from sentcli.training.finetune import load_base


def test_a_model_has_the_epochs_of_its_training(trained):
    records = read_history(trained)
    assert own_epochs(records) == records
    assert [record["epoch"] for record in records] == [*range(1, len(records) + 1)]


def test_the_epochs_of_its_base_are_not_those_of_a_model():
    before, own = {"stage": "base: model"}, {"stage": "model"}
    assert own_epochs([before, own]) == [own]


def test_a_file_that_is_no_table_is_refused(trained, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    for name in trained.digests:
        (folder / name).write_bytes(trained.read(name))
    (folder / HISTORY).write_bytes(b"")
    write_manifest(folder)
    with pytest.raises(BundleError, match=r"model.history\.csv: cannot be read"):
        read_history(load_bundle(folder))
    with pytest.raises(BundleError, match=r"model.history\.csv: cannot be read"):
        load_base(folder)
