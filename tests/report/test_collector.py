"""What is collected equals a plain recount, whatever the ends of chunks."""

import random
from collections import Counter

import numpy as np
import pytest

from sentcli.errors import UsageError
from sentcli.report import collector
from sentcli.report.collector import LENGTH_BINS, LENGTHS, Collector, Columns
from sentcli.report.scored import figures_of, shelves_of
from sentcli.scoring import labels as counting

LABELS = ("negative", "positive")
ALL = ("negative", "neutral", "mixed", "positive")
COLUMNS = Columns(("product",), "date", "stars")
ROWS = 3_000


@pytest.fixture(scope="module")
def rows():
    """Rows with a text, a label, a score, and the values of `COLUMNS`; some texts are equal, some empty."""
    draw = random.Random(2)
    found = []
    for _ in range(ROWS):
        text = " ".join(["word", str(draw.randrange(500))] * draw.choice((1, 2, 5, 30, 120)))
        score = round(draw.random(), 6)
        label = "neutral" if 0.4 <= score <= 0.6 else LABELS[score > 0.5]
        if draw.random() < 0.05:
            text, label, score = None, None, None
        values = (
            draw.choice("abc"),
            f"2024-{draw.randint(1, 12):02}-07",
            draw.choice(["1", "2.0", "3", "4", "5", ""]),
        )
        found.append((text, label, score, *values))
    return found


def collect(rows, size):
    found = Collector(LABELS, COLUMNS)
    for start in range(0, len(rows), size):
        texts, labels, scores, *values = map(list, zip(*rows[start : start + size], strict=True))
        found.add(texts, labels, scores, dict(zip(COLUMNS.names, values, strict=True)))
    return found


def everything(found):
    return found.rows, found.by, found.counts, found.sample


@pytest.mark.parametrize("size", [1, 7, 512, ROWS])
def test_the_ends_of_chunks_change_nothing(rows, size, monkeypatch):
    monkeypatch.setattr(collector, "SAMPLE_SIZE", 300)
    assert everything(collect(rows, size)) == everything(collect(rows, 1000))


def test_counts_equal_a_plain_recount(rows):
    found = collect(rows, 512)
    labeled = [row for row in rows if row[1]]
    figures = figures_of(found)
    assert found.rows == ROWS
    assert figures["all"].labels == Counter(row[1] for row in labeled)
    bins = Counter(min(19, int(row[2] * 20)) for row in labeled)
    assert [group.labeled for group, _ in figures["bins"]] == [bins[place] for place in range(20)]
    lengths = Counter(max(start for start in LENGTHS if start <= len(row[0])) for row in labeled)
    named = dict(zip(LENGTHS, LENGTH_BINS, strict=True))
    counts = {group.value: group.labeled for group in figures["lengths"]}
    assert counts == {named[start]: count for start, count in lengths.items()}
    (table,) = figures["groups"]
    shares = {}
    for product in "abc":
        own = [row[1] for row in labeled if row[3] == product]
        shares[product] = len(own), own.count("positive") / len(own)
    assert {row.name: (row.all[1], row.share) for row in table.rows} == shares
    assert [row.rows for row in table.rows] == sorted((row.rows for row in table.rows), reverse=True)
    months = Counter(row[4][:7] for row in labeled)
    points = [group for _, group in figures["time"]["points"]]
    assert [group.labeled for group in points] == [months[month] for month in sorted(months)]
    assert points[0].value == "January 2024"
    late = Counter(row[1] for row in labeled if row[4] >= "2024-09")
    assert (figures["since"], figures["whole"].since) == ("2024-09-01", (late["positive"], late.total()))
    assert sum(row.part for row in table.groups) == pytest.approx(figures["whole"].points)
    clear = [row for row in labeled if row[5][:1] in {"1", "2", "4", "5"} and row[1] != "neutral"]
    agree = sum((row[5][:1] in "45") == (row[1] == "positive") for row in clear)
    assert figures["agree"].labels == {"disagree": len(clear) - agree, "agree": agree}


def test_shelves_hold_the_extreme_rows(rows):
    found = shelves_of(collect(rows, 512).sample)
    long = [row for row in rows if row[1] and len(row[0]) >= 30]
    for name, key in (
        ("negative", lambda row: row[2]),
        ("positive", lambda row: 1 - row[2]),
        ("uncertain", lambda row: abs(row[2] - 0.5)),
    ):
        best: dict = {}
        for row in sorted(long, key=key):
            best.setdefault(row[0][:60], row[2])
        assert [row.score for row in found[name]] == [*best.values()][:12]
    against = found["surprising"]
    assert len(against) == 12
    assert all((row.score > 0.5) == (row.stars in {1, 2}) for row in against)


def test_equal_texts_are_shown_once():
    found = Collector(LABELS, Columns())
    for _ in range(3):
        found.add(["the same words again and again"] * 50, ["positive"] * 50, [0.9] * 50, {})
    shelves = {name: len(rows) for name, rows in shelves_of(found.sample).items()}
    assert shelves == {**dict.fromkeys(("negative", "positive", "uncertain"), 1), "surprising": 0}


def test_the_sample_is_drawn_evenly():
    found = Collector(LABELS, Columns())
    count = 40_000
    found.add([str(row) for row in range(count)], ["positive"] * count, [0.9] * count, {})
    rows = [int(row.text) for row in found.sample]
    assert len(set(rows)) == collector.SAMPLE_SIZE
    halves = np.histogram(rows, bins=4, range=(0, count))[0]
    assert halves.min() > 0.9 * collector.SAMPLE_SIZE / 4


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(counting, "MOST_VALUES", 5)
    found = Collector(LABELS, Columns(("id",)))
    texts = [f"{row} {'x' * 10**6}" for row in range(20)]
    found.add(texts, ["positive"] * 20, [0.9] * 20, {"id": [*map(str, range(20))]})
    long = [f"{'long ' * 1000}{row}" for row in range(20)]
    found.add(["a"] * 20, ["negative"] * 20, [0.1] * 20, {"id": long})
    (table,) = figures_of(found)["groups"]
    assert [row.name for row in table.rows] == ["(other values)", "0", "1", "2", "3", "4"]
    assert table.rows[0].rows == 35
    assert max(len(row.text) for row in found.sample) <= 4_000
    assert max(len(value) for row in found.sample for value in row.groups) <= 200


@pytest.mark.parametrize("labels", [["good"], ["bad", "good", "odd"]])
def test_other_than_two_labels_are_refused(labels):
    with pytest.raises(UsageError, match=f"two labels, not {len(labels)}; sentcli score --by"):
        Collector(labels, Columns())
