"""A run that writes several outputs, one after the other: which of them are done, for a run that goes on."""

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sentcli.errors import DataError, OutputError, ResumeError
from sentcli.files.lock import Lock
from sentcli.files.source import InputFile, inspect_input
from sentcli.files.storage import is_special, output_errors, own_files, resolve
from sentcli.runs.ledger import Journal, changes, refuse_changes
from sentcli.runs.leftovers import give_up
from sentcli.runs.opening import refuse_inputs
from sentcli.runs.output import default_rejects, is_there, refuse_existing

_NAME = "all outputs"
_JOURNAL, _LOCK = "folder-journal", "folder-lock"  # kinds that no output has, were one called as above
_INSTEAD = "start over with --overwrite and without --resume, or make what is missing with --skip-existing"

_log = logging.getLogger("sentcli")


class FinishedOutputs:
    """A count of the outputs that are done, in a journal in their folder that goes when all are.

    :param folder: of the outputs.
    :param pairs: the inputs and the name of each output, in the order of the run.
    :param conditions: what the outputs depend on besides the inputs, JSON.
    :param resume: go on with an interrupted run, if there is one.
    :param overwrite: the outputs may exist.
    :param skip_existing: leave out those that have come until this run had the folder to itself.
    :raises ResumeError: when the run cannot be resumed.
    :raises OutputError: when an output exists, or another run is at work here.
    """

    def __init__(
        self,
        folder: Path,
        pairs: Sequence[tuple[list[str], str]],
        conditions: Mapping[str, Any],
        *,
        resume: bool,
        overwrite: bool,
        skip_existing: bool = False,
    ) -> None:
        self._folder = folder
        self._journal = Journal(folder / _NAME, _JOURNAL)
        self._lock = Lock(folder / _NAME, _LOCK, name=folder)
        try:
            if skip_existing:
                pairs = [pair for pair in pairs if is_special(pair[1]) or not is_there(pair[1])]
            self._know(pairs)
            self._conditions = json.loads(json.dumps(conditions))
            self._begin(resume=resume, overwrite=overwrite, skip_existing=skip_existing)
        except BaseException:
            self._lock.release()
            raise

    def _know(self, pairs: Sequence[tuple[list[str], str]]) -> None:
        """Look at the inputs, and take them and the outputs in their order."""
        of_outputs = [known_inputs(inputs) for inputs, _ in pairs]
        targets = [target for _, target in pairs]
        # Nor may an output be the input of another one.
        files = [file for of_output in of_outputs for file in of_output]
        refuse_inputs(files, [*targets, *map(default_rejects, targets)])
        self._pairs = [*pairs]
        self._inputs = [[file.to_json() for file in of_output] for of_output in of_outputs]
        self._names = [str(Path(target).relative_to(self._folder)) for target in targets]
        self._postponed: list[str] = []
        self._sha256, self._digested = hashlib.sha256(), 0
        self._sizes = hashlib.sha256()  # of the outputs that are done, one after the other

    def _begin(self, *, resume: bool, overwrite: bool, skip_existing: bool) -> None:
        is_resumed = resume and self._journal.exists
        new: dict[str, Any] = {"count": 0, "notes": {}, "begun": []}
        state = self._load() if is_resumed else new
        self.count, self.notes = state["count"], state["notes"]
        self._check_outputs()
        if not (overwrite or is_resumed):
            self._refuse_existing("" if skip_existing else self._ways_out())
        if is_resumed and self._sizes.hexdigest() != state.get("sizes"):
            refuse_changes(self._folder, ["finished outputs"], _INSTEAD)
        if self._journal.exists and not (is_resumed or skip_existing):
            _log.warning("%s: an interrupted run is given up; --resume would have gone on", self._folder)
        if self.count:
            give_up(resolve(self._pairs[self.count - 1][1]))
        begun = {*state["begun"]}
        for name in begun - {*self._names}:
            if (self._folder / name).parent.is_dir():
                give_up(resolve(self._folder / name))
        self._begun = begun & {*self._names}
        self._interrupted = frozenset(self._begun)
        self._save()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and not self.next:
            self._journal.remove()
        self._lock.release()

    def goes_on(self, target: str) -> bool:
        """Tell whether the interrupted run had begun an output and not finished it."""
        return str(Path(target).relative_to(self._folder)) in self._interrupted

    @property
    def next(self) -> tuple[list[str], str] | None:
        """The inputs and the name of the output that comes next, None when all are done."""
        return self._pairs[self.count] if self.count < len(self._pairs) else None

    def postpone(self) -> None:
        """Put the output that comes next behind all others; a run that goes on does so too."""
        name = self._names[self.count]
        self._put_last([*(other for other in self._postponed if other != name), name])
        self._save()

    def _put_last(self, names: list[str]) -> None:
        """Put these behind all others, in this order. Of those that are done the places do not change."""
        places = {name: place for place, name in enumerate(names)}
        order = sorted(range(len(self._names)), key=lambda number: places.get(self._names[number], -1))
        self._postponed = names
        self._pairs = [self._pairs[number] for number in order]
        self._names = [self._names[number] for number in order]
        self._inputs = [self._inputs[number] for number in order]

    def add(self, notes: Mapping[str, Any], inputs: list[dict[str, Any]]) -> None:
        """Count one more output as done.

        :param notes: the caller's own, JSON: given back to a run that goes on.
        :param inputs: fingerprints of those of this output, as they were when they were read.
        """
        self._inputs[self.count] = inputs
        self._begun.discard(self._names[self.count])
        self._add_size(self._folder / self._names[self.count])
        self.count, self.notes = self.count + 1, dict(notes)
        self._save()

    def _check_outputs(self) -> None:
        """Check that finished outputs are there, and that others can be.

        An input that is not there is told of when its turn comes, whatever lies where its output would be.
        """
        for number, (_, target) in enumerate(self._pairs):
            if number < self.count:
                if not Path(target).exists():
                    raise ResumeError(f"{target} was finished and is gone; {_INSTEAD}")
                self._add_size(Path(target))
            elif self._inputs[number]:
                _check_place(target)
                _check_place(default_rejects(target))

    def _refuse_existing(self, ways_out: str) -> None:
        for (_, target), known in zip(self._pairs, self._inputs, strict=True):
            if known:
                refuse_existing(target, ways_out)
                refuse_existing(default_rejects(target), ways_out)

    def _ways_out(self) -> str:
        if self._journal.exists:
            return "; --resume goes on with the interrupted run, --skip-existing makes what is missing"
        return "; --skip-existing leaves it alone"

    @property
    def outputs(self) -> int:
        """How many outputs this run has, those that are done included."""
        return len(self._pairs)

    @property
    def inputs(self) -> list[dict[str, Any]]:
        """Fingerprints of the inputs of the outputs that are done."""
        return [file for of_output in self._inputs[: self.count] for file in of_output]

    def _save(self) -> None:
        state = {"conditions": self._conditions, "count": self.count, "notes": self.notes}
        self._begun.update(self._names[self.count :][:1])
        done = {"read": self._read(self.count), "sizes": self._sizes.hexdigest()}
        order = {"begun": sorted(self._begun), "postponed": self._postponed}
        self._journal.save({**state, **done, **order})

    def _load(self) -> dict[str, Any]:
        state = self._journal.load()
        refuse_changes(self._folder, changes(state["conditions"], self._conditions), _INSTEAD)
        self._put_last(state.get("postponed", []))
        # Inputs that come later may have been mended, or left out.
        if state["read"] != self._read(state["count"]):
            refuse_changes(self._folder, ["inputs"], _INSTEAD)
        return state

    def _add_size(self, target: Path) -> None:
        with output_errors(target):
            self._sizes.update(f"{target.stat().st_size} ".encode())

    def _read(self, count: int) -> str:
        """Give a digest of so many outputs' names and inputs, as they were when this run began.

        :param count: no less than before: each output is gone through once.
        """
        for of_output, name in zip(
            self._inputs[self._digested : count], self._names[self._digested : count], strict=True
        ):
            self._sha256.update(json.dumps([of_output, name]).encode())
        self._digested = count
        return self._sha256.hexdigest()


def known_inputs(names: Sequence[str]) -> list[InputFile]:
    """Look at inputs without reading them; what is not there is told when it is to be read."""
    files = []
    for name in names:
        with suppress(DataError):
            files.append(inspect_input(name))
    return files


def _check_place(name: str) -> None:
    """Refuse, before the first output is written, a place where a later one cannot be.

    :raises OutputError: for a folder or a device, and when a file of the run cannot have its name.
    """
    if is_special(name):
        raise OutputError(f"{name} is there, and is no file; move it away, or name another folder")
    for file in own_files(name):
        with output_errors(file), suppress(FileNotFoundError):
            Path(file).lstat()  # a name may be too long
