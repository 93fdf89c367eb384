"""Labels counted by the values of columns: how many rows have a value, and which labels they got."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sentcli.scoring.labels import MOST_VALUES, OTHERS, Groups

Interval = tuple[float, float]

LONGEST_VALUE = 200  # characters; longer values that begin alike are counted together
_NO_LABEL = ""
NORMAL_975 = 1.959963984540054  # below it are 97.5 % of a standard normal distribution


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
        labels = {name: count for name, count in counts.items() if name != _NO_LABEL}
        labeled, share, interval = sum(labels.values()), None, None
        if labeled:
            successes = labels.get(label, 0)
            share, interval = successes / labeled, wilson_interval(successes, labeled)
        return cls(value, sum(counts.values()), labels, share, interval)

    @property
    def labeled(self) -> int:
        """The number of rows that have a label."""
        return sum(self.labels.values())


def groups_by_column(groups: Groups, label: str) -> dict[str, list[Group]]:
    """Return the groups of each column, the largest first, with the share of a label."""
    by_column = {}
    for column, values in groups.items():
        rows = [Group.of(value, counts, label) for value, counts in values.items()]
        by_column[column] = sorted(rows, key=lambda group: (-group.rows, group.value))
    return by_column


class LabelCounter:
    """Counts the labels of rows by the values of columns.

    Memory does not grow with the rows. The result does not depend on the ends of chunks.

    :param labels: all labels that a row may have; a row may also have none.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self._labels: dict[str | None, int] = {label: number for number, label in enumerate([*labels, None])}
        self._columns: dict[str, tuple[_Values, npt.NDArray[np.int64]]] = {}

    def add(self, columns: Mapping[str, Sequence[str]], labels: Sequence[str | None]) -> None:
        """Count consecutive rows by the values of columns."""
        numbers = _look_up(self._labels, labels)
        for column, texts in columns.items():
            if column not in self._columns:
                self._columns[column] = _Values(), np.zeros((1 + MOST_VALUES) * len(self._labels), np.int64)
            values, counts = self._columns[column]
            np.add.at(counts, _look_up(values, texts) * len(self._labels) + numbers, 1)

    @property
    def groups(self) -> Groups:
        """The counts so far."""
        names = [label or _NO_LABEL for label in self._labels]
        groups = Groups()
        for column, (values, counts) in self._columns.items():
            table = zip(values, counts.reshape(-1, len(names)).tolist(), strict=False)
            rows = {value: +Counter(dict(zip(names, row, strict=True))) for value, row in table}
            rows[OTHERS] = rows.pop(OTHERS)  # last, as a sum of groups keeps the first values
            if counts.any():
                groups[column] = {value: row for value, row in rows.items() if row}
        return groups


class _Values(dict[str, int]):
    """Numbers the values of a column in the order of their first rows, after `OTHERS`."""

    def __init__(self) -> None:
        super().__init__({OTHERS: 0})

    def __missing__(self, value: str) -> int:
        if len(value) > LONGEST_VALUE:
            return self[value[:LONGEST_VALUE]]
        return self.setdefault(value, len(self)) if len(self) <= MOST_VALUES else self[OTHERS]


def _look_up(numbers: dict[Any, int], keys: Sequence[Any]) -> npt.NDArray[np.int64]:
    return np.fromiter(map(numbers.__getitem__, keys), np.int64, len(keys))


def wilson_interval(successes: int, trials: int) -> Interval:
    """Return Wilson's 95 % score interval of a proportion.

    L. Brown, T. Cai and A. DasGupta, "Interval Estimation for a Binomial Proportion", Statistical Science 16
    (2001), equation (4).
    """
    share, z = successes / trials, NORMAL_975
    center = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    margin = z / (1 + z**2 / trials) * math.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    return max(0.0, center - margin), min(1.0, center + margin)
