"""What earlier runs left at an output: a ledger to continue from, or the record of a finished output."""

import json
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sentcli.config import NOTE
from sentcli.errors import ChangedInputError, ExistingOutputError, ResumeError, counted, option
from sentcli.files import remote
from sentcli.files.sink import Target, write_file
from sentcli.files.source import InputFile
from sentcli.runs.ledger import Ledger, NoLedger, parse_record
from sentcli.runs.summary import Summary
from sentcli.tables.options import ResultColumn

if TYPE_CHECKING:
    from sentcli.runs.job import JobOptions

_log = logging.getLogger("sentcli")

# The conditions of an output that messages do not spell as an option.
_NO_OPTIONS = ("inputs", "model", "runtime", "version of sentcli", "the input", "the output")

# The record of a finished output, with the types of its values.
DONE = {"facts": dict, "summary": {name: type(value) for name, value in Summary().to_record().items()}}


@dataclass
class History:
    """The history of an output that no later run can continue: of a stream, or of a single URL."""

    target: Target
    rejects: Target | None  # None: standard error
    files: Sequence[InputFile]
    conditions: Mapping[str, Any]  # what the output depends on, except the bytes of the inputs, as JSON
    results: Sequence[ResultColumn]
    options: "JobOptions"

    def __post_init__(self) -> None:
        self.overwrite = self.options.overwrite
        self.ledger: Ledger | NoLedger = NoLedger()

    def settle(self) -> Summary | None:
        """Check what earlier runs left; return the summary if the output is finished, None if rows remain.

        :raises ExistingOutputError: if the output exists and no stopped run can continue it.
        :raises ResumeError: if a condition changed.
        """
        if not self.overwrite:
            self._refuse_existing()
        return None

    def complete(self, size: int, summary: Summary) -> None:
        """Make room for files that hold all rows, before they get their names, and record that they do.

        :raises ExistingOutputError: if another program has created one of the files meanwhile.
        """
        if not self.overwrite:
            self._refuse_existing()
        elif self.rejects and not summary.rejected:
            self.rejects.remove()

    @property
    def _targets(self) -> list[Target]:
        return [self.target, self.rejects] if self.rejects else [self.target]

    def _refuse_existing(self) -> None:
        for target in self._targets:
            target.refuse_existing()

    def _finished(self, size: int) -> Summary:
        """Return the summary of an output that an earlier run finished under the same conditions."""
        target, path = self.target, _record_of(self.target)
        record = None
        with suppress(OSError):
            record = parse_record(remote.read(path) if target.is_url else Path(path).read_bytes(), DONE)
        hint = f"give another folder, or replace it with {option('overwrite', True)}"
        if record is None:
            raise ExistingOutputError(f"{target.name} exists but was not written by this command; {hint}")
        if changed := _changes(record["facts"], self._facts(size)):
            if changed == "the input":
                hint = f"make it again with {option('update', True)}"
                raise ChangedInputError(f"{target.name} is finished, and the input changed since; {hint}")
            raise ResumeError(f"{target.name} is finished, and {changed} changed since; {hint}")
        summary = Summary(**record["summary"])
        if count := summary.rejected:
            said = counted(count, "row"), self._targets[-1].name
            _log.log(NOTE, "%s is finished: %s rejected; see %s", target.name, *said)
        if count := summary.formulas_without_value:
            _log.log(NOTE, "%s is finished: %s without a value", target.name, counted(count, "formula"))
        return summary

    def _facts(self, size: int) -> dict[str, Any]:
        """Return everything that shows a change of the output or of what it depends on, as JSON."""
        inputs = [file.fingerprint() for file in self.files]
        return {**self.conditions, "the input": inputs, "the output": size}

    def _record(self, size: int, summary: Summary) -> None:
        """Record that the output is finished, in a hidden file next to it.

        The record is the same wherever and however often the output was begun.
        """
        path, facts = _record_of(self.target), self._facts(size)
        data = json.dumps({"facts": facts, "summary": replace(summary, skipped=1).to_record()}).encode()
        write_file(Target(path), data)


class UrlHistory(History):
    """The history of an output in a folder at a URL, where there are no locks and no ledgers."""

    @cached_property
    def _sizes(self) -> Mapping[str, int]:
        """The sizes of the objects in the folder, at least of those with the names of this output."""
        if self.options.listing is not None:
            return self.options.listing
        names = [target.name for target in self._targets]
        return {name: remote.inspect(name)[0] or 0 for name in names if remote.exists(name)}

    def settle(self) -> Summary | None:
        name = self.target.name
        return self._finished(self._sizes[name]) if name in self._sizes and not self.overwrite else None

    def complete(self, size: int, summary: Summary) -> None:
        for target in self._targets:
            if target.name in self._sizes:  # an old output goes before the record of the new one is written
                target.remove()
        self._record(size, summary)


class FileHistory(History):
    """The history of a file, with a ledger from which the same command continues."""

    def settle(self) -> Summary | None:
        path = self.target.path
        self.ledger = Ledger(path, overwrite=self.overwrite)
        if self.ledger.conditions is not None:
            self._continue(self.ledger, self.ledger.conditions)
        elif self.options.in_folder and path.exists() and not self.overwrite:
            return self._finished(path.stat().st_size)
        return super().settle()

    def _continue(self, ledger: Ledger, before: Mapping[str, Any]) -> None:
        name = self.target.name
        if changed := _changes(before["run"], self.conditions):
            raise ResumeError(
                f"{name}: {changed} changed since the interrupted run. What was scored is kept: undo "
                f"the change, or start over with {option('overwrite', True)}"
            )
        _log.info("%s: continuing after %s", name, counted(ledger.rows, "row"))
        paths = [target.path for target in self._targets]
        self.overwrite = before["overwrite"] or (
            ledger.sizes is not None and all(map(_is_own, paths, ledger.sizes))
        )

    def complete(self, size: int, summary: Summary) -> None:
        super().complete(size, summary)
        if self.options.in_folder:
            self._record(size, summary)


def history_kind(target: Target, options: "JobOptions") -> type[History]:
    """Return the class of an output's history."""
    if target.is_file:
        return FileHistory
    return UrlHistory if target.is_url and options.in_folder and not options.rejects.path else History


def _record_of(target: Target) -> str:
    """Return the name of the record of a finished output."""
    folder, slash, name = target.address.rpartition("/")
    return f"{folder}{slash}.{name}.sentcli-done"


def _is_own(path: Path, size: int | None) -> bool:
    """Return whether a file, if it exists, is that of the stopped run."""
    return not path.exists() or path.stat().st_size == size


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Name the conditions that differ, for a message."""
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    return ", ".join(name if name in _NO_OPTIONS else option(name) for name in names)
