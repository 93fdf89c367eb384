"""The folder of a training run, which keeps what it needs to go on after it was stopped.

A run of several steps has a note in it that says which run it is: another one may not go on.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sentcli.errors import DataError, OutputError
from sentcli.files.atomic import new_file, part_of
from sentcli.files.lock import Lock
from sentcli.files.storage import resolve
from sentcli.training.checkpoint import check_same_run

_NOTE = "run.json"


def work_folder(output: Path) -> Path:
    """Say which folder is that of the run that writes this model."""
    return output.parent / f".{output.name}.training"


@contextmanager
def sole_run(output: Path) -> Iterator[None]:
    """Keep other runs off a model while this one trains it: two would share a folder and its checkpoint.

    :raises OutputError: when another run trains it.
    """
    with suppress(OSError):  # what is wrong with the folder is told before the training
        output.parent.mkdir(parents=True, exist_ok=True)
    can_write = output.parent.is_dir() and os.access(output.parent, os.W_OK)
    lock = Lock(resolve(output)) if can_write else None
    try:
        yield
    finally:
        if lock:
            lock.release()


def read_note(folder: Path) -> dict[str, Any] | None:
    """Give what the run that was interrupted wrote of itself; None where there is no such run.

    :raises DataError: when it cannot be read.
    """
    path = folder / _NOTE
    try:
        note = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read: {error}; delete {folder} to start again") from None
    if not isinstance(note, dict):
        raise DataError(f"{path}: not the note of a run; delete {folder} to start again")
    return note


def check_plain_run(folder: Path) -> None:
    """Refuse to go on with a run of several steps as if it were one training: its steps would be lost.

    :raises DataError: when there is a note.
    """
    if read_note(folder) is not None:
        raise DataError(
            f"{folder}: the interrupted run was another one: it had --unlabeled or --pseudo-labels; give the "
            "options that it had, or delete the folder to start again"
        )


@contextmanager
def noted(folder: Path, run: Mapping[str, Any]) -> Iterator[None]:
    """Make the folder of a run and note which one it is; a run that fails before it did anything leaves none.

    :param run: what its results depend on, as JSON has it.
    :raises DataError: when there is a note of another run, or something without a note.
    :raises OutputError: when the folder cannot be written.
    """
    path = folder / _NOTE
    wanted = json.loads(json.dumps(run))
    found = read_note(folder)
    if found is not None:
        check_same_run(path, found, wanted)
    elif any(file != part_of(path) for file in folder.glob("*")):
        raise DataError(
            f"{folder}: the interrupted run was another one: it had neither --unlabeled nor --pseudo-labels"
        )
    else:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with new_file(path) as file:
                file.write((json.dumps(wanted, indent=2) + "\n").encode())
        except OSError as error:
            raise OutputError(f"{path}: cannot be written: {error.strerror}") from error
    try:
        yield
    except BaseException:
        if [*folder.glob("*")] == [path]:
            path.unlink()
            folder.rmdir()
        raise
