"""The table and the code of docs/coming-from.md.

`python tests/test_coming_from.py` writes the scores of sentcli in the table again.
"""

import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import sentcli

PATH = Path(__file__).parents[1] / "docs" / "coming-from.md"
PAGE = PATH.read_text("utf-8")
TABLE = PAGE.partition("<!-- compared -->")[2].partition("<!-- end of compared -->")[0]
ROWS = [line.strip("| ").split(" | ") for line in TABLE.strip().splitlines()[2:]]
TEXTS = [row[0] for row in ROWS]
CODE = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def run(start: str) -> dict[str, Any]:
    """Run the code that begins with a line, and that which replaces it, on the texts of the table."""
    number = next(number for number, code in enumerate(CODE) if code.startswith(start))
    theirs: dict[str, Any] = {"texts": TEXTS}
    ours = dict(theirs)
    exec(CODE[number], theirs)
    exec(CODE[number + 1], ours)
    assert {*theirs} & {"labels", "compounds", "polarities"} == {*ours} & {
        "labels",
        "compounds",
        "polarities",
    }
    return {"theirs": theirs, "ours": ours}


def results() -> list[list[str]]:
    """Return the two cells of each text that sentcli fills."""
    with sentcli.load(neutral=True) as scorer:
        return [[f"{score:.3f}", label] for label, score in scorer.score(TEXTS)]


def test_the_table_has_the_scores_of_sentcli() -> None:
    assert [row[3:] for row in ROWS] == results()


def test_vader() -> None:
    pytest.importorskip("vaderSentiment")
    found = run("from vaderSentiment")
    assert [row[1] for row in ROWS] == [f"{x:.2f}" for x in found["theirs"]["compounds"]]
    assert {*found["ours"]["labels"]} == {*found["theirs"]["labels"]} == {"negative", "neutral", "positive"}
    assert all(-1 <= x <= 1 for x in found["ours"]["compounds"])


def test_textblob() -> None:
    pytest.importorskip("textblob")
    found = run("from textblob")
    assert [row[2] for row in ROWS] == [f"{x:.2f}" for x in found["theirs"]["polarities"]]
    assert all(-1 <= x <= 1 for x in found["ours"]["polarities"])


def test_comprehend(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(**request: Any) -> dict:
        assert request == {"TextList": TEXTS, "LanguageCode": "en"}
        return {"ResultList": [{"Index": 0, "Sentiment": "MIXED"}]}

    service = ModuleType("boto3")
    service.client = lambda name: SimpleNamespace(batch_detect_sentiment=answer)
    monkeypatch.setitem(sys.modules, "boto3", service)
    found = run("import boto3")
    assert found["theirs"]["labels"] == ["MIXED"]
    assert {*found["ours"]["labels"]} == {"NEGATIVE", "NEUTRAL", "POSITIVE"}


if __name__ == "__main__":
    page = PAGE
    for row, cells in zip(ROWS, results(), strict=True):
        page = page.replace(" | ".join(row), " | ".join([*row[:3], *cells]))
    PATH.write_text(page, "utf-8")
