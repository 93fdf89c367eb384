"""The tables of groups: which are shown, in which order, what changed in them, and how sure that is."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from operator import attrgetter

from sentcli.report.changes import Change, Parts, changes_of
from sentcli.report.collector import EARLIER
from sentcli.scoring.evidence import DIFFER, Counted, p_of_change, p_of_groups, share_of, verdict_of
from sentcli.scoring.labels import Group, is_group

_MOST_ROWS = 40  # of a table
_ENDS = 20  # of more groups: those with the lowest shares, and with the highest ones
_MOST_CHANGES = 8  # of either sign in a table of changes
_MOST_FOUND, _LONGEST_FOUND = 120_000, 30  # characters of the lines to search in, and of a name in them

Marks = Mapping[str, Mapping[str, int]]  # the rows by value, and by period and label


@dataclass(frozen=True)
class Table:
    """The groups of a column.

    :param label: the label whose shares are compared.
    :param groups: all groups, those with the most rows first.
    :param changes: the change of each group, if any are compared.
    """

    column: str
    label: str
    groups: Sequence[Group]
    changes: Mapping[str, Change]

    @cached_property
    def known(self) -> list[Group]:
        """The groups that have a value and a label."""
        return [group for group in self.groups if is_group(group.value) and group.labeled]

    @cached_property
    def p(self) -> float:
        """The p of groups that do not differ."""
        return p_of_groups([self._counts(group) for group in self.known])

    @property
    def is_ranked(self) -> bool:
        return self.p <= DIFFER

    @property
    def verdict(self) -> str:
        return verdict_of(self.p)

    def _counts(self, group: Group) -> Counted:
        return group.labels.get(self.label, 0), group.labeled

    def _ends(self, size: int) -> list[Group]:
        """Return the groups whose intervals end lowest, and then those whose intervals begin highest."""
        low, high = (sorted(self.known, key=lambda group: (group.interval or (0, 1))[end]) for end in (1, 0))
        return low[:size] + high[: -size - 1 : -1]

    @cached_property
    def rows(self) -> list[Group]:
        """The groups that are shown: in the order of their shares if they differ, else of their rows."""
        if not self.is_ranked:
            return [*self.groups[:_MOST_ROWS]]
        ends = {group.value: group for group in self._ends(_ENDS)}
        shown = self.groups if len(self.groups) <= _MOST_ROWS else ends.values()
        return sorted(shown, key=lambda group: -(group.share or 0.0))

    @cached_property
    def extremes(self) -> list[tuple[Group, Counted]]:
        """The lowest and the highest group, if it clearly differs from all others, with their counts."""
        counts = [self._counts(group) for group in self.known]
        total = sum(yes for yes, _ in counts), sum(size for _, size in counts)
        pairs = [(group, self._counts(group)) for group in (self._ends(1) if self.is_ranked else ())]
        against = [(group, own, (total[0] - own[0], total[1] - own[1])) for group, own in pairs]
        limit = DIFFER / max(1, len(counts))
        return [(group, rest) for group, own, rest in against if p_of_change(rest, own) <= limit]

    @cached_property
    def named(self) -> list[Change]:
        """The changes that are clear enough for the title, the surest first."""
        return sorted(filter(attrgetter("is_named"), self.changes.values()), key=attrgetter("doubt"))

    @property
    def evidence(self) -> float:
        """The smallest p of what is clear; 1 if nothing is."""
        return min([change.doubt for change in self.named] + [self.p] * self.is_ranked, default=1.0)

    @cached_property
    def surest(self) -> list[Change]:
        """The surest changes, in the order of their parts of the change of all rows."""
        ranked = sorted(self.changes.values(), key=attrgetter("p"))
        ends = ranked[:_MOST_CHANGES] + ranked[_MOST_CHANGES:][-_MOST_CHANGES:]
        return sorted(ends, key=attrgetter("part"))

    def lines(self) -> Iterator[str]:
        """Yield name, rows, and the shares of all, before and since, of as many groups as a page holds."""
        room = _MOST_FOUND
        for group in self.groups:
            change = self.changes.get(group.value, Change())
            sides = [self._counts(group), change.before, change.since]
            shares = [f"{100 * share_of(side):.0f}" if side[1] else "" for side in sides]
            line = "\t".join([" ".join(group.value.split())[:_LONGEST_FOUND], str(group.rows), *shares])
            room -= len(escape(line)) + 1
            if room > 0:
                yield line


def tables_of(by: Mapping[str, Marks], label: str, compare: Callable[[Marks], Parts] | None) -> list[Table]:
    """Return the tables of columns, those with the most evidence first.

    :param compare: returns the counts before and since; None if nothing is compared.
    """
    groups = {column: _groups_of(values, label) for column, values in by.items()}
    columns = [column for column, own in groups.items() if len(own) > 1]
    changes = changes_of([compare(by[column]) if compare else {} for column in columns])
    tables = [Table(column, label, groups[column], own) for column, own in zip(columns, changes, strict=True)]
    return sorted(tables, key=attrgetter("evidence"))


def _groups_of(values: Marks, label: str) -> list[Group]:
    """Return the groups of a column, the largest first, without the rows that are only compared."""
    groups = []
    for value, marks in sorted(values.items()):
        labels: Counter[str] = Counter()
        for mark, rows in marks.items():
            period, _, own = mark.partition(" ")
            labels[own] += rows * (period != EARLIER)
        groups.append(Group.of(value, labels, label))
    return sorted((group for group in groups if group.rows), key=lambda group: -group.rows)
