"""Texts are rewritten in ways that keep their words."""

import random

import numpy as np
import pytest
import typography

from sentcli.text.normalize import normalize

TEXT = "I said \"it isn't bad\" -- but... <br />R&B fans, don't miss this one - the best album of this year!"
CLEARER = {"emoji of its label", "a letter repeated"}


@pytest.fixture
def rewritten():
    return typography.rewritings(TEXT, True, random.Random(4))


def test_each_rewriting_changes_the_text_and_keeps_its_words(rewritten):
    for name, text in rewritten.items():
        assert text != TEXT, name
        assert (normalize(text) == normalize(TEXT)) == (name not in CLEARER), name


def test_labels_that_are_lost_count_as_changed():
    nothing = [np.nan, np.nan]
    before = np.array([[0.9, 0.1], [0.4, 0.6], nothing, [0.3, 0.7], nothing])
    after = np.array([[0.2, 0.8], [0.4, 0.6], [0.5, 0.5], nothing, nothing])
    assert typography.compare(before, after) == (3, pytest.approx(0.7))
    assert typography.compare(before[:0], after[:0]) == (0, 0)
