import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentcli.tables.format_scores import six_decimals


def test_what_is_not_there():
    assert six_decimals([None, 0.25, None], b"null") == [b"null", b"0.250000", b"null"]
    assert six_decimals([], b"") == []


@pytest.mark.parametrize("score", [0.0, 1.0, 1 - 1e-16, 5e-7, 1e-300, 0.999_999_5, 0.009_999_5])
def test_numbers_at_the_borders(score):
    near = [np.nextafter(score, -1), score, np.nextafter(score, 2)]
    near = [value for value in near if value >= 0]
    assert six_decimals(near, b"") == [b"%.6f" % value for value in near]


def test_halves_are_rounded_as_their_binary_fractions_lie():
    halves = (np.arange(0, 1_000_000, 7) + 0.5) / 1_000_000
    scores = np.concatenate([np.nextafter(halves, 0), halves, np.nextafter(halves, 1)]).tolist()
    assert six_decimals(scores, b"") == [b"%.6f" % score for score in scores]


@given(st.lists(st.floats(0, 1) | st.floats(0, 1, width=32), max_size=20))
def test_probabilities(scores):
    assert six_decimals(scores, b"") == [b"%.6f" % score for score in scores]


@pytest.mark.parametrize("score", [-0.25, -0.0, 1.000_001, 12.5, 1e12])
def test_numbers_that_are_no_probabilities(score):
    assert six_decimals([score, 0.5], b"") == [b"%.6f" % score, b"0.500000"]
