"""What changed: the period that is compared with the time before it, and the change of each group."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sentcli.report.collector import EARLIER
from sentcli.scoring.dates import MONTHS, settle
from sentcli.scoring.evidence import (
    Counted,
    interval_of,
    limit_of,
    p_of_change,
    p_of_falls,
    share_of,
    tier_of,
)
from sentcli.scoring.labels import Interval, is_group

Parts = dict[str, tuple[Counted, Counted]]  # the counts of a label before and since, by group

# A page of rows without any effect names something in its title or lead in at most one of twenty files:
# the largest p of all falls of groups, of all rises, and of the change of all rows.
_FALLS, _RISES, _WHOLE = 0.035, 0.003, 0.005
_SPANS = (3, 1)  # months of the period, unless the user names another
_FEWEST, _MOST_SHARE = 30, 1 / 3  # rows of the period
_STRAY = 1 / 1000  # of the rows: as many may be later than the last month, by mistyped dates
_LAST_DAYS = "25"  # a month is full if it has a row from this day on


@dataclass(frozen=True)
class Change:
    """The change of the share of a label in a group.

    :param part: how much of the change of all rows it makes up: its share changed, or its part of the rows.
    :param p: of so few successes since, if nothing changed; 1 - p is that of so many.
    :param tier: `clear` after correction for all groups, `worth a look` alone, or "".
    :param is_named: whether it is clear enough for the title.
    """

    name: str = ""
    before: Counted = (0, 0)
    since: Counted = (0, 0)
    part: float = 0.0
    p: float = 0.5
    tier: str = ""
    is_named: bool = False

    @property
    def is_tested(self) -> bool:
        """Whether it is a group that has rows before and since."""
        return is_group(self.name) and self.before[1] > 0 and self.since[1] > 0

    @property
    def doubt(self) -> float:
        """The two-sided p."""
        return 2 * min(self.p, 1 - self.p)

    @property
    def points(self) -> float:
        """The difference of the shares."""
        return share_of(self.since) - share_of(self.before)

    @property
    def interval(self) -> Interval:
        return interval_of(self.before, self.since)


def find_since(days: Mapping[str, int], asked: str) -> str:
    """Return the first day of the period that is compared with the time before it; "" if there is none.

    :param days: the number of rows of each day.
    :param asked: a day, or a number of full months or years such as 3m or 1y; "" for the last three full
        months or the last one, the first of them that has enough rows.
    """
    total, later, last = sum(days.values()), 0, "0001-01"
    for last in sorted(days, reverse=True):
        later += days[last]
        if later > _STRAY * total:
            break
    span = MONTHS.fullmatch(asked)
    sizes = (int(span[1]) * (12 if span[2] == "y" else 1),) if span else _SPANS
    for since in [asked] if asked and not span else [_months_before(last, size) for size in sizes]:
        rows = sum(count for day, count in days.items() if is_since(day, since))
        if 0 < rows < total if asked else _FEWEST <= rows <= _MOST_SHARE * total:
            return since
    return ""


def _months_before(last: str, size: int) -> str:
    """Return the first day of so many full months."""
    is_full = last[8:] >= _LAST_DAYS or not last[8:]
    month = 12 * int(last[:4]) + int(last[5:7]) - size - (not is_full)
    return f"{month // 12:04}-{month % 12 + 1:02}-01"


def is_since(period: str, since: str) -> bool:
    """Return whether a day or a month is not before a day."""
    return f"{period}-01"[:10] >= since


def split(values: Mapping[str, Mapping[str, int]], since: str, label: str, *, day_first: bool) -> Parts:
    """Return the counts of a label before and since a day; without one, those of two files.

    :param values: for each value of a column, the rows by period and label.
    """
    parts: Parts = {}
    for value, marks in values.items():
        sides = [[0, 0], [0, 0]]
        for mark, rows in marks.items():
            period, _, own = mark.partition(" ")
            day = settle(period, day_first=day_first)
            if own and (day or not since):
                side = sides[day != EARLIER and is_since(day, since)]
                side[0] += rows * (own == label)
                side[1] += rows
        parts[value] = ((sides[0][0], sides[0][1]), (sides[1][0], sides[1][1]))
    return parts


def change_of_all(parts: Parts) -> Change:
    """Return the change of all rows together."""
    sides = [[pair[side] for pair in parts.values()] for side in (0, 1)]
    before, since = ((sum(yes for yes, _ in side), sum(rows for _, rows in side)) for side in sides)
    p = p_of_change(before, since)
    return Change("", before, since, 0.0, p / 2, tier_of(p, _WHOLE), is_named=p <= _WHOLE)


def changes_of(columns: Sequence[Parts]) -> list[dict[str, Change]]:
    """Return the changes of the groups of each column; their parts add up to the change of all rows."""
    every = [[*_parts_of(parts)] for parts in columns]
    tested = [change for changes in every for change in changes if change.is_tested]
    limit, count = limit_of([change.doubt for change in tested]), max(1, len(tested))

    def judged(change: Change) -> Change:
        is_named = change.p <= _FALLS / count or 1 - change.p <= _RISES / count
        return replace(change, tier=tier_of(change.doubt, limit), is_named=is_named)

    return [{change.name: judged(change) if change.is_tested else change for change in own} for own in every]


def _parts_of(parts: Parts) -> Iterator[Change]:
    """Yield the changes of groups, not judged yet."""
    whole = change_of_all(parts)
    sizes = whole.before[1], whole.since[1]
    middle = (share_of(whole.before) + share_of(whole.since)) / 2
    ps = p_of_falls([before for before, _ in parts.values()], [since for _, since in parts.values()])
    for (name, pair), p in zip(parts.items(), ps, strict=True):
        # What a group adds to the mean share changes with its own share, and with its part of the rows.
        added = [(yes - rows * middle) / max(1, size) for (yes, rows), size in zip(pair, sizes, strict=True)]
        yield Change(name, *pair, added[1] - added[0], p)
