"""What a page says of named sets of rows: their shares, what changed, how sure that is; tables of groups."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from operator import attrgetter
from typing import TypeVar

from sentcli.scoring import evidence
from sentcli.scoring.evidence import CHANCE, DIFFER, Counted, share_of
from sentcli.scoring.labels import Interval, is_group, wilson_interval

# A page of rows without any effect names something in its title or lead in at most one of twenty files: the
# largest p of all falls of groups, of all rises, and of the change of all rows in either direction.
_FALLS, _RISES, _WHOLE = 0.042, 0.003, 0.0025
_MOST_ROWS = 40  # of a table
_ENDS = 20  # of more groups: those with the lowest and with the highest shares
_MOST_CHANGED = 16  # of more groups
_MOST_IN_TITLE, _MOST_APART = 3, 2  # groups in the title; that are said to differ from all others

Marks = Mapping[str, int]  # the rows by period and label
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
        return wilson_interval(*self.all)

    @property
    def is_tested(self) -> bool:
        return self.before[1] > 0 and self.since[1] > 0 and is_group(self.name)

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
        return evidence.interval_of(self.before, self.since)


Own = TypeVar("Own", bound=Finding)


def judged(family: Sequence[Own], falls: float, rises: float, chance: float = CHANCE) -> list[Own]:
    """Return findings with their p; the tests share what they know, and are corrected for their number.

    :param falls, rises: the largest p of all falls, and of all rises, that are named.
    :param chance: the share of the clear ones that are chance.
    """
    ps = evidence.p_of_falls([own.before for own in family], [own.since for own in family])
    found = [replace(own, p=p) if own.is_tested else own for own, p in zip(family, ps, strict=True)]
    doubts = [own.doubt for own in found if own.is_tested]
    limit, count = evidence.limit_of(doubts, chance), max(1, len(doubts))
    return [
        replace(
            own,
            tier=evidence.tier_of(own.doubt, limit),
            is_named=own.p <= falls / count or 1 - own.p <= rises / count,
        )
        for own in found
    ]


def whole_of(marks: Marks, label: str, side_of: Side) -> Finding:
    """Return the finding of all rows."""
    return judged([_counted("all", marks, label, side_of)], _WHOLE, _WHOLE, 2 * _WHOLE)[0]


def _counted(name: str, marks: Marks, label: str, side_of: Side) -> Finding:
    """Return a finding that is not judged yet."""
    sides: Counter[tuple[bool | None, bool]] = Counter()  # the rows by side, and whether they have the label
    for mark, size in marks.items():
        period, _, own = mark.partition(" ")
        if own:
            sides[side_of(period), own == label] += size
    pairs = [(sides[side, True], sides[side, True] + sides[side, False]) for side in (False, True, None)]
    rows = sum(marks.values())
    return Finding(name=name, all=_total(pairs), before=pairs[0], since=pairs[1], rows=rows)


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
        return evidence.p_of_groups([own.all for own in self.known])

    @property
    def is_ranked(self) -> bool:
        return self.p <= DIFFER

    @property
    def verdict(self) -> str:
        return evidence.verdict_of(self.p).removeprefix("they ")

    @cached_property
    def apart(self) -> list[Finding]:
        """The groups that differ most clearly from all others, with the counts of these before."""
        found = against_rest(self.known, _total([own.all for own in self.known])) if self.is_ranked else []
        return _surest(found, "is_named")[:_MOST_APART]

    @cached_property
    def named(self) -> list[Finding]:
        """The groups whose change is named, the surest first."""
        return _surest(self.groups, "is_named")

    @cached_property
    def rows(self) -> list[Finding]:
        """The groups that are shown: what changed, then by share if they differ, else by rows."""
        changed = sorted(_surest(self.groups, "tier")[:_MOST_CHANGED], key=attrgetter("part"))
        shown = self.groups[:_MOST_ROWS]
        if self.is_ranked:
            if len(self.groups) > _MOST_ROWS:
                low = sorted(self.known, key=lambda own: own.interval[1])
                high = sorted(self.known, key=lambda own: -own.interval[0])
                shown = [*low[:_ENDS], *high[:_ENDS]]
            shown = sorted(shown, key=lambda own: -(own.share or 0))
        return [*{own.name: own for own in (*changed, *shown)}.values()]


def _surest(groups: Sequence[Finding], kind: str) -> list[Finding]:
    """Return the groups that are named or have a tier, the surest first."""
    return sorted(filter(attrgetter(kind), groups), key=attrgetter("doubt"))


def tables_of(by: Mapping[str, Mapping[str, Marks]], label: str, side_of: Side) -> list[Table]:
    """Return the tables of columns with several groups, those with the most evidence first."""
    columns = {column: values for column, values in by.items() if len(values) > 1}
    tables = []
    for column, values in columns.items():
        counted = [_counted(value, marks, label, side_of) for value, marks in sorted(values.items())]
        groups = judged(_with_parts(counted), _FALLS / len(columns), _RISES / len(columns))
        tables.append(Table(column, sorted(groups, key=lambda own: -own.rows)))
    return sorted(tables, key=lambda table: (table.named[0].doubt if table.named else 1.0, table.p))


def against_rest(groups: Sequence[Finding], total: Counted) -> list[Finding]:
    """Return groups, each compared with all other rows together."""
    rests = [(total[0] - own.all[0], total[1] - own.all[1]) for own in groups]
    found = [replace(own, before=rest, since=own.all) for own, rest in zip(groups, rests, strict=True)]
    return judged(found, DIFFER / 2, DIFFER / 2)


def _with_parts(groups: Sequence[Finding]) -> list[Finding]:
    """Return groups with their parts, which add up to the change of all rows."""
    before, since = (_total([*map(attrgetter(side), groups)]) for side in ("before", "since"))
    middle = (share_of(before) + share_of(since)) / 2

    def added(counts: Counted, total: Counted) -> float:
        """Return what a group adds to the share of all, from the mean share on."""
        return (counts[0] - counts[1] * middle) / max(1, total[1])

    return [replace(own, part=added(own.since, since) - added(own.before, before)) for own in groups]


def _total(counts: Sequence[Counted]) -> Counted:
    return sum(yes for yes, _ in counts), sum(rows for _, rows in counts)


def groups_of_title(tables: Sequence[Table], whole: Finding) -> list[Finding]:
    """Return the groups in whose change the title consists; none if that of all rows is the finding."""
    named = tables[0].named if tables else []
    if whole.is_named and abs(sum(own.part for own in named)) < abs(whole.points) / 2:
        return []
    return [own for own in named if (own.points < 0) == (named[0].points < 0)][:_MOST_IN_TITLE]
