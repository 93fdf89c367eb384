import pytest

from sentcli.report.collector import Columns, find_columns, stars_of


@pytest.mark.parametrize(
    ("value", "stars"),
    [("4", 4), ("4.0", 4), ("4,5", 5), ("3.4", 3), ("5.5", 0), ("0", 0), ("10", 0), ("good", 0)],
)
def test_stars(value, stars):
    assert stars_of(value) == stars


ROWS = 100
FILE = {
    "id": [str(row) for row in range(ROWS)],
    "product": ["kettle" if row % 3 else "toaster" for row in range(ROWS)],
    "verified": [str(row % 2) for row in range(ROWS)],
    "Rating": [str(1 + row % 5) for row in range(ROWS)],
    "order_id": [str(1_600_000_000 + row) for row in range(ROWS)],
    "author": [f"author {row % 60}" for row in range(ROWS)],
    "moment": [str(1_600_000_000 + 86_400 * row) for row in range(ROWS)],
    "created_at": ["" if row == 7 else f"2024-0{1 + row % 9}-01" for row in range(ROWS)],
    "empty": [""] * ROWS,
}


def test_columns_are_found_by_their_values():
    assert find_columns(FILE, (), None) == Columns(("product",), "created_at", "Rating")


def test_columns_that_the_user_named_are_taken():
    assert find_columns(FILE, ("author", "id"), "moment") == Columns(("author", "id"), "moment", "Rating")
    assert find_columns(FILE, ("Rating",), None) == Columns(("Rating",), "created_at", None)


def test_numbers_are_seconds_only_where_the_name_says_so():
    assert find_columns({"order_id": FILE["order_id"]}, (), None).time is None
    assert find_columns({"timestamp": FILE["order_id"]}, (), None).time == "timestamp"


@pytest.mark.parametrize(
    "date", ["31/12/2025", "12/31/25 10:05 PM", "31.12.2025", "April 3, 2026", "2026-04-03"]
)
def test_dates_of_any_spelling_are_a_column_of_dates(date):
    assert find_columns({"posted": [date] * ROWS, "version": ["4.2.13"] * ROWS}, (), None).time == "posted"
    assert find_columns({"moment": [date] * ROWS}, (), None).time == "moment"


def test_a_file_without_such_columns():
    assert find_columns({"empty": FILE["empty"], "id": FILE["id"]}, (), None) == Columns()
    assert find_columns({}, (), None).names == ()
