"""What a run tells: how far it is, and at its end what it did, for people and as JSON."""

import logging
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

from sentcli.files.source import STANDARD
from sentcli.scoring.scorer import Scores

_SILENCE = 600.0  # seconds between two lines of a log

_log = logging.getLogger("sentcli")


@dataclass
class Summary:
    """What a run did, in rows.

    :param blank: rows without a word, which have no score.
    :param truncated: rows whose text is longer than the model reads.
    :param tokens, unknown: words of all texts, and those that the model does not know.
    :param labels: rows of each label.
    :param text_columns: of the texts, one for each output whose inputs have columns.
    :param skipped: outputs that were finished before this run.
    :param failed: outputs that could not be made, while the run made the others.
    :param scored: rows that this run scored; an earlier one may have scored the others.
    :param seconds: of this run.
    :param inputs: path, size and time of change of each.
    """

    rows: int = 0
    rejected: int = 0
    blank: int = 0
    truncated: int = 0
    tokens: int = 0
    unknown: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    text_columns: list[str] = field(default_factory=list)
    skipped: int = 0
    failed: int = 0
    scored: int = 0
    seconds: float = 0.0
    inputs: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.labels = Counter(self.labels)  # from a record it is a dictionary

    def count(self, scores: Scores) -> None:
        """Count the scores of a chunk; its rows are counted where they are written."""
        self.blank += scores.blank
        self.truncated += scores.truncated
        self.tokens += scores.tokens
        self.unknown += scores.unknown
        self.labels.update(label for label in scores.labels if label is not None)

    def to_record(self) -> dict[str, Any]:
        """Return the fields, as JSON."""
        return {**vars(self), "labels": dict(self.labels)}

    def to_json(self) -> dict[str, Any]:
        """Return the fields and the speed, rounded."""
        rate = self.scored / self.seconds if self.seconds else 0.0
        return {
            **self.to_record(),
            "seconds": round(self.seconds, 3),
            "rows_per_second": round(rate, 1),
        }

    def __add__(self, other: Self) -> Self:
        return type(self)(**{name: getattr(self, name) + value for name, value in vars(other).items()})

    def lines(self) -> list[str]:
        """Return the summary as lines of text."""
        parts = [counted(self.rows, "row")]
        for name in ("rejected", "blank", "truncated"):
            if count := getattr(self, name):
                parts.append(f"{count:,} {name}")
        if self.tokens:
            parts.append(f"{self.unknown / self.tokens:.1%} of the words unknown to the model")
        if columns := sorted({*self.text_columns}):
            parts.append("texts in " + " and ".join(f"{name!r:.100}" for name in columns))
        labeled = sum(self.labels.values())
        shares = [f"{label} {count / labeled:.1%}" for label, count in sorted(self.labels.items())]
        speed = f"{self.scored / self.seconds:,.0f} rows/s, {self.seconds:.1f} s" if self.scored else ""
        return [line for line in (", ".join(parts), ", ".join(shares), speed) if line]


def counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


class Progress:
    """Shows how far a run is: a bar for each output; where stderr is no terminal, a line now and then.

    :param shown: false: show nothing.
    """

    def __init__(self, *, shown: bool = False) -> None:
        self._shown = shown
        self._told = time.perf_counter()

    @contextmanager
    def of(self, name: str, total_bytes: int | None) -> Iterator[Callable[[int, int, int], None]]:
        """Yield a function to call with the bytes read, the rows written and the rows scored so far.

        :param name: of the output.
        :param total_bytes: of its inputs.
        """
        bar: Any = None
        if self._shown and sys.stderr and sys.stderr.isatty():
            from tqdm import tqdm  # a quick answer on stdin does without it

            bar = tqdm(total=total_bytes, unit="B", unit_scale=True, leave=False)
        started = time.perf_counter()

        def update(read: int, rows: int, scored: int) -> None:
            now = time.perf_counter()
            if bar is None and not (self._shown and now - self._told >= _SILENCE):
                return
            reached = f"{rows:,} rows, {scored / (now - started):,.0f} rows/s"
            if bar is not None:
                bar.set_postfix_str(reached, refresh=False)
                bar.update(read - bar.n)
                return
            self._told = now
            where = "" if name == STANDARD else f"{name}: "
            share = f", {read / total_bytes:.0%} of the bytes" if total_bytes else ""
            _log.info("%s%s%s", where, reached, share)

        try:
            yield update
        finally:
            if bar is not None:
                bar.close()
