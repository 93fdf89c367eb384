"""Labels and scores: from logits to probabilities, the band of neutral ones, and the counts of labels."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from sentcli.errors import UsageError, option
from sentcli.scoring.dates import by_span, split_span

Floats = npt.NDArray[np.float64]  # probabilities: [texts, classes]; scores: [texts]
Bools = npt.NDArray[np.bool_]

Sides = npt.NDArray[np.int64]  # [texts]: 0 is negative, 1 neutral, 2 positive
Interval = tuple[float, float]

NEUTRAL = "neutral"  # the label of a text whose probability lies in the band
STARS = ("1", "2", "3", "4", "5")  # classes with an order, unless the user says otherwise
MOST_VALUES, OTHERS = 10_000, "(other values)"  # of a column; further ones are counted together
LONGEST_VALUE = 200  # characters; longer values that begin alike are counted together
_NO_LABEL = ""
NORMAL_975 = 1.959963984540054  # below it are 97.5 % of a standard normal distribution
OTHER_LANGUAGE = 0.3  # of the words: with a larger share unknown, a text is perhaps in another language
HEAD = "head"  # in place of a band: the label is the most probable one of the model's neutral head


@dataclass(frozen=True)
class Band:
    """The neutral range of the probability of the second of two classes, both ends included."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.high <= 1:  # a NaN fails this too
            needed = "two probabilities are needed, from 0 to 1, the lower one first, such as 0.3,0.7"
            raise UsageError(f"{option('neutral')} {self.low:g},{self.high:g}: {needed}")

    def sides(self, scores: Floats) -> Sides:
        """Return for each probability of the second class 0 below the band, 1 in it and 2 above it."""
        return (scores >= self.low).astype(np.int64) + (scores > self.high)


def softmax(logits: npt.NDArray[np.floating]) -> Floats:
    """Return probabilities for logits `[examples, classes]`; each row depends on its own logits alone."""
    # C order: in another memory order NumPy sums the classes differently, which changes the last digit.
    exact = np.array(logits, dtype=np.float64, order="C")
    exact -= exact.max(axis=1, keepdims=True)
    np.exp(exact, out=exact)
    exact /= exact.sum(axis=1, keepdims=True)
    return exact


def choose_classes(probabilities: Floats, names: Sequence[str], *, ordered: bool | None = None) -> Sides:
    """Return the most probable class of each text; of ordered classes, which stars are, the median."""
    chosen: Sides = probabilities.argmax(axis=1)
    if tuple(names) == STARS if ordered is None else ordered:
        chosen = (probabilities.cumsum(axis=1) < 0.5).sum(axis=1)  # none is nearer to the truth on average
    return chosen


@dataclass(frozen=True, kw_only=True)
class Counts:
    """The counts of a sequence of texts. They add up over chunks and over outputs.

    An empty text gets no label and no score: it is blank, or has no known word, or too many unknown ones.

    :param blank: the number of texts that are null values or have no word.
    :param no_known_word: the number of other texts in which the model knows only digits and marks.
    :param too_unknown: the number of other texts without a label, because of `null_unknown` of `Scorer`.
    :param unsure: the number of other texts without a label, because of `min_score` of `Scorer`.
    :param other_language: the number of texts, with or without a label, that are perhaps in another language:
        the model does not know more than `OTHER_LANGUAGE` of their words.
    :param truncated: the number of texts with more than the model's `max_tokens`.
    :param tokens, unknown: the number of words, and of words that are not in the model's vocabulary.
    :param labels: the number of texts with each label.
    """

    blank: int = 0
    no_known_word: int = 0
    too_unknown: int = 0
    unsure: int = 0
    other_language: int = 0
    truncated: int = 0
    tokens: int = 0
    unknown: int = 0
    labels: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", Counter(self.labels))  # a plain dictionary when read from JSON

    def __add__(self, other: "Counts") -> Self:
        """Return a copy with the fields of `other` added."""
        sums = {name: getattr(self, name) + value for name, value in vars(other).items()}
        return replace(self, **sums)


