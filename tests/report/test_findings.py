"""The period that is compared, and what the title and the first sentences say of it."""

import re
from datetime import date, timedelta

import pytest
from commands import fail, invoke

from sentcli.report.collector import Collector, Columns
from sentcli.report.findings import tables_of
from sentcli.report.timeline import find_since, timeline

LABELS = ("negative", "positive")
GOOD, BAD = "An absolute joy, and the staff were kind.", "Terrible. Cold coffee and dirty tables."


@pytest.mark.parametrize(
    ("days", "asked", "since"),
    [
        ({"2025-01-03": 900, "2025-09-01": 100, "2025-11-28": 100}, "", "2025-09-01"),
        ({"2025-01-03": 900, "2025-09-01": 100, "2025-11-20": 100}, "", "2025-08-01"),  # not full
        ({"2025-01-03": 900, "2025-10-01": 900, "2025-11-28": 100}, "", "2025-11-01"),  # too many of 3 months
        ({"2025-01-03": 900, "2025-10-01": 9, "2025-11-28": 9}, "", ""),  # too few
        ({"2025-01": 900, "2025-11": 100}, "", "2025-09-01"),
        ({"2025-01-03": 4000, "2025-11-28": 100, "2052-11-28": 1}, "", "2025-09-01"),  # one mistyped
        ({"2023-01-03": 9, "2025-02-28": 9}, "1y", "2024-03-01"),
        ({"2023-01-03": 9, "2025-02-28": 9}, "2024-05-17", "2024-05-17"),
        ({"2023-01-03": 9, "2025-02-28": 9}, "2025-05-17", ""),
        ({"0001-01-01": 40}, "", ""),
        ({}, "3m", ""),
    ],
)
def test_the_period(days, asked, since):
    assert find_since(days, asked) == since


