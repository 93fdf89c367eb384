"""The journal of a run: what of its work is durable, so that an interrupted run can go on from there."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sentcli.errors import ResumeError
from sentcli.files.durable import sync
from sentcli.files.storage import JOURNAL, create, output_errors, temporary_path, write_all

_VERSION = 2


class Journal:
    """A small JSON file beside the output, replaced as a whole with each commit.

    :param kind: of another run than one that writes `target` alone.
    :raises OutputError: from all methods, with the path and what the system says.
    """

    def __init__(self, target: Path, kind: str = JOURNAL) -> None:
        self._path = temporary_path(target, kind)

    @property
    def exists(self) -> bool:
        return self._path.exists()

    def load(self) -> dict[str, Any]:
        """Read the last state that was saved.

        :raises ResumeError: when the file is damaged.
        """
        with output_errors(self._path):
            content = self._path.read_bytes()
        try:
            journal = json.loads(content)
            state = journal["state"]
            if (journal["version"], journal["sha256"]) == (_VERSION, _digest(state)):
                return state  # type: ignore[no-any-return]
        except (ValueError, TypeError, KeyError, RecursionError):
            pass
        raise ResumeError(f"{self._path} is damaged; start over without --resume")

    def save(self, state: Mapping[str, Any]) -> None:
        """Replace the state, durably.

        :param state: JSON.
        """
        content = json.dumps({"version": _VERSION, "sha256": _digest(state), "state": state})
        temporary = self._path.with_name(f"{self._path.name}.new")
        with output_errors(self._path):
            descriptor = create(temporary)
            try:
                write_all(descriptor, content.encode())
                os.fsync(descriptor)
                temporary.replace(self._path)
            except BaseException:  # a signal's too: a file that nobody goes on with would be left
                temporary.unlink(missing_ok=True)
                raise
            finally:
                os.close(descriptor)
            sync(self._path.parent)

    def remove(self) -> None:
        with output_errors(self._path):
            self._path.with_name(f"{self._path.name}.new").unlink(missing_ok=True)
            self._path.unlink(missing_ok=True)


def _digest(state: object) -> str:
    return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()


def changes(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Name what differs between two fingerprints, each as its path of keys."""
    names = []
    for key in sorted(before.keys() | now.keys()):
        old, new = before.get(key), now.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            names += changes(old, new, f"{prefix}{key}.")
        elif old != new:
            names.append(prefix + key)
    return names


def refuse_changes(
    name: object, changed: Sequence[str], instead: str = "start over without --resume"
) -> None:
    """Refuse to go on with a run if what it depends on changed.

    :param changed: what differs, see `changes`.
    :param instead: what to try.
    :raises ResumeError: naming it.
    """
    if changed:
        raise ResumeError(
            f"{name}: cannot resume: {', '.join(changed)[:200]} changed since the interrupted run; {instead}"
        )
