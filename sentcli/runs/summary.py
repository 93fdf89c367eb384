"""The progress of a run, and its summary for people and as JSON."""

import logging
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

from sentcli.files.source import STANDARD
from sentcli.scoring.scorer import COUNTS, Scores

_SILENCE = 600.0  # seconds between two progress lines in a log

_log = logging.getLogger("sentcli")


@dataclass
class Summary:
    """The counts of a run.

    :param blank: rows whose text is a null value or has no word; they get no score.
    :param no_known_word: other rows without a known word, except digits and marks; they get no score.
    :param mostly_unknown: rows with more unknown words than known ones.
    :param truncated: rows whose text is longer than the model reads.
    :param tokens, unknown: all words of the texts, and those that are not in the model's vocabulary.
    :param labels: number of rows with each label.
    :param text_columns: the text column of each output whose inputs have columns.
    :param skipped: outputs that were finished before this run.
    :param failed: outputs that this run could not make.
    :param scored: rows that this run scored; a stopped run before it may have scored others.
    :param seconds: duration of this run.
    :param inputs: path, size and modification time of each input.
    """

    rows: int = 0
    rejected: int = 0
    blank: int = 0
    no_known_word: int = 0
    mostly_unknown: int = 0
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
        self.labels = Counter(self.labels)  # a plain dictionary when read from a record

    def count(self, scores: Scores) -> None:
        """Add the counts of a chunk, except its rows, which `Output` counts."""
        for name in COUNTS:
            setattr(self, name, getattr(self, name) + getattr(scores, name))
        counts = Counter(scores.labels)
        del counts[None]
        self.labels.update(counts)  # type: ignore[arg-type]  # None is gone

    def to_record(self) -> dict[str, Any]:
        """Return the fields as JSON, unrounded."""
        return {**vars(self), "labels": dict(self.labels)}

    def to_json(self) -> dict[str, Any]:
        """Return the fields, with rounded seconds and the speed."""
        rate = self.scored / self.seconds if self.seconds else 0.0
        return {
            **self.to_record(),
            "seconds": round(self.seconds, 3),
            "rows_per_second": round(rate, 1),
        }

    def __add__(self, other: Self) -> Self:
        return type(self)(**{name: getattr(self, name) + value for name, value in vars(other).items()})

    def lines(self, output: str = "") -> list[str]:
        """Return the summary as lines of text.

        :param output: the name of the output; empty for standard output.
        """
        where = f"{output}: " if output else ""
        rejected = f", {self.rejected:,} rejected" if self.rejected else ""
        minutes, seconds = divmod(self.seconds, 60)
        time = f" in {minutes:.0f} min {seconds:.0f} s" if minutes else f" in {seconds:.2g} s"
        speed = f", {self.scored / self.seconds:,.0f} rows/s" if self.seconds >= 1 else ""
        labeled = sum(self.labels.values())
        kinds = [f"{count:,} {label} ({count / labeled:.1%})" for label, count in sorted(self.labels.items())]
        no_score = {"blank": self.blank, "no known word": self.no_known_word}
        kinds += [f"{count:,} {name}" for name, count in no_score.items() if count]
        columns = " and ".join(f"{name!r:.100}" for name in sorted({*self.text_columns}))
        texts = [f"texts in {columns}"] if columns else []
        if self.tokens:
            texts.append(f"{self.unknown / self.tokens:.1%} of the words unknown to the model")
        if self.truncated:
            texts.append(f"{self.truncated:,} truncated")
        is_other = 2 * self.mostly_unknown > self.rows - self.blank
        lines = [
            f"{where}{counted(self.rows, 'row')}{rejected}{time + speed if self.scored else ''}",
            ", ".join(kinds),
            ", ".join(texts),
            "most texts look like another language than the model's" if is_other else "",
        ]
        return [line for line in lines if line]


def counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


class Progress:
    """Shows the progress of a run: a bar for each output; without a terminal, a line every ten minutes.

    :param shown: False: show nothing.
    """

    def __init__(self, *, shown: bool = False) -> None:
        self._shown = shown
        self._told = time.perf_counter()

    @contextmanager
    def of(self, name: str, total_bytes: int | None) -> Iterator[Callable[..., None]]:
        """Yield a function to call with the bytes read, the rows written and scored so far, and more text.

        :param name: the name of the output.
        :param total_bytes: the size of its inputs, if known.
        """
        bar: Any = None
        if self._shown and sys.stderr and sys.stderr.isatty():
            from tqdm import tqdm  # not needed, and slow to import, for a quick answer on stdin

            bar = tqdm(total=total_bytes, unit="B", unit_scale=True, leave=False)
        started = time.perf_counter()

        def update(read: int, rows: int, scored: int, counts: str = "") -> None:
            now = time.perf_counter()
            if bar is None and not (self._shown and now - self._told >= _SILENCE):
                return
            reached = f"{counts}{rows:,} rows, {scored / (now - started):,.0f} rows/s"
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
