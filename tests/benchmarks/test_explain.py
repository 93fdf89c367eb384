"""The deletion test removes the words that it was told to."""

import explain
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
