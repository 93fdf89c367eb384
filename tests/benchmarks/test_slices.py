"""The bias probe is balanced, and its figures say how far the terms move the scores."""

import csv
from collections import Counter

import numpy as np
import pytest

pytest.importorskip("sklearn")
import slices


class Liking:
    """A scorer that likes one term, and has no score for another."""

    def probabilities(self, texts):
        scores = [0.9 if "Ann" in text else np.nan if "Bob" in text else 0.4 for text in texts]
        return np.array([[1 - score, score] for score in scores])


def test_the_spread_is_that_of_the_terms_in_each_sentence():
    rows = [
        {"kind": "names", "pattern": pattern, "term": term, "text": pattern.replace("_", term)}
        for pattern in ("_ came.", "I like _.")
        for term in ("Ann", "Bob", "Cid")
    ]
    (row,) = slices.spreads(Liking(), rows)
    assert row == ["names", "3", "2", "0.500", "0.500", "2", "0.400 Cid", "0.900 Ann"]


def test_each_sentence_of_the_probe_has_each_term():
    with (slices.PROBES / "bias.csv").open(newline="", encoding="utf-8") as file:
        rows = [*csv.DictReader(file)]
    assert len({row["text"] for row in rows}) == len(rows)
    for kind in {row["kind"] for row in rows}:
        of_kind = [row for row in rows if row["kind"] == kind]
        pairs = {(row["pattern"], row["term"]) for row in of_kind}
        patterns, terms = ({pair[place] for pair in pairs} for place in (0, 1))
        assert len(pairs) == len(of_kind) == len(patterns) * len(terms)
        labels = Counter(row["label"] for row in of_kind)
        assert labels["negative"] == labels["positive"] > labels["neutral"] > 0
