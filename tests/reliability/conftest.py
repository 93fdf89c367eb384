"""Runs that score with the trained model, in a folder of their own."""

import os

import pytest
from processes import Run


@pytest.fixture(scope="session", autouse=True)
def environment():
    """One thread a process is enough here, and the forks of the server have it too."""
    os.environ["OMP_NUM_THREADS"] = "1"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


@pytest.fixture
def score(trained, folder):
    """Start `sentcli score` in the folder, forked off."""

    def score(*arguments, bundle=trained.path, **conditions):
        return Run(folder, *arguments, "--model", bundle, **conditions)

    return score
