"""What a run did: counted chunk by chunk, added up over outputs, laid out for people and as JSON."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from sentcli.scoring.scorer import Scores

_CARRIED = {"rows", "rejected", "blank", "truncated", "tokens", "unknown", "labels", "text_columns"}


@dataclass
class Summary:
    """What a run did, in rows.

    :param blank: rows without a word, which have no score.
    :param truncated: rows whose text is longer than the model reads.
    :param tokens, unknown: words of all texts, and those that the model does not know.
    :param labels: rows of each label.
    :param text_columns: where the texts were, for each output whose inputs have columns.
    :param skipped: outputs that were there already, so that nothing was scored for them.
    :param failed: outputs that could not be made, where a run went on behind them.
    :param seconds: of this run alone; `scored` counts the rows that it did not find finished.
    :param inputs: what tells the inputs from changed ones: path, size, time of change.
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

    def count(self, scores: Scores) -> None:
        """Count what the scores of a chunk tell. Its rows are not among that: the job counts them."""
        self.blank += scores.blank
        self.truncated += scores.truncated
        self.tokens += scores.tokens
        self.unknown += scores.unknown
        self.labels.update(label for label in scores.labels if label is not None)

    def carried(self) -> dict[str, Any]:
        """Give a copy of what a journal keeps for a run that goes on from it."""
        return {name: type(value)(value) for name, value in vars(self).items() if name in _CARRIED}

    def restore(self, carried: Mapping[str, Any]) -> None:
        """Take up what `carried` gave."""
        for name in _CARRIED & carried.keys():
            setattr(self, name, type(getattr(self, name))(carried[name]))

    def to_json(self) -> dict[str, Any]:
        rate = self.scored / self.seconds if self.seconds else 0.0
        rounded = {"seconds": round(self.seconds, 3), "rows_per_second": round(rate, 1)}
        return {**vars(self), "labels": dict(self.labels), **rounded}

    def __add__(self, other: Self) -> Self:
        return type(self)(**{name: getattr(self, name) + value for name, value in vars(other).items()})

    def lines(self) -> list[str]:
        """Lay the summary out for people."""
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
