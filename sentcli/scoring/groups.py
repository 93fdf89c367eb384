"""Rows counted by the values of columns: how many there are of each value, and the labels that they got."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

Interval = tuple[float, float]

OTHERS = "(other values)"
_MOST_VALUES = 10_000  # of a column; further ones are counted together
_LONGEST = 200  # characters of a value; longer ones that begin alike are counted together
_NO_LABEL = ""
NORMAL_975 = 1.959963984540054  # below it are 97.5 % of a standard normal distribution


@dataclass(frozen=True)
class Group:
    """The rows with one value of a column.

    :param share: of the last label among those that have a label, with its 95 % interval; None without any.
    """

    value: str
    rows: int
    labels: Mapping[str, int]
    share: float | None
    interval: Interval | None


class Groups(dict[str, dict[str, Counter[str]]]):
    """Counts of labels by column and value, as JSON has them. They add up over chunks and over outputs."""

    def add(
        self, columns: Sequence[str], sides: Sequence[Sequence[str]], labels: Sequence[str | None]
    ) -> None:
        """Count rows.

        :param sides: the values of these columns, and of others after them.
        """
        for column, values in zip(columns, sides, strict=False):
            pairs = Counter(zip(values, labels, strict=True))
            for (value, label), count in pairs.items():
                self._add(column, value[:_LONGEST], label or _NO_LABEL, count)

    def _add(self, column: str, value: str, label: str, count: int) -> None:
        values = self.setdefault(column, {})
        if value not in values and len(values) >= _MOST_VALUES:
            value = OTHERS
        values.setdefault(value, Counter())[label] += count

    def __add__(self, other: Mapping[str, Mapping[str, Mapping[str, int]]]) -> "Groups":
        total = Groups()
        for groups in (self, other):
            for column, values in groups.items():
                for value, labels in values.items():
                    for label, count in labels.items():
                        total._add(column, value, label, count)
        return total

    def to_json(self, label: str) -> dict[str, list[dict[str, Any]]]:
        """Return the groups of each column, see `of`."""
        return {column: [*map(asdict, self.of(column, label))] for column in self}

    def of(self, column: str, label: str) -> list[Group]:
        """Return the groups of a column, the largest first, with the share of a label."""
        groups = []
        for value, counts in self[column].items():
            labels = {name: count for name, count in counts.items() if name != _NO_LABEL}
            labeled, share, interval = sum(labels.values()), None, None
            if labeled:
                found = labels.get(label, 0)
                share, interval = found / labeled, wilson_interval(found, labeled)
            groups.append(Group(value, sum(counts.values()), labels, share, interval))
        return sorted(groups, key=lambda group: (-group.rows, group.value))


def wilson_interval(successes: int, trials: int) -> Interval:
    """Return Wilson's 95 % score interval of a proportion.

    L. Brown, T. Cai and A. DasGupta, "Interval Estimation for a Binomial Proportion", Statistical Science 16
    (2001), equation (4).
    """
    share, z = successes / trials, NORMAL_975
    center = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    margin = z / (1 + z**2 / trials) * math.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    return max(0.0, center - margin), min(1.0, center + margin)
