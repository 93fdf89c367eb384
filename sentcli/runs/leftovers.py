"""What a run that was killed has left beside its output: how it is brought to its end, or goes."""

from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from sentcli.errors import OutputError
from sentcli.files.lock import Lock
from sentcli.files.storage import LEDGER, LOCK, Part, resolve, temporary_path
from sentcli.runs.file_output import FileOutput
from sentcli.runs.ledger import Journal
from sentcli.runs.output import default_rejects
from sentcli.tables.registry import get_format


def settle(target: Path, rejects: str | None = None) -> None:
    """Bring to its end a run that was killed when its output was complete: names, and what is left beside it.

    What another run is at work on stays as it is, and so does what cannot be mended: whoever writes the
    output will be told. Nothing is replaced that the run has not put there itself.

    :param rejects: the rejects file, where it has a name of its own.
    """
    with suppress(OutputError):
        locks = [temporary_path(path, LOCK) for path in (target, _rejects_file(target, rejects))]
        if Journal(target).exists:
            state = Journal(target).load()
            if state["complete"]:
                _publish(target, state)
        elif target.exists() and any(lock.exists() for lock in locks):
            give_up(target, rejects)


def _publish(target: Path, state: Mapping[str, Any]) -> None:
    conditions = state["fingerprint"]
    appends = get_format(conditions["formats"][1]).appends
    output = FileOutput(
        target, conditions["rejects"], conditions, appends=appends, resume=True, overwrite=False
    )
    try:
        output.publish(state, note=lambda: None)
    except BaseException:
        output.abort()
        raise


def give_up(target: Path, rejects: str | None = None) -> None:
    """Remove what a run has left beside an output; what stands under a name of its own stays.

    :param rejects: as for `settle`.
    :raises OutputError: when another run is at work on it, or a file cannot be removed.
    """
    rejects_file = _rejects_file(target, rejects)
    with ExitStack() as locks:
        for path in (target, rejects_file):
            locks.callback(Lock(path).release)
        Journal(target).remove()
        for part in (Part(target), Part(target, LEDGER), Part(rejects_file)):
            part.discard()


def _rejects_file(target: Path, rejects: str | None) -> Path:
    return resolve(rejects or default_rejects(str(target)))
