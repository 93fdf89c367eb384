"""The note in the folder of a run of several steps that says which run it is: another one may not go on."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sentcli.errors import DataError, OutputError
from sentcli.training.checkpoint import check_same_run

_NAME = "run.json"


def read_note(folder: Path) -> dict[str, Any] | None:
    """Give what the run that was interrupted wrote of itself; None where there is no such run.

    :raises DataError: when it cannot be read.
    """
    path = folder / _NAME
    try:
        note = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read: {error}; delete {folder} to start again") from None
    if not isinstance(note, dict):
        raise DataError(f"{path}: not the note of a run; delete {folder} to start again")
    return note


@contextmanager
def noted(folder: Path, run: Mapping[str, Any]) -> Iterator[None]:
    """Make the folder of a run and note which one it is; a run that fails before it did anything leaves none.

    :param run: what its results depend on, as JSON has it.
    :raises DataError: when there is a note of another run.
    :raises OutputError: when the folder cannot be written.
    """
    path = folder / _NAME
    wanted = json.loads(json.dumps(run))
    found = read_note(folder)
    if found is not None:
        check_same_run(path, found, wanted)
    else:
        part = path.with_suffix(".part")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps(wanted, indent=2) + "\n", "utf-8")
            part.replace(path)
        except OSError as error:
            raise OutputError(f"{path}: cannot be written: {error.strerror}") from error
    try:
        yield
    except BaseException:
        if [*folder.glob("*")] == [path]:
            path.unlink()
            folder.rmdir()
        raise
