"""Scorers, texts and files that the tests of scoring share."""

import random

import invented
import pytest
from texts import BLANK, ODD

from sentcli.scoring.scorer import Scorer


@pytest.fixture(scope="session")
def texts():
    """Texts of all lengths in no order, blank ones among them."""
    made = [text for text, _ in invented.reviews(200, seed=5)] + [*ODD, *BLANK]
    random.Random(0).shuffle(made)
    return made


@pytest.fixture(scope="session")
def expected(trained, texts):
    with Scorer(trained, workers=1) as scorer:
        return scorer.score(texts)


@pytest.fixture
def scorer(trained):
    with Scorer(trained, workers=2) as scorer:
        yield scorer
