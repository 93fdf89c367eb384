import json
from collections import Counter

from sentcli.runs.summary import Summary


def test_the_lines_of_a_summary_leave_out_zero_counts():
    summary = Summary(1234, 5, 6, 7, 200, 3, Counter(positive=3, negative=1), scored=1234, seconds=2.0)
    assert summary.lines() == [
        "1,234 rows, 5 rejected, 6 blank, 7 truncated, 1.5% of the words unknown to the model",
        "negative 25.0%, positive 75.0%",
        "617 rows/s, 2.0 s",
    ]
    assert Summary(rows=1, tokens=4, labels=Counter(positive=1), scored=1, seconds=0.5).lines() == [
        "1 row, 0.0% of the words unknown to the model",
        "positive 100.0%",
        "2 rows/s, 0.5 s",
    ]
    assert Summary(seconds=0.1).lines() == ["0 rows"]
    several = Summary(rows=2, text_columns=["text", "a, b", "text"])
    assert several.lines() == ["2 rows, texts in 'a, b' and 'text'"]


def test_a_summary_is_read_back_from_its_record():
    summary = Summary(rows=2, labels=Counter(positive=1), text_columns=["text"], inputs=[{"path": "a"}])
    assert Summary(**json.loads(json.dumps(summary.to_record()))) == summary
    assert (summary + summary).labels == {"positive": 2}
