"""The folder of a run and the note in it: who may go on with it, and what a run that did nothing leaves."""

import json

import pytest

from sentcli.errors import DataError, OutputError
from sentcli.training.workdir import check_plain_run, noted, read_note

RUN = {"seed": 1, "labels": ("a", "b")}


class StoppedError(Exception):
    pass


def stop(folder, *, finished=()):
    """Begin a run that has finished some steps when it is stopped."""

    def begin():
        with noted(folder, RUN):
            for name in finished:
                (folder / name).mkdir()
            raise StoppedError

    with pytest.raises(StoppedError):
        begin()


def test_the_same_run_goes_on_and_another_one_does_not(tmp_path):
    folder = tmp_path / "of" / "run"
    stop(folder, finished=["step"])
    assert read_note(folder) == {"seed": 1, "labels": ["a", "b"]}
    with noted(folder, RUN):
        pass
    with pytest.raises(DataError, match="another one: seed was 1, is 2"), noted(folder, {**RUN, "seed": 2}):
        pass
    assert (folder / "step").exists()


def test_a_plain_run_and_one_of_several_steps_do_not_go_on_as_each_other(tmp_path):
    stop(tmp_path / "steps", finished=["step"])
    with pytest.raises(DataError, match="another one: it had --unlabeled"):
        check_plain_run(tmp_path / "steps")
    assert (tmp_path / "steps" / "step").exists()
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "checkpoint.safetensors").write_bytes(b"")
    check_plain_run(tmp_path / "plain")
    with pytest.raises(DataError, match="another one: it had neither"), noted(tmp_path / "plain", RUN):
        pass
    assert (tmp_path / "plain" / "checkpoint.safetensors").exists()


def test_a_run_that_did_nothing_leaves_nothing(tmp_path):
    stop(tmp_path / "run")
    assert list(tmp_path.iterdir()) == []
    assert read_note(tmp_path / "run") is None


@pytest.mark.parametrize("content", ["", "{", json.dumps([1])])
def test_a_damaged_note_says_what_to_do(tmp_path, content):
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(DataError, match=r"run\.json: .*; delete .* to start again"):
        read_note(tmp_path)


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"), noted(tmp_path / "file" / "run", RUN):
        pass
