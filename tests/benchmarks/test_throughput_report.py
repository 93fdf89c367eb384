import json

import pytest
import throughput_report
from throughput_report import ROOT, SERVICES, Report, pages, rates, replaced

SETS = ("imdb", "steam", "tweets")


def record(key, seconds, accuracy, model=None):
    """Return a tool that scores 100 reviews in these seconds, of which a half is its start."""
    measured = {name: {"balanced_accuracy": accuracy, "calibration_error": 0.01} for name in SETS}
    return {
        "key": key,
        "title": key.capitalize(),
        "how": "one core",
        "model": model,
        "cores": 2,
        "size_mb": 12.0,
        "memory_mib": 300,
        "accuracy": {"imdb": measured, "mix": measured} if model else {"mix": measured},
        "rows": {"start": 1, "reviews": 100, "short": 1000},
        "seconds": {
            "start": [each / 2 for each in seconds],
            "reviews": seconds,
            "short": [2 * each for each in seconds],
        },
    }


def report(*records, code="old"):
    described = {
        "processor": "a processor",
        "cores": 2,
        "vector_instructions": [],
        "gpu": None,
        "versions": {},
    }
    return Report(
        {
            "commit": "1234567",
            "code": code,
            "has_unseen_model": False,
            "machine": described,
            "data": {"learned": ["hotels"], "reviews": ["steam"], "sentences": ["tweets"]},
            "lengths": {"characters": 1294.0, "units_100": 13.44, "units_1000": 1.75},
            "rounds": 2,
            "systems": [*records],
            "left_out": {"spacy": "spacy is not installed"},
        }
    )


OURS = record("sentcli", [2.0, 4.0], 0.9)


def test_a_speed_leaves_out_the_start():
    assert rates(OURS, "reviews") == [100, 50]
    assert [round(value) for value in rates(OURS, "short")] == [333, 167]


def test_what_is_faster_stands_first_with_what_it_costs():
    found = report(OURS, record("slow", [20.0, 20.0], 0.8), record("fast", [1.0, 1.0], 0.875, "fast"))
    assert (
        "- 3 (2 to 4) times as fast: Fast (one core); 2.5 points less accurate on IMDb"
        in found.what_is_faster()
    )
    assert "Slow" not in found.what_is_faster()
    assert "- 7.5 (5 to 10) times as fast as Slow (one core)" in found.what_is_slower()
    rows = found.table().splitlines()[2:]
    assert [row.split(" | ")[0] for row in rows] == ["| Fast", "| **Sentcli**", "| Slow"]
    assert found.readme().startswith("Two cores score 100 IMDb reviews per second")
    assert (
        "Faster: Fast. They learned from the same reviews, and are 2.5 to 2.5 points less" in found.readme()
    )
    assert "more accurate there: none of the tools." in found.readme()
    assert "more accurate there: Best." in report(OURS, record("best", [1.0, 1.0], 0.95)).readme()


def test_what_is_left_out_is_named():
    assert "- `spacy`: spacy is not installed" in report(OURS).speed_page()
    assert "No tool is faster than sentcli." in report(OURS).speed_page()


def test_each_training_has_a_row():
    rows = report(OURS, record("vw", [1.0, 1.0], 0.8, "vw")).accuracies().splitlines()
    assert [row.split(" | ")[:2] for row in rows[2:]] == [
        ["| **Sentcli**", "-"],
        ["| Vw", "IMDb"],
        ["| Vw", "IMDb and reviews"],
    ]


def test_figures_of_other_code_are_called_old(monkeypatch):
    assert "has changed since" in report(OURS).readme()
    monkeypatch.setattr(throughput_report, "digest_of_code", lambda model: "new")
    assert "has changed since" not in report(OURS, code="new").readme()
    assert "has changed since" not in report(OURS, code="new").speed_page()


def test_services_charge_by_tiers():
    lengths = {"characters": 1290.0, "units_100": 12.0, "units_1000": 2.0}
    found = {name: round(price(lengths), 2) for name, _, price, _ in SERVICES}
    assert found["Amazon Comprehend"] == 1_100  # 10 at 100 and 2 at 50
    assert found["Google Natural Language"] == 1_495  # all but 5,000 of a million at 1,000, one at 500
    assert found["Azure AI Language"] == 1_625
    assert found["gpt-5-nano, batch"] == 10  # (60 + 300) * 0.025 + 5 * 0.2


def test_a_page_needs_both_markers():
    page = "a\n<!-- throughput -->\nold\n<!-- end of throughput -->\nb"
    assert replaced(page, "new") == page.replace("old", "new")
    with pytest.raises(ValueError, match="no <!-- throughput -->"):
        replaced("a\n<!-- throughput -->\n", "new")


def test_the_documents_have_the_committed_figures():
    """If code that scores or the model changes, the documents say so, or have the figures of a new run."""
    measured = json.loads((ROOT / "benchmarks" / "results" / "throughput.json").read_text("utf-8"))
    for path, page in pages(measured).items():
        assert path.read_text("utf-8") == page, "run: python benchmarks/throughput.py --docs"
