"""The deletion test removes the words that it was told to."""

import random

import explain
import numpy as np
import pytest

import sentcli

TEXTS = ["It is an absolute joy. " + "We saw it on a rainy evening in the old town by the sea. " * 2]


@pytest.fixture(scope="module")
def scorer():
    with sentcli.load(workers=1) as scorer:
        yield scorer


def test_the_score_falls_most_without_the_words_that_decided(scorer):
    odds = explain.log_odds(scorer, TEXTS)
    (words,) = scorer.parts.words(TEXTS)
    ranked = sorted(words, key=lambda word: word.part)
    least, most = (explain.fall(scorer, TEXTS, [chosen], odds)[0] for chosen in (ranked[:2], ranked[-2:]))
    assert odds[0] > 0
    assert most > 1 > least


def test_words_are_replaced_by_blanks(scorer):
    (words,) = scorer.parts.words(["a joy, a joy"])
    assert explain.without("a joy, a joy", [words[3], words[0]]) == "  joy, a    "


def test_an_empty_text_has_even_odds(scorer):
    assert explain.log_odds(scorer, ["..."]).tolist() == [0]


def test_texts_are_drawn_from_each_file(scorer, tmp_path):
    files = []
    for name in ("a", "b"):
        files.append(tmp_path / f"{name}.csv")
        rows = [f"{name} joy {number} {'so ' * number}good" for number in range(40)]
        files[-1].write_text("text\n" + "\n".join(rows) + "\n")
    drawn = explain.sample(scorer, files, 7, random.Random(1))
    assert sorted(text[0] for text in drawn) == [*"aaabbbb"]
    assert all(len(text.split()) >= 20 for text in drawn)


def test_a_row_shows_the_mean_its_interval_and_the_labels_that_change():
    falls = [np.array([1.0, 3.0, -1.0, 5.0])]
    assert explain.row("exact", falls, np.array([2.0, 2.0, -2.0, 9.0]), 4.04).split() == [
        *("exact", "2.00", "(-0.19", "to", "4.19)", "25.0%", "4.0")
    ]