def rows_of(groups):
    """Return rows of groups, each with its counts of good rows and all rows before and since September."""
    for name, sides in groups.items():
        for (good, size), first in zip(sides, (date(2025, 1, 1), date(2025, 9, 1)), strict=True):
            for number in range(size):
                yield (GOOD if number < good else BAD), name, str(first + timedelta(88 * number // size))


def report(folder, rows, *arguments, name="in.csv"):
    lines = [f'"{text}",{group},{day}' for text, group, day in rows]
    (folder / name).write_text("\n".join(["review,town,date", *lines]))
    done = invoke("score", folder / name, "-o", folder / f"scored-{name}", "-q")
    assert done.exit_code == 0, done.output
    if arguments == ("score only",):
        return ""
    done = invoke("report", folder / f"scored-{name}", "-o", folder / "x.html", *arguments)
    assert done.exit_code == 0, done.output
    page = (folder / "x.html").read_text("utf-8").replace("\N{NO-BREAK SPACE}", " ")
    return re.sub("</?bdi>", "", page)


def test_the_title_is_the_finding(tmp_path):
    towns = {f"Town {number}": ((75, 100), (24, 32)) for number in range(11)}
    page = report(tmp_path, rows_of({**towns, "Truro": ((75, 100), (9, 32))}))
    title = "Truro fell: 28 % positive since September 2025, 75 % before; the other 11 did not clearly change"
    assert f"<h1>{title}</h1>" in page
    assert "<li>Truro: 28 % of 32 positive since September 2025, 75 % of 100 before (" in page
    assert "The parts add up to" in page


def test_chance_has_no_title(tmp_path):
    towns = {f"Town {number}": ((75 + number % 3, 100), (23 + number % 3, 32)) for number in range(12)}
    page = report(tmp_path, rows_of(towns))
    assert "<h1>No clear change: 75 % positive since September 2025, 76 % before</h1>" in page
    assert "The 12 values of town do not differ by more than chance (p = 1.00)" in page
    assert "so they stand in the order of their reviews, and none is best" in page


def test_a_change_of_all_is_the_finding(tmp_path):
    towns = {f"Town {number}": ((80, 100), (20, 32)) for number in range(11)}
    page = report(tmp_path, rows_of({**towns, "Truro": ((80, 100), (9, 32))}))
    assert "<h1>Fewer positive reviews: 60 % positive since September 2025, 80 % before</h1>" in page
    assert "<li>Truro: 28 %" in page


def test_two_files_are_compared(tmp_path):
    report(
        tmp_path,
        rows_of({"York": ((80, 100), (0, 0)), "Leeds": ((80, 100), (0, 0))}),
        "score only",
        name="old.csv",
    )
    rows = [*rows_of({"York": ((80, 100), (0, 0)), "Leeds": ((40, 100), (0, 0))})]
    page = report(tmp_path, rows, "--against", tmp_path / "scored-old.csv", name="new.csv")
    assert (
        "<h1>Leeds fell: 40 % positive in scored-new.csv, 80 % in scored-old.csv; the other one did not"
        in page
    )
    assert "400 reviews in scored-new.csv and scored-old.csv" in page
    assert "200 reviews in scored-new.csv are compared with 200 in scored-old.csv" in page
    assert "1970" not in page
    failure = fail(
        "report", tmp_path / "scored-new.csv", "--since", "1y", "--against", tmp_path / "scored-old.csv"
    )
    assert "omit one" in failure.message


@pytest.mark.parametrize("value", ["soon", "3/4/2025", "0m"])
def test_a_period_that_is_none(tmp_path, value):
    assert "type a date such as 2026-01-31, or 3m" in fail("report", tmp_path, "--since", value).message


def test_a_day_within_a_month_divides_it():
    """In whatever order the parts of dates are written."""
    for dates in (["03/09/2025"] * 5 + ["13/09/2025"] * 7, ["2025-09-03"] * 5 + ["2025-09-13"] * 7):
        found = Collector(LABELS, Columns(("town",), "date"), since="2025-09-10")
        found.add(["a joy"] * 12, ["positive"] * 12, [0.9] * 12, {"town": ["York"] * 12, "date": dates})
        marks = {mark.partition(" ")[0] for mark in found.by["town"]["York"]}
        assert len(marks) == 2


def marks(before, since):
    """Return the rows by period and label of counts before and since, each as (positive rows, rows)."""
    sides = {"2024-01": before, "2024-02": since}
    positive = {f"{month} positive": good for month, (good, _) in sides.items()}
    return positive | {f"{month} negative": rows - good for month, (good, rows) in sides.items()}


def is_since(period):
    return period == "2024-02"


def test_the_parts_of_groups_add_up():
    counts = {"a": ((70, 100), (9, 30)), "b": ((0, 0), (5, 6)), "": ((3, 9), (0, 0)), "c": ((50, 90), (2, 2))}
    (table,) = tables_of({"x": {name: marks(*sides) for name, sides in counts.items()}}, "positive", is_since)
    assert sum(own.part for own in table.groups) == pytest.approx(16 / 38 - 123 / 199)
    assert [own.name for own in table.groups if own.is_tested] == ["a", "c"]


def test_the_column_with_the_most_evidence_is_first():
    alike = {f"{number}": marks((75, 100), (0, 0)) for number in range(4)}
    columns = {
        "device": alike,
        "branch": {**alike, "low": marks((20, 100), (0, 0))},
        "same": {"x": alike["0"]},
    }
    tables = tables_of(columns, "positive", lambda _: None)
    assert [table.column for table in tables] == ["branch", "device"]
    assert [own.name for own in tables[0].apart] == ["low"]
    assert tables[0].rows[-1].name == "low"


def test_of_many_groups_the_ends_are_shown_and_all_can_be_searched():
    groups = {f"{number:04}": marks((5 + number % 90, 100), (0, 0)) for number in range(900)}
    (table,) = tables_of({"product": groups}, "positive", lambda _: None)
    shares = [own.share for own in table.rows]
    assert (len(shares), shares[0], shares[-1]) == (40, 0.94, 0.05)


def test_of_many_groups_those_that_fell_most_are_shown():
    groups = {f"{number:04}": marks((75, 100), (24, 32)) for number in range(900)}
    groups["0500"] = marks((75, 100), (4, 32))
    (table,) = tables_of({"product": groups}, "positive", is_since)
    assert (table.rows[0].name, table.rows[0].tier, table.rows[1].tier) == ("0500", "clear", "")


@pytest.mark.parametrize(
    ("first", "last", "span"),
    [
        ("2025-01-01", "2025-02-10", "day"),
        ("2025-01-01", "2025-06-10", "week"),
        ("2025-01", "2025-02", "month"),
        ("2023-01-01", "2025-06-10", "month"),
        ("2015-01-01", "2025-06-10", "quarter"),
        ("0001-01-01", "2025-06-10", "year"),
    ],
)
def test_spans_by_the_length_of_time(first, last, span):
    chart = timeline({first: {"positive": 3}, last: {"negative": 1}}, "", "positive")
    assert chart["span"] == span
    places = [place for place, _ in chart["points"]]
    assert places[0] + places[1] == pytest.approx(1)
    assert timeline({first: {"positive": 3}}, "", "positive") is timeline({}, "", "positive") is None


def test_a_gap_is_a_gap():
    days = {day: {"positive": 1} for day in ("2025-01-05", "2025-02-05", "2025-12-05")}
    first, second, last = (place for place, _ in timeline(days, "2025-12-01", "positive")["points"])
    assert (last - second) == pytest.approx(10 * (second - first), rel=0.1)


def test_a_month_and_its_first_day_are_one_point():
    days = {"2025-01": {"positive": 1}, "2025-01-01": {"positive": 2}, "2025-03-01": {"negative": 1}}
    assert [group.labeled for _, group in timeline(days, "", "positive")["points"]] == [3, 1]
    assert timeline({"2025-01-01": {"": 4}, "2025-02-01": {"": 2}}, "", "positive") is None
