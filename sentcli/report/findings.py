"""What a page says of named sets of rows: their shares, what changed, how sure that is; tables of groups."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from html import escape
from operator import attrgetter
from typing import TypeVar

from sentcli.report.collector import EARLIER
from sentcli.scoring.evidence import (
    CHANCE,
    DIFFER,
    Counted,
    interval_of,
    limit_of,
    p_of_falls,
    p_of_groups,
    share_of,
    tier_of,
    verdict_of,
)
from sentcli.scoring.labels import Interval, is_group, wilson_interval

# A page of rows without any effect names something in its title or lead in at most one of twenty files: the
# largest p of all falls of groups, of all rises, and of the change of all rows in either direction.
_FALLS, _RISES, _WHOLE = 0.035, 0.003, 0.0025
_MOST_ROWS = 40  # of a table
_ENDS, _MOST_CHANGED = (
    20,
    16,
)  # of more groups: those with the lowest and the highest shares; those that changed
_MOST_TOLD, _MOST_APART = 3, 2  # groups in the title; that are said to differ from all others
_MOST_FOUND, _LONGEST_FOUND = 120_000, 30  # characters of the lines to search in, and of a name in them

Marks = Mapping[str, Mapping[str, int]]  # the rows by value, and by period and label
Side = Callable[[str], bool | None]  # whether a period is compared with those before it; None: with nothing


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A named set of rows, with the counts of a label: (rows with it, rows with any).

    :param before, since: the counts that are compared.
    :param rows: the number of rows, also of those without a label.
    :param part: how much of the change of all rows it makes up: its share changed, or its part of the rows.
    :param p: of so few successes since, if nothing changed; 1 - p is that of so many.
    :param tier: `clear` after correction for the family, `worth a look` alone, or "".
    :param is_named: whether it is clear enough for the title and the first sentences.
    """

    name: str
    all: Counted = (0, 0)
    before: Counted = (0, 0)
    since: Counted = (0, 0)
    rows: int = 0
    part: float = 0.0
    p: float = 0.5
    tier: str = ""
    is_named: bool = False

    @property
    def share(self) -> float | None:
        return share_of(self.all) if self.all[1] else None

    @property
    def interval(self) -> Interval:
        return wilson_interval(*self.all) if self.all[1] else (0.0, 1.0)

    @property
    def is_compared(self) -> bool:
        return self.before[1] > 0 and self.since[1] > 0

    @property
    def is_tested(self) -> bool:
        return self.is_compared and is_group(self.name)

    @property
    def doubt(self) -> float:
        """The two-sided p."""
        return 2 * min(self.p, 1 - self.p)

    @property
    def points(self) -> float:
        """The difference of the shares."""
        return share_of(self.since) - share_of(self.before)

    @property
    def change(self) -> Interval:
        """The interval of the difference."""
        return interval_of(self.before, self.since)


Own = TypeVar("Own", bound=Finding)


def judged(family: Sequence[Own], falls: float, rises: float, chance: float = CHANCE) -> list[Own]:
    """Return findings with their p; the tests share what they know, and are corrected for their number.

    :param falls, rises: the largest p of all falls, and of all rises, that are named.
    :param chance: the share of the clear ones that are chance.
    """
    ps = p_of_falls([own.before for own in family], [own.since for own in family])
    found = [replace(own, p=p) if own.is_tested else own for own, p in zip(family, ps, strict=True)]
    doubts = [own.doubt for own in found if own.is_tested]
    limit, count = limit_of(doubts, chance), max(1, len(doubts))

    def judge(own: Own) -> Own:
        is_named = own.p <= falls / count or 1 - own.p <= rises / count
        return replace(own, tier=tier_of(own.doubt, limit), is_named=is_named)

    return [judge(own) if own.is_tested else own for own in found]


def whole_of(counts: Mapping[str, int], label: str, side_of: Side) -> Finding:
    """Return the finding of all rows.

    :param counts: the rows by period and label.
    """
    return judged([_counted("all", counts, label, side_of)], _WHOLE, _WHOLE, 2 * _WHOLE)[0]


def _counted(name: str, marks: Mapping[str, int], label: str, side_of: Side) -> Finding:
    """Return a finding that is not judged yet."""
    counts = {key: [0, 0] for key in (True, False, None)}
    rows = total = successes = 0
    for mark, size in marks.items():
        period, _, own = mark.partition(" ")
        side = counts[side_of(period)]
        side[0] += size * (own == label)
        side[1] += size * bool(own)
        if period != EARLIER:
            rows, total, successes = rows + size, total + size * bool(own), successes + size * (own == label)
    (since, before, _) = ((yes, size) for yes, size in counts.values())
    return Finding(name=name, all=(successes, total), before=before, since=since, rows=rows)


