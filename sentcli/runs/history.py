"""What earlier runs left at an output: a ledger to continue from, or the record of a finished output."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sentcli.config import LOG, NOTE
from sentcli.errors import ChangedInputError, DataError, ExistingOutputError, ResumeError, counted, option
from sentcli.files import remote
from sentcli.files.sink import Target, write_file
from sentcli.files.source import InputFile, inspect_input
from sentcli.runs.ledger import Ledger, NoLedger, parse_record
from sentcli.runs.summary import Summary

if TYPE_CHECKING:
    from sentcli.runs.job import JobOptions


# The conditions of an output that messages do not spell as an option.
_NO_OPTIONS = ("inputs", "model", "runtime", "version of sentcli", "the input", "the output")

_DONE_SUFFIX = ".sentcli-done"
# The record of a finished output, with the types of its values.
DONE = {"facts": dict, "summary": {name: type(value) for name, value in Summary().to_record().items()}}


@dataclass
class History:
    """The files of an output, and what earlier runs left of them.

    A file has a ledger, from which the same command continues. At a URL, where there are no locks and no
    ledgers, a run replaces what a killed run left.

    :param targets: the output, and the file for its rejects, if they do not go to standard error.
    :param conditions: what the output depends on, except the bytes of the inputs, as JSON.
    :param options: with the formats of the inputs and of the output, where their names show them.
    :ivar has_record: whether a hidden file next to the output records that it is finished.
    """

    targets: Sequence[Target]
    files: Sequence[InputFile]
    conditions: Mapping[str, Any]
    options: "JobOptions"

    def __post_init__(self) -> None:
        options, target = self.options, self.targets[0]
        self.overwrite = options.overwrite
        is_alone = target.is_url and not options.rejects.path
        self.has_record = options.in_folder and (target.is_file or is_alone)
        self.ledger = Ledger(target.path, overwrite=self.overwrite) if target.is_file else NoLedger()

    def settle(self) -> Summary | None:
        """Check what earlier runs left; return the summary if the output is finished, None if rows remain.

        :raises ExistingOutputError: if the output exists and no stopped run can continue it.
        :raises ResumeError: if a condition changed.
        """
        if self.ledger.conditions is not None:
            self._continue(self.ledger.conditions)
        elif self.has_record and not self.overwrite:
            if (size := self._size(self.targets[0])) is not None:
                return self._finished(size)
            self.overwrite = self.targets[0].is_url
        if not self.overwrite:
            self._refuse_existing()
        return None

    def complete(self, size: int, summary: Summary) -> None:
        """Remove the old files that the new ones will replace, and record that the output is finished.

        :raises ExistingOutputError: if another program has created one of the files meanwhile.
        """
        if not self.overwrite:
            self._refuse_existing()
            stale = []
        elif self.has_record and self.targets[0].is_url:  # before the record of the new output is written
            stale = [*self.targets]
        else:
            stale = [] if summary.rejected else [*self.targets[1:]]
        for target in stale:
            if self._size(target) is not None:
                target.remove()
        if self.has_record:
            facts = {"facts": self._facts(size), "summary": replace(summary, skipped=1).to_record()}
            if Path(self._record).is_symlink():  # only links to outputs are followed
                Path(self._record).unlink()
            write_file(Target(self._record), json.dumps(facts).encode())

    def _refuse_existing(self) -> None:
        # A stopped run that renamed its output may have left the page and the summary.
        files = (self.options.report, self.options.summary)
        pages = [file.target for file in files if file and file.target]
        for target in (*self.targets, *pages):
            target.refuse_existing()

    def _size(self, target: Target) -> int | None:
        """Return the size of a file, local or at a URL; None if there is none."""
        if target.is_file:
            return target.path.stat().st_size if target.path.exists() else None
        if self.has_record and self.options.listing is not None:
            return self.options.listing.get(target.name)
        return remote.inspect(target.name)[0] or 0 if target.is_url and remote.exists(target.name) else None

    def _continue(self, before: Mapping[str, Any]) -> None:
        name, ledger = self.targets[0].name, self.ledger
        if changed := _changes(before["run"], self.conditions):
            hint = f"What was scored is kept: undo the change, or start over with {option('overwrite', True)}"
            raise ResumeError(f"{name}: {changed} changed since the interrupted run. {hint}")
        LOG.info("%s: continuing after %s", name, counted(ledger.rows, "row"))
        # Files of the stopped run, which it was about to rename, are replaced.
        sizes = zip(self.targets, ledger.sizes or (), strict=False)
        is_own = ledger.sizes is not None and all(self._size(file) in (None, size) for file, size in sizes)
        self.overwrite = before["overwrite"] or is_own

    def _finished(self, size: int) -> Summary:
        """Return the summary of an output that an earlier run finished under the same conditions."""
        target, record = self.targets[0], None
        with suppress(OSError):
            data = remote.read(self._record) if target.is_url else Path(self._record).read_bytes()
            record = parse_record(data, DONE)
        hint = f"give another folder, or replace it with {option('overwrite', True)}"
        if record is None:
            raise ExistingOutputError(f"{target.name} exists but was not written by this command; {hint}")
        if changed := _changes(record["facts"], self._facts(size)):
            if changed == "the input":
                hint = f"make it again with {option('update', True)}"
                raise ChangedInputError(f"{target.name} is finished, and the input changed since; {hint}")
            raise ResumeError(f"{target.name} is finished, and {changed} changed since; {hint}")
        summary = Summary(**record["summary"])
        if self.options.update:  # what an earlier run rejected was said then, and is counted apart
            before = summary.rejected
            return replace(summary, rejected=0, rejected_before=before, formulas_without_value=0)
        if count := summary.rejected:
            said = counted(count, "row"), self.targets[-1].name
            LOG.log(NOTE, "%s is finished: %s rejected; see %s", target.name, *said)
        if count := summary.formulas_without_value:
            LOG.log(NOTE, "%s is finished: %s without a value", target.name, counted(count, "formula"))
        return summary

    def _facts(self, size: int) -> dict[str, Any]:
        """Return everything that shows a change of the output or of what it depends on, as JSON."""
        inputs = [file.fingerprint() for file in self.files]
        return {**self.conditions, "the input": inputs, "the output": size}

    @property
    def _record(self) -> str:
        """The name of the record, which is the same wherever and however often the output was begun."""
        folder, slash, name = self.targets[0].address.rpartition("/")
        return f"{folder}{slash}.{name}{_DONE_SUFFIX}"


def name_outputs_without_input(folder: Target, made: Sequence[Target]) -> None:
    """Log the finished outputs of a local folder whose inputs are not found, other than those of this run."""
    gone, names = [], {Path(target.name) for target in made}
    records = [] if folder.is_url else sorted(Path(folder.name).rglob(f".*{_DONE_SUFFIX}"))
    for path in records:
        output = path.with_name(path.name[1:].removesuffix(_DONE_SUFFIX))
        record = parse_record(path.read_bytes(), DONE) if output.exists() and output not in names else None
        try:
            for name in record["facts"].get("inputs", ()) if record else ():
                inspect_input(name)
        except DataError:
            gone.append(str(output))
    if gone:
        said = counted(len(gone), "output"), ", ".join(gone)
        LOG.warning("%s left unchanged, because the input is not found: %.400s", *said)


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Name the conditions that differ, for a message."""
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    return ", ".join(name if name in _NO_OPTIONS else option(name) for name in names)
