"""Terms of sentences that a simple score labels."""

import numpy as np
import pytest

from sentcli.report.words import Terms

SIGNS = {"lovely": 1, "fine": 1, "rude": -1, "dirty": -1}


def score(texts):
    """Score a text by four words; without one, in the middle."""
    sums = [sum(SIGNS.get(word, 0) for word in text.lower().replace(".", "").split()) for text in texts]
    return np.array([0.5 + 0.45 * np.sign(total) for total in sums])


TEXTS = [
    *["The front desk was rude. The pool was lovely."] * 30,
    *["Our pool is fine. My front desk was dirty. It was told."] * 30,
    *["I called. A kettle was there."] * 30,
]


@pytest.fixture(scope="module")
def terms():
    return Terms(TEXTS, score)


EVERYONE = np.arange(len(TEXTS))


def test_topics_stand_apart_from_judgments(terms):
    for sign, topic, judging in ((1, "pool", {"lovely", "fine"}), (-1, "front desk", {"rude", "dirty"})):
        topics, words = terms.of(EVERYONE, sign, 10, 10)
        assert [term.name for term in topics] == [topic]
        assert {term.name for term in words} == judging


def test_a_term_counts_texts_and_quotes_sentences(terms):
    (topic,), _ = terms.of(EVERYONE, -1, 10, 0)
    assert topic.texts == 60
    assert len(topic.quotes) == 3
    assert all(sentence in TEXTS[text] and "front desk" in sentence for text, sentence in topic.quotes)


def test_only_the_texts_that_count(terms):
    _, words = terms.of(EVERYONE[:30], -1, 10, 10)
    assert [term.name for term in words] == ["rude"]
    assert terms.of(EVERYONE[60:], 1, 10, 10) == ([], [])


def test_texts_without_a_term():
    assert Terms(["", "!"], score).of(np.arange(2), 1, 10, 10) == ([], [])


def test_long_texts_are_read_up_to_a_limit():
    texts = [f"The pool was lovely. {'x' * 500_000}"] * 10
    assert Terms(texts, score).texts == 3
