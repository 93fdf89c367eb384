import json
from collections import Counter
from dataclasses import replace

from sentcli.runs.summary import Summary
from sentcli.scoring.labels import Counts


def test_the_lines_of_a_summary_leave_out_zero_counts():
    summary = Summary(
        rows=1234,
        rejected=5,
        blank=6,
        no_known_word=8,
        truncated=7,
        tokens=200,
        unknown=2,
        labels=Counter(positive=3, negative=1),
        scored=1234,
        seconds=2.0,
    )
    assert summary.lines("out.csv") == [
        "out.csv: 1,234 rows, 5 rejected in 2 s, 617 rows/s",
        "1 negative (25.0%), 3 positive (75.0%), 6 blank, 8 no known word",
        "1.0% of the words unknown to the model, 7 truncated",
    ]
    assert Summary(rows=1, tokens=4, labels=Counter(positive=1), scored=1, seconds=0.5).lines() == [
        "1 row in 0.5 s",
        "1 positive (100.0%)",
        "0.0% of the words unknown to the model",
    ]
    assert Summary(rows=9, scored=9000, seconds=90.2).lines() == ["9 rows in 1 min 30 s, 100 rows/s"]
    assert Summary(seconds=0.1).lines() == ["0 rows"]
    several = Summary(rows=2, text_columns=["text", "a, b", "text"])
    assert several.lines() == ["2 rows", "texts in 'a, b' and 'text'"]


def test_the_labels_of_ordered_classes_are_stars():
    stars = Summary(rows=6, blank=1, labels=Counter({"1": 1, "5": 3, "10": 1}), scored=6)
    assert stars.lines(ordered=True)[1] == "5.2 stars on average, 10: 20.0%, 5: 60.0%, 1: 20.0%, 1 blank"
    assert stars.lines()[1] == "1 1 (20.0%), 1 10 (20.0%), 3 5 (60.0%), 1 blank"
    assert Summary(rows=1, blank=1).lines(ordered=True) == ["1 row", "1 blank"]


def test_from_two_percent_of_rows_in_another_language_on_there_is_a_warning():
    other = Summary(rows=1040, blank=40, other_language=20)
    assert other.warning.startswith("20 of 1,040 rows are perhaps in another language: more than 30% of the ")
    assert "--null-unknown 0.3" in other.warning
    assert ["perhaps in another language", 20] in other.to_sheet("model", "positive")
    assert not replace(other, other_language=19).warning
    assert not Summary(rows=2, blank=2).warning
    assert Summary(rows=1, other_language=1).warning.startswith("1 of 1 row is")


def test_a_summary_is_read_back_from_its_record():
    summary = Summary(rows=2, labels=Counter(positive=1), text_columns=["text"], inputs=[{"path": "a"}])
    assert Summary(**json.loads(json.dumps(summary.to_record()))) == summary
    assert (summary + summary).labels == {"positive": 2}


def test_counts_add_up_in_themselves_and_in_a_summary():
    first = Counts(blank=1, tokens=5, labels=Counter(positive=2))
    second = Counts(blank=2, unknown=3, labels=Counter(positive=1, negative=1))
    labels = Counter(positive=3, negative=1)
    assert first + second == Counts(blank=3, tokens=5, unknown=3, labels=labels)
    assert Summary(rows=7, blank=1) + first + second == Summary(
        rows=7, blank=4, tokens=5, unknown=3, labels=labels
    )
