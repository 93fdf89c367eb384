"""What a run that was killed has left beside its output: how it is brought to its end, or goes."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from sentcli.errors import OutputError
from sentcli.tables.fileoutput import FileOutput
from sentcli.tables.formats import get_format
from sentcli.tables.journal import Journal
from sentcli.tables.lock import Lock
from sentcli.tables.output import default_rejects
from sentcli.tables.storage import LOCK, temporary_path


def tidy(target: Path) -> None:
    """Remove what a run leaves beside an output when it is killed right after it was counted as done."""
    locks = [Lock(target), Lock(Path(default_rejects(str(target))))]
    Journal(target).remove()
    for lock in locks:
        lock.release()


def settle(target: Path) -> None:
    """Bring to its end a run that was killed when its output was complete: names, and what is left beside it.

    What another run is at work on stays as it is, and so does what cannot be mended: whoever writes the
    output will be told.
    """
    locks = [temporary_path(path, LOCK) for path in (target, Path(default_rejects(str(target))))]
    with suppress(OutputError):
        if Journal(target).exists:
            state = Journal(target).load()
            if state["complete"]:
                _publish(target, state)
        elif target.exists() and any(lock.exists() for lock in locks):
            give_up(target)


def _publish(target: Path, state: Mapping[str, Any]) -> None:
    conditions = state["fingerprint"]
    appends = get_format(conditions["formats"][1]).appends
    output = FileOutput(
        target, conditions["rejects"], conditions, appends=appends, resume=True, overwrite=True
    )
    try:
        output.publish(state, note=lambda: None)
    except BaseException:
        output.abort()
        raise


def give_up(target: Path) -> None:
    """Remove what is there of an output that was begun."""
    tidy(target)
    FileOutput(target, None, {}, appends=False, resume=False, overwrite=True).abort()
