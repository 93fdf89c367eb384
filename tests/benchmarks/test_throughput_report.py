import json
from pathlib import Path

import pytest
from measured import record, result
from throughput_report import (
    BEGIN,
    END,
    better_peers,
    docs_block,
    frontier,
    ratios,
    write_docs,
)

ROOT = Path(__file__).parents[2]


def keys(records):
    return [found["key"] for found in records]


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


def test_the_upper_bound_of_a_published_accuracy_counts():
    heavy = record("distilbert-torch", [1, 1], None, published=[0.92, 0.93])
    assert keys(frontier([heavy, record("sentcli", [5, 5], 0.925)])) == ["distilbert-torch", "sentcli"]


def test_ratios_are_taken_round_by_round():
    ours, theirs = record("sentcli", [100, 300, 200], 0.9), record("fasttext", [100, 100, 200], 0.8)
    (ratio,) = ratios(result(ours, theirs, record("vader", [1, 1, 1], 0.7)))
    assert (ratio.key, ratio.median, ratio.lowest, ratio.highest) == ("fasttext", 1.0, 1.0, 3.0)
    assert ratio.reached
    (ratio,) = ratios(result(ours, record("tfidf", [100, 200, 150], 0.8)))
    assert not ratio.reached


def test_a_peer_that_is_faster_and_more_accurate_is_named():
    ours = record("sentcli", [100], 0.9)
    peers = [record("fasttext", [200], 0.89), record("tfidf", [90], 0.95), record("vader", [101], 0.91)]
    assert better_peers(result(ours, *peers)) == ["Vader"]
    assert better_peers(result(record("torch-fp32", [200], 0.95, is_peer=False), ours)) == []


def test_a_page_gets_its_part_and_keeps_the_rest(tmp_path):
    path = tmp_path / "speed.md"
    path.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", "utf-8")
    measured = result(record("sentcli", [10], 0.9))
    for _ in range(2):
        write_docs(path, measured)
        assert path.read_text("utf-8") == f"before\n{docs_block(measured)}\nafter\n"
    path.write_text("nothing\n", "utf-8")
    with pytest.raises(ValueError, match="has no <!-- throughput -->"):
        write_docs(path, measured)


def test_the_docs_have_the_committed_results():
    page = (ROOT / "docs" / "speed.md").read_text("utf-8")
    block = page[page.index(BEGIN) : page.index(END) + len(END)]
    measured = json.loads((ROOT / "benchmarks" / "results" / "throughput.json").read_text("utf-8"))
    assert block == docs_block(measured)
