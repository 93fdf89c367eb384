import json
from pathlib import Path

from throughput_report import BEGIN, END, docs_block, frontier, ratios

ROOT = Path(__file__).parents[2]


def record(key, pipeline, accuracy):
    return {"key": key, "pipeline": pipeline, "accuracy": accuracy, "published": None}


def keys(records):
    return [record["key"] for record in records]


def test_no_system_beats_one_of_the_frontier_in_both():
    records = [
        record("slow", [1, 3], 0.95),
        record("worse", [90, 110], 0.80),  # as fast as the next, and less accurate
        record("fast", [90, 110], 0.85),
        record("beaten", [50, 60], 0.84),
        record("sentcli", [60, 70], 0.90),
    ]
    assert keys(frontier(records)) == ["slow", "sentcli", "fast"]
    assert keys(frontier(records[::-1])) == ["slow", "sentcli", "fast"]
    assert frontier([]) == []


def test_ratios_are_taken_round_by_round():
    ours, theirs = record("sentcli", [100, 300, 200], 0.9), record("fasttext", [100, 100, 200], 0.8)
    (ratio,) = ratios({"systems": [ours, theirs, record("vader", [1, 1, 1], 0.7)]})
    assert (ratio.key, ratio.median, ratio.lowest, ratio.highest) == ("fasttext", 1.0, 1.0, 3.0)
    assert ratio.reached
    (ratio,) = ratios({"systems": [ours, record("tfidf", [100, 200, 150], 0.8)]})
    assert not ratio.reached


def test_the_docs_have_the_committed_results():
    page = (ROOT / "docs" / "speed.md").read_text("utf-8")
    block = page[page.index(BEGIN) : page.index(END) + len(END)]
    measured = json.loads((ROOT / "benchmarks" / "results" / "throughput.json").read_text("utf-8"))
    assert block == docs_block(measured)
