"""The rows of labeled data sets that cannot be used: the limit on them, and their file."""

import json
import logging
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sentcli.datasets.labels import LabeledTexts, known_labels
from sentcli.errors import RejectsError, counted
from sentcli.files.sink import Target, write_file
from sentcli.tables.options import RejectOptions

_log = logging.getLogger("sentcli")

MOST = "1%"  # the default limit


class Rejects:
    """The rows that were left out of data sets.

    :param limit: `N` rows, or `P%` of the rows, of one data set; None: no limit.
    :ivar entries: one per row, in the fields of `Reject.to_json` or with `row`, `text` and `label`.
    """

    def __init__(self, limit: str | None = MOST, remedy: str = "correct them or leave them out") -> None:
        self.entries: list[Mapping[str, Any]] = []
        self._options, self._remedy = RejectOptions(limit=limit), remedy

    def add(self, where: str, entries: Sequence[Mapping[str, Any]], read: int) -> None:
        """Add the rows that were left out of the `read` rows of a data set; refuse to leave out too many."""
        if not entries:
            return
        self.entries += entries
        reason, count = Counter(entry["reason"] for entry in entries).most_common(1)[0]
        first = next(entry for entry in entries if entry["reason"] == reason)
        place = next(f"{name} {first[name]}" for name in ("line", "row") if name in first)
        at = place if first["input"] == where else f"{first['input']}, {place}"
        often = f"most often: {reason:.300} ({counted(count, 'row')}, first {at})"
        problem = f"{len(entries):,} of {counted(read, 'row')} cannot be used"
        if len(entries) == read:
            raise RejectsError(f"{where}: {problem}; {often}")
        if self._options.exceeded(len(entries), read):
            limit = self._options.limit
            raise RejectsError(f"{where}: {problem}; {often}; more than {limit}; {self._remedy}")
        _log.info("%s: left out: %s; %s", where, problem, often)

    def write(self, target: Target) -> None:
        """Write the file of the rows, or remove that of an earlier run if no row was left out."""
        if not self.entries:
            target.remove()
            return
        write_file(target, b"".join(json.dumps(entry).encode() + b"\n" for entry in self.entries))
        _log.info("%s: the rows that were left out", target.name)


def rejected_row(data: LabeledTexts, index: int, reason: str) -> dict[str, Any]:
    """Return the entry of a row that was read but cannot be used."""
    place = {"input": data.where, "row": data.rows[index] if data.rows else index + 1, "reason": reason}
    return {**place, "text": data.texts[index], "label": data.labels[index]}


def without_unknown(
    data: LabeledTexts, names: Sequence[str], rejects: Rejects, also: Collection[str] = ()
) -> LabeledTexts:
    """Leave out the texts whose label is neither a class nor, in lower case, in `also`."""
    known, why = known_labels(data.labels, names), f"; the model knows {', '.join(names):.200}"
    kept, unknown = [], []
    for row, label in enumerate(data.labels):
        if label in known or label.strip().casefold() in also:
            kept.append(row)
        else:
            unknown.append(rejected_row(data, row, f"unknown label {label!r:.200}{why}"))
    rejects.add(data.where, unknown, len(data))
    return data.take(kept) if unknown else data
