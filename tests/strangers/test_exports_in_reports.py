"""Dates and ratings of exports are found in a report, and named; `--by COLUMN:month` counts them."""

import csv
from datetime import datetime, timedelta

import pytest
from commands import invoke

GOOD, BAD = "An absolute joy, and the staff were kind.", "Terrible. Cold coffee and dirty tables."
START = datetime(2026, 3, 20, 22, 5)
WORDS = ("ONE", "FIVE")
SATISFIED = ("Very dissatisfied", "Very satisfied")

EXPORTS = {
    "Google Business Profile": ("createTime", "%Y-%m-%dT%H:%M:%S.123Z", "starRating", WORDS),
    "SurveyMonkey": ("End Date", "%m/%d/%Y %I:%M:%S %p", "How satisfied are you with us?", SATISFIED),
    "a shop in Britain": ("Review date", "%d/%m/%Y", "Rating", ("1 star", "5 stars")),
    "a shop in Germany": ("Date", "%d.%m.%y", "Rating", ("1 out of 5", "5 out of 5")),
    "Amazon": ("date", "Reviewed in the United States on %B %d, %Y", "rating", ("1.0 out of 5 stars", "5/5")),
    "a sheet": ("Timestamp", "%d-%b-%y", "Review stars", ("\u2605\u2606\u2606\u2606\u2606", "\u2605" * 5)),
    "NPS": (
        "responded_at",
        "%a, %d %b %Y %H:%M:%S +0000",
        "How likely are you to recommend us?",
        ("2", "10"),
    ),
}


@pytest.mark.parametrize("name", EXPORTS)
def test_dates_and_ratings_of_an_export(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    when, form, rating, values = EXPORTS[name]
    days = [START + timedelta(day) for day in range(40)]
    rows = [((BAD, GOOD)[day.day % 2], f"{day:{form}}", values[day.day % 2], "York") for day in days]
    with (tmp_path / "in.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("Comments", when, rating, "Town"), *rows])
    done = invoke("score", "in.csv", "-o", "out.csv", "--by", f"{when}:month", "--report", "page.html")
    assert done.exit_code == 0, done.output
    shown = [line.split()[:2] for line in done.stderr.splitlines() if line.startswith("2026-")]
    assert shown == [["2026-04", "28"], ["2026-03", "12"]]
    assert "first" not in done.stderr
    page = (tmp_path / "page.html").read_text("utf-8")
    for part in (f"by the column <bdi>{when}</bdi>", f": <bdi>{rating}</bdi></h3>", "20 March 2026"):
        assert part in page
    assert "100.0\N{NO-BREAK SPACE}%</b><span>agree with their" in page
