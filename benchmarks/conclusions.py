"""How often a report names what is not there, and finds what is: files of counts with and without a change.

usage: python benchmarks/conclusions.py [FILES]

Each file has 3,600 rows, of which 75 % are positive, in groups and days that are drawn at random. The counts
go through the tests that decide what a page says: its title and its lead say what is named here.
"""

import sys
from typing import NamedTuple

import numpy as np

from sentcli.report.findings import Finding, tables_of, whole_of

ROWS, POSITIVE, LATE = 3_600, 0.75, 0.2


class Said(NamedTuple):
    """What the title and the lead say of a file, and the changes with the true differences."""

    first: str  # the group that is named first; "" for none
    lowest: str  # the group whose fall is the most unlikely one, which tables show even if it may be chance
    is_anything: bool
    changes: list[tuple[Finding, float]]


def draw(random: np.random.Generator, groups: int, fallen: float = POSITIVE) -> Said:
    """Return what is said of a file in whose first group the share falls in the last fifth of the time."""
    group, is_late = random.integers(0, groups, ROWS), random.random(ROWS) >= 1 - LATE
    share = np.where((group == 0) & is_late, fallen, POSITIVE)
    is_positive = random.random(ROWS) < share
    kinds = {
        f"{period} {label}": np.bincount(group[side & own], minlength=groups).tolist()
        for period, side in (("1", ~is_late), ("2", is_late))
        for label, own in (("positive", is_positive), ("negative", ~is_positive))
    }
    values = {
        f"group {number}": {kind: rows[number] for kind, rows in kinds.items()} for number in range(groups)
    }
    whole = whole_of({kind: sum(rows) for kind, rows in kinds.items()}, "positive", "2".__eq__)
    (table,) = tables_of({"group": values}, "positive", "2".__eq__)
    return Said(
        table.named[0].name if table.named else "",
        min(table.groups, key=lambda own: own.p).name,
        bool(table.named) or whole.is_named or table.is_ranked,
        [(own, fallen - POSITIVE if own.name == "group 0" else 0.0) for own in table.groups],
    )


def measure(files: int, seed: int = 1) -> dict[str, float]:
    """Return the shares of files, and of intervals of a change that hold the true one."""
    random = np.random.default_rng(seed)
    null = [draw(random, int(random.integers(5, 41))) for _ in range(files)]
    deep, small = ([draw(random, 12, fallen) for _ in range(files)] for fallen in (0.4, 0.6))
    changes = [pair for said in (*null, *deep, *small) for pair in said.changes]
    held = [change.change[0] <= truth <= change.change[1] for change, truth in changes]
    return {
        "no change, something named": sum(said.is_anything for said in null) / files,
        "75 to 40 %, named first": sum(said.first == "group 0" for said in deep) / files,
        "75 to 60 %, named first": sum(said.first == "group 0" for said in small) / files,
        "75 to 60 %, first in the table": sum(said.lowest == "group 0" for said in small) / files,
        "intervals that hold the true change": sum(held) / len(held),
    }


if __name__ == "__main__":
    for name, share in measure(int(sys.argv[1]) if len(sys.argv) > 1 else 200).items():
        print(f"{share:7.1%}  {name}")
