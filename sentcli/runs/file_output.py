"""A file as output, with the journal that lets an interrupted run go on.

Beside a file OUT a run keeps until it is done: `.OUT.sentcli-part`, which will be OUT, `-journal`, `-lock`;
part and lock of the rejects file; and for a format whose files cannot grow (Parquet) `-ledger`, the labels
and scores so far: a resumed run writes such a part anew, from input and ledger.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from sentcli.files.lock import Lock
from sentcli.files.storage import LEDGER, Part, output_errors, refuse_mounted, resolve
from sentcli.runs.ledger import Journal, changes, refuse_changes
from sentcli.runs.output import Output, default_rejects, refuse_existing
from sentcli.tables.chunk import Labels, Scores

_log = logging.getLogger("sentcli")


class FileOutput(Output):
    """A file and its rejects file.

    :param target: the final name.
    :param rejects: that of the rejects file; None: `OUT.rejects.jsonl`.
    :param fingerprint: what a resumed run has to agree with, JSON.
    :param appends: see `formats.Format`.
    :param resume: go on with an interrupted run, if there is one.
    :param overwrite: the files may exist.
    :raises ResumeError: when the run cannot be resumed.
    :raises OutputError: when a file exists, or another run writes it.
    """

    def __init__(
        self,
        target: Path,
        rejects: str | None,
        fingerprint: Mapping[str, Any],
        *,
        appends: bool,
        resume: bool,
        overwrite: bool,
    ) -> None:
        self.rejects_path = rejects or default_rejects(str(target))
        self.name = str(target)
        self._fingerprint = fingerprint
        self._overwrite = overwrite
        self._journal = Journal(target)
        rejects_file = resolve(self.rejects_path)
        self._parts = {"part": Part(target), "rejects": Part(rejects_file)}
        if not appends:
            self._parts["ledger"] = Part(target, LEDGER)
        self._locks: list[Lock] = []
        try:
            self._locks.append(Lock(target))
            self._locks.append(Lock(rejects_file))
            self._open(resume=resume)
        except BaseException:
            self.abort()
            raise

    def _open(self, *, resume: bool) -> None:
        if resume and self._journal.exists:
            self.state = self._load()
        for name in ("part", "rejects"):
            refuse_mounted(self._parts[name].target)
        self._refuse_existing()
        if self.state:
            self._reopen(self.state["marks"])
            return
        if resume:
            _log.warning("%s: no journal of an interrupted run; starting over", self.name)
        elif self._journal.exists:
            _log.warning("%s: an interrupted run is given up; --resume would have gone on", self.name)
        self._journal.remove()
        # A ledger, too, of a run that wrote another format.
        for part in (*self._parts.values(), Part(self._parts["part"].target, LEDGER)):
            part.discard()
        for name, part in self._parts.items():
            if name != "rejects":
                part.create()

    def _refuse_existing(self) -> None:
        """Refuse to replace what is there, but for what the interrupted run has put there itself."""
        marks = self.state["marks"] if self.state and self.state["complete"] else ()
        for name in ("part", "rejects"):
            is_own = name in marks and not self._parts[name].path.exists()
            if not (self._overwrite or is_own):
                refuse_existing(str(self._parts[name].target))

    def _load(self) -> Mapping[str, Any]:
        state = self._journal.load()
        refuse_changes(self.name, changes(state["fingerprint"], self._fingerprint))
        return state

    def _reopen(self, marks: Mapping[str, Any]) -> None:
        for name, part in self._parts.items():
            if name in marks and not part.is_published(marks[name]):
                part.reopen(marks[name])
            elif name == "part" and name not in marks:
                part.create()
            elif name not in marks:  # begun after the last commit
                part.discard()
        if "ledger" in marks:
            self.results = _read_ledger(self._parts["ledger"].path)

    @property
    def size(self) -> int:
        return self._parts["part"].size

    @property
    def resumable(self) -> bool:
        return self._journal.exists

    def write(self, data: bytes) -> None:
        self._parts["part"].write(data)

    def write_rejects(self, data: bytes) -> None:
        if not self._parts["rejects"].is_open:
            self._parts["rejects"].create()
        self._parts["rejects"].write(data)

    def write_results(self, labels: Labels, scores: Scores) -> None:
        if "ledger" in self._parts:
            rows = zip(labels, scores, strict=True)
            self._parts["ledger"].write(b"".join(orjson.dumps(row) + b"\n" for row in rows))

    def commit(self, state: Mapping[str, Any]) -> None:
        # Of a format whose files cannot grow, the part is of no use to a resumed run.
        self._commit(state, {"rejects", "ledger" if "ledger" in self._parts else "part"}, complete=False)

    def _commit(self, state: Mapping[str, Any], names: set[str], *, complete: bool) -> Mapping[str, Any]:
        marks = {}
        for name in sorted(names):
            if self._parts[name].is_open:
                self._parts[name].sync()
                marks[name] = self._parts[name].mark()
        self._journal.save({**state, "marks": marks, "fingerprint": self._fingerprint, "complete": complete})
        return marks

    def publish(self, state: Mapping[str, Any], note: Callable[[], None]) -> None:
        if self.state and self.state["complete"]:
            marks = self.state["marks"]
        else:
            self._refuse_existing()  # what came meanwhile is not to be lost
            marks = self._commit(state, {"rejects", "part"}, complete=True)
        for name in ("rejects", "part"):
            if self._parts[name].is_open:
                self._parts[name].publish()
        if "rejects" not in marks:
            with output_errors(self.rejects_path):  # of an earlier run: it would be taken for this one's
                self._parts["rejects"].target.unlink(missing_ok=True)
        if "ledger" in self._parts:
            self._parts["ledger"].discard()
        note()
        self._journal.remove()
        self._close()

    def abort(self) -> None:
        for part in self._parts.values():
            if part.is_open and not self._journal.exists:
                part.discard()
        self._close()

    def _close(self) -> None:
        for part in self._parts.values():
            part.close()
        while self._locks:
            self._locks.pop().release()


def _read_ledger(path: Path) -> Iterator[tuple[str | None, float | None]]:
    with output_errors(path), path.open("rb") as file:
        yield from map(orjson.loads, file)
