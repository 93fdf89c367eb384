"""Dates as tools and people write them."""

import itertools

import pytest

from sentcli.scoring.dates import by_span, day_of, doubt_of, order_of, settle, split_span


@pytest.mark.parametrize(
    ("values", "day"),
    [
        (
            ("2024-01-31", "2024-01-31T10:00:00Z", "2024/01/31 10:00", "2024-01-31 10:00:00+02:00"),
            "2024-01-31",
        ),
        (("1706659200", "1706659200000", "1706659200.5", "20240131", "20240131103000"), "2024-01-31"),
        (
            ("45322", "45322.4167", "20240131T103000Z", "2024.1.31", "31.01.2024", "31.1.2024 10:30"),
            "2024-01-31",
        ),
        (
            ("31 Jan 2024", "31-Jan-24", "31. January 2024", "31st of January, 2024", "31JAN2024"),
            "2024-01-31",
        ),
        (("Jan 31, 2024", "January 31st 2024, 10:30 PM", "Wed, 31 Jan 2024 10:30:00 +0000"), "2024-01-31"),
        (("Wed Jan 31 10:30:00 +0000 2024", "Wed Jan 31 2024 10:30:00 GMT+0100"), "2024-01-31"),
        (("Reviewed in the United States on January 31, 2024", "31-Jan-24 01.02.03.000 AM"), "2024-01-31"),
        (("2024-01", "2024/1", "Jan 2024", "January 2024", "Jan-24", "Jan '24"), "2024-01"),
        (("31/01/2024", "31/1/24", "31-01-2024 10:30", "10:30 31/01/2024"), "31/01/2024"),
        (("3/4/2026 10:05 PM", "03/04/26", "03-04-2026", "3/4/2026"), "03/04/2026"),
        (("2024-13-01", "31/13/2024", "30/02/2024", "30 Feb 2024", "17", "2024", "", "yesterday"), ""),
        (("1.2.3", "10.2.24", "1.2.3.4", "2024.5", "555-12-3456", "4/5", "4/5/6", "99999"), ""),
        (
            (
                "maybe 2024",
                "marvel 2024",
                "April 3",
                "April 26",
                "Apr 3 10:05",
                "2026-Apr-03",
                "a text " * 12 + "on 2026-04-03",
            ),
            "",
        ),
    ],
)
def test_days(values, day):
    assert {value: day_of(value) for value in values} == dict.fromkeys(values, day)


def test_the_order_may_be_given():
    assert (day_of("3/4/2026", True), day_of("3/4/2026", False)) == ("2026-04-03", "2026-03-04")
    assert (day_of("31/4/2026", True), day_of("31/12/2025", False)) == ("", "2025-12-31")
    assert day_of("3.4.2026", None) == "2026-04-03"


@pytest.mark.parametrize(
    ("days", "day_first", "example"),
    [
        (("03/04/2026", "13/04/2026"), True, ""),
        (("03/04/2026", "04/13/2026"), False, ""),
        (("03/04/2026", "13/04/2026", "04/13/2026", "04/14/2026"), False, "03/04/2026"),
        (("05/04/2026", "06/04/2026", "07/04/2026"), True, "05/04/2026"),  # three days of one month
        (("04/05/2026", "04/06/2026", "04/07/2026"), False, "04/05/2026"),
        (("03/04/2026",), False, "03/04/2026"),
        (("03/03/2026", "2026-04-03", ""), False, ""),
    ],
)
def test_a_number_above_12_anywhere_in_the_column_is_a_day(days, day_first, example):
    for order in itertools.permutations(days):
        assert order_of(order) == (day_first, example)
    assert doubt_of("when", days).partition(" first; ")[2] == (
        f"if that is wrong, add --{'month' if day_first else 'day'}-first" if example else ""
    )


def test_a_day_has_its_only_possible_order():
    assert [settle("31/12/2025", day_first=first) for first in (True, False)] == ["2025-12-31"] * 2
    assert [settle("03/04/2026", day_first=first) for first in (True, False)] == ["2026-04-03", "2026-03-04"]


def test_spans():
    days = {
        "2024-12-30": {"a": 1},
        "2025-01-05": {"a": 2},
        "05/01/2025": {"b": 1},
        "": {"a": 3},
        "2025-04": {"a": 4},
    }
    days["31/03/2025"] = {"b": 2}
    assert by_span(days, "week") == {
        "2025-W01": {"a": 3, "b": 1},
        "2025-W14": {"b": 2},
        "2025-04": {"a": 4},
        "(no date)": {"a": 3},
    }
    assert {*by_span(days, "month")} == {"2024-12", "2025-01", "2025-03", "2025-04", "(no date)"}
    assert {*by_span(days, "quarter")} == {"2024-Q4", "2025-Q1", "2025-Q2", "(no date)"}
    assert by_span(days, "year")["2025"] == {"a": 6, "b": 3}
    assert [*map(split_span, ("a:b:month", "a:b", "month"))] == [("a:b", "month"), ("a:b", ""), ("month", "")]


def test_a_column_without_a_date_is_said():
    assert "town: no value is read as a date" in doubt_of("town", ["", ""])
