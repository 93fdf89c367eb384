import pytest

from sentcli.report.collector import Columns, day_of, find_columns, stars_of


@pytest.mark.parametrize(
    ("value", "day"),
    [
        ("2024-01-31", "2024-01-31"),
        ("2024-01-31T10:00:00Z", "2024-01-31"),
        ("2024/01/31 10:00", "2024-01-31"),
        ("2024-01", "2024-01"),
        ("1706659200", "2024-01-31"),
        ("1706659200000", "2024-01-31"),
        ("1706659200.5", "2024-01-31"),
        ("2024-13-01", ""),
        ("31.01.2024", ""),
        ("20240131", ""),
        ("17", ""),
        ("", ""),
    ],
)
def test_days(value, day):
    assert day_of(value) == day


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


def test_a_file_without_such_columns():
    assert find_columns({"empty": FILE["empty"], "id": FILE["id"]}, (), None) == Columns()
    assert find_columns({}, (), None).names == ()
