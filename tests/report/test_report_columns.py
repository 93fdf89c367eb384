import pytest

from sentcli.report.collector import Columns, find_columns
from sentcli.report.ratings import nps_of, stars_of


@pytest.mark.parametrize(
    ("values", "stars"),
    [
        (("1", "1.0", "ONE", "1 star", "1 out of 5", "1/10", "\u2605\u2606\u2606\u2606\u2606", "0.5"), 1),
        (("Very dissatisfied", "Not at all satisfied", "1 - Extremely unsatisfied", "Terrible"), 1),
        (("Dissatisfied", "Somewhat dissatisfied", "Not satisfied", "Poor", "disagree", "2 of 5"), 2),
        (("3.4", "three stars", "Neither satisfied nor dissatisfied", "Neutral", "3 stars"), 3),
        (
            ("4", "4.0", "Satisfied", "Somewhat satisfied", "8/10", "4.0 out of 5 stars", "Rated 4 out of 5"),
            4,
        ),
        (("4,5", "FIVE", "five", "5-star", "Very satisfied", "Very satisfied (5)", "5 out of 5"), 5),
        (("\u2605\u2605\u2605\u2605\u2605", "\u2b50\ufe0f" * 5, "Strongly agree", "5 = Excellent"), 5),
        (("5.5", "0", "10", "kettle", "", "happy hour", "a very satisfied customer", "2024-01-31"), 0),
    ],
)
def test_stars(values, stars):
    assert {value: stars_of(value) for value in values} == dict.fromkeys(values, stars)


def test_answers_from_0_to_10_are_detractors_passives_and_promoters():
    answers = ["0", "6", "6.0", "7", "8", "9", "10", "10 - Extremely likely", "11", "", "likely"]
    assert [*map(nps_of, answers)] == [1, 1, 1, 3, 3, 5, 5, 5, 0, 0, 0]


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


def test_further_columns_of_dates_are_said():
    dates = {name: ["2026-04-03"] * ROWS for name in ("stay", "posted_at", "updated_at")}
    assert find_columns(dates, (), None) == Columns(time="posted_at", more_times=("updated_at", "stay"))


@pytest.mark.parametrize(
    ("name", "is_found"),
    [
        (name, False)
        for name in ("Assignee", "Guest name", "Visitor", "reviewer.id", "assigned_to", "Contact Email")
    ]
    + [(name, True) for name in ("Hotel name", "Branch", "guest_type", "Customer country", "agent_group")],
)
def test_people_are_no_groups(name, is_found):
    values = ["Ann Lee" if row % 3 else "Bo Kim" for row in range(ROWS)]
    assert find_columns({name: values}, (), None).by == ((name,) if is_found else ())


def test_values_of_few_rows_are_no_groups():
    values = ["York"] * 80 + [f"guest {row // 2}" for row in range(20)]
    assert find_columns({"Place": values}, (), None).by == ()


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


@pytest.mark.parametrize(
    ("name", "values", "is_nps"),
    [
        ("How satisfied are you?", ["Very satisfied", "Dissatisfied"], False),
        ("starRating", ["FIVE", "ONE"], False),
        ("Review score", ["5 out of 5", "1 out of 5"], False),
        ("How likely are you to recommend us?", ["10", "3", "8"], True),
        ("NPS", ["0", "9"], True),
        ("recommend", ["1", "5"], None),
        ("Size", ["1", "5"], None),
        ("Condition", ["good", "poor"], None),
    ],
)
def test_ratings_are_found_by_their_values_and_names(name, values, is_nps):
    found = find_columns({"id": FILE["id"], name: values * 50}, (), None)
    assert (found.stars, found.is_nps) == ((None, False) if is_nps is None else (name, is_nps))


def test_one_of_several_ratings_without_a_usual_name_is_not_guessed():
    assert (
        find_columns({"Food rating": FILE["Rating"], "Room rating": FILE["Rating"]}, (), None).stars is None
    )


def test_a_column_of_stars_is_preferred_to_answers_from_0_to_10():
    found = find_columns({"NPS": ["0", "9"] * 50, "Rating": FILE["Rating"]}, (), None)
    assert (found.stars, found.is_nps) == ("Rating", False)