@dataclass(frozen=True)
class Table:
    """The groups of a column, those with the most rows first."""

    column: str
    groups: Sequence[Finding]

    @cached_property
    def known(self) -> list[Finding]:
        """The groups that have a value and a label."""
        return [own for own in self.groups if is_group(own.name) and own.all[1]]

    @cached_property
    def p(self) -> float:
        """The p of groups that do not differ."""
        return p_of_groups([own.all for own in self.known])

    @property
    def is_ranked(self) -> bool:
        return self.p <= DIFFER

    @property
    def verdict(self) -> str:
        return verdict_of(self.p).removeprefix("they ")

    @cached_property
    def apart(self) -> list[Finding]:
        """The groups that differ most clearly from all others, with the counts of these before."""
        known = self.known if self.is_ranked else []
        found = against_rest(known, _total([own.all for own in known]))
        return sorted(filter(attrgetter("is_named"), found), key=attrgetter("doubt"))[:_MOST_APART]

    @cached_property
    def named(self) -> list[Finding]:
        """The groups whose change is named, the surest first."""
        return sorted(filter(attrgetter("is_named"), self.groups), key=attrgetter("doubt"))

    @property
    def evidence(self) -> float:
        """The smallest p of what is clear; 1 if nothing is."""
        return min([own.doubt for own in self.named] + [self.p] * self.is_ranked, default=1.0)

    @cached_property
    def rows(self) -> list[Finding]:
        """The groups that are shown: what changed, then by share if they differ, else by rows."""
        changed = sorted(filter(attrgetter("tier"), self.groups), key=attrgetter("doubt"))[:_MOST_CHANGED]
        shown = self.groups[:_MOST_ROWS]
        if self.is_ranked and len(self.groups) > _MOST_ROWS:
            low, high = (
                sorted(self.known, key=lambda own: own.interval[end], reverse=not end) for end in (1, 0)
            )
            shown = [*low[:_ENDS], *high[:_ENDS]]
        shown = sorted(shown, key=lambda own: -(own.share or 0) if self.is_ranked else -own.rows)
        changed.sort(key=attrgetter("part"))
        return [*{own.name: own for own in (*changed, *shown)}.values()]

    def lines(self) -> Iterator[str]:
        """Yield name, rows, and the shares of all, before and since, of as many groups as a page holds."""
        room = _MOST_FOUND
        for own in self.groups:
            sides = (own.all, own.before, own.since)
            shares = [f"{100 * share_of(side):.0f}" if side[1] else "" for side in sides]
            line = "\t".join([" ".join(own.name.split())[:_LONGEST_FOUND], str(own.rows), *shares])
            room -= len(escape(line)) + 1
            if room > 0:
                yield line


def tables_of(by: Mapping[str, Marks], label: str, side_of: Side) -> list[Table]:
    """Return the tables of columns with several groups, those with the most evidence first."""
    columns = {column: values for column, values in by.items() if len(values) > 1}
    tables = []
    for column, values in columns.items():
        counted = [_counted(value, marks, label, side_of) for value, marks in sorted(values.items())]
        groups = judged(_with_parts(counted), _FALLS / len(columns), _RISES / len(columns))
        groups.sort(key=lambda own: -own.rows)
        tables.append(Table(column, groups))
    return sorted(tables, key=lambda table: (not table.named, table.evidence))


def _total(counts: Sequence[Counted]) -> Counted:
    return sum(yes for yes, _ in counts), sum(rows for _, rows in counts)


def against_rest(groups: Sequence[Finding], total: Counted) -> list[Finding]:
    """Return groups, each compared with all other rows together."""
    rests = [(total[0] - own.all[0], total[1] - own.all[1]) for own in groups]
    found = [replace(own, before=rest, since=own.all) for own, rest in zip(groups, rests, strict=True)]
    return judged(found, DIFFER / 2, DIFFER / 2)


def _with_parts(groups: Sequence[Finding]) -> list[Finding]:
    """Return groups with their parts, which add up to the change of all rows."""
    sums = _total([own.before for own in groups]), _total([own.since for own in groups])
    middle = sum(map(share_of, sums)) / 2

    def added(counts: Counted, all_rows: int) -> float:
        """Return what a group adds to the share of all, from the mean share on."""
        return (counts[0] - counts[1] * middle) / max(1, all_rows)

    parts = [added(own.since, sums[1][1]) - added(own.before, sums[0][1]) for own in groups]
    return [replace(own, part=part) for own, part in zip(groups, parts, strict=True)]


def told_of(tables: Sequence[Table], whole: Finding) -> list[Finding]:
    """Return the groups in whose change the title consists; none if that of all rows is the finding."""
    named = next((table.named for table in tables if table.named), [])
    if whole.is_named and abs(sum(own.part for own in named)) < abs(whole.points) / 2:
        return []
    return [own for own in named if (own.points < 0) == (named[0].points < 0)][:_MOST_TOLD]