class Groups(dict[str, dict[str, Counter[str]]]):
    """Counts of labels by column and value, as JSON has them. They add up over outputs.

    Memory does not grow with the rows. The result does not depend on the ends of chunks.
    """

    def add(self, columns: Mapping[str, Sequence[str]], labels: Sequence[str | None]) -> None:
        """Count the labels of consecutive rows by the values of columns."""
        for column, values in columns.items():
            for (value, label), rows in Counter(zip(values, labels, strict=True)).items():
                self._labels_of(column, value[:LONGEST_VALUE])[label or _NO_LABEL] += rows

    def __add__(self, other: Mapping[str, Mapping[str, Mapping[str, int]]]) -> "Groups":
        total = Groups()
        for groups in (self, other):
            for column, values in groups.items():
                for value, labels in values.items():
                    total._labels_of(column, value).update(labels)
        return total

    def _labels_of(self, column: str, value: str) -> Counter[str]:
        """Return the counts of a value, or those of `OTHERS` if the column has many values already."""
        values = self.setdefault(column, {})
        name = value if value in values or len(values) < MOST_VALUES else OTHERS
        return values.setdefault(name, Counter())


@dataclass(frozen=True)
class Group:
    """The rows with one value of a column.

    :param share: of one label among the rows that have a label, with its 95 % interval; None without any.
    """

    value: str
    rows: int
    labels: Mapping[str, int]
    share: float | None
    interval: Interval | None

    @classmethod
    def of(cls, value: str, counts: Mapping[str, int], label: str) -> "Group":
        """Return the group of a value whose rows have these labels, with the share of one of them."""
        labels = {name: count for name, count in sorted(counts.items()) if name != _NO_LABEL}
        share, interval = rate_of(labels.get(label, 0), sum(labels.values()))
        return cls(value, sum(counts.values()), labels, share, interval)

    @property
    def labeled(self) -> int:
        """The number of rows that have a label."""
        return sum(self.labels.values())


def groups_by_column(groups: Groups, label: str) -> dict[str, list[Group]]:
    """Return the groups of each column with the share of a label: the largest first, the newest of dates."""
    by_column = {}
    for column, values in groups.items():
        span = split_span(column)[1]
        counted = by_span(values, span) if span else values
        rows = [Group.of(value, counts, label) for value, counts in sorted(counted.items())]
        by_column[column] = rows[::-1] if span else sorted(rows, key=lambda group: -group.rows)
    return by_column


@dataclass(frozen=True, repr=False)
class Scores:
    """The labels and scores of a sequence of texts; iterating over them yields pairs of the two.

    :param labels: for each text the most probable or median class, or `neutral`; None for an empty text.
    :param scores: for each text the probability of the second of two classes, or of the most probable one of
        more classes, or the mean of ordered ones; None for an empty text.
    :param counts: the counts of these texts.
    :param probabilities: for each class, one probability per text; empty without this option of `Scorer`.
    :param unknown: for each text the share of words that the model does not know; None without any word.
    :param more: the values of the columns that `Extras` add, by column name; None for an empty text.
    """

    labels: list[str | None]
    scores: list[float | None]
    counts: Counts
    probabilities: Sequence[list[float | None]] = ()
    unknown: Sequence[float | None] = ()
    more: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.labels)

    def __iter__(self) -> Iterator[tuple[str | None, float | None]]:
        return zip(self.labels, self.scores, strict=True)

    def __repr__(self) -> str:
        return f"<Scores of {len(self):,} texts, the first {[*islice(self, 3)]!r:.200}>"


def rate_of(successes: int, trials: int) -> tuple[float | None, Interval | None]:
    """Return the rate of successes with its 95 % interval; both None without a trial."""
    return (successes / trials, wilson_interval(successes, trials)) if trials else (None, None)


def wilson_interval(successes: int, trials: int) -> Interval:
    """Return Wilson's 95 % score interval of a proportion.

    L. Brown, T. Cai and A. DasGupta, "Interval Estimation for a Binomial Proportion", Statistical Science 16
    (2001), equation (4).
    """
    share, z = successes / trials, NORMAL_975
    center = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    margin = z / (1 + z**2 / trials) * math.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    return max(0.0, center - margin), min(1.0, center + margin)
