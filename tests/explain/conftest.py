"""The included model, and reviews with every kind of mark."""

import random

import invented
import pytest
import typography

import sentcli

REVIEWS = (
    'We paid $4.50 -- it was "fine", wasn\'t it? Mr. Lee (the owner) said: no... <br />Never again! 10/10',
    "Don't buy it; the over-priced A+ model broke after 3/4 of a year. Visit https://shop.example/bad now",
)


@pytest.fixture(scope="session")
def scorer():
    with sentcli.load(workers=2) as scorer:
        yield scorer


@pytest.fixture(scope="session")
def marked_reviews():
    """At least 5,000 reviews with typographic marks, HTML, emoji and letters in other shapes."""
    draw = random.Random(4)
    texts = [text for text, _ in invented.reviews(200, seed=3)]
    plain = [*texts, *(f"{REVIEWS[number % 2]} {text}" for number, text in enumerate(texts))]
    return [
        text for review in plain for text in typography.rewritings(review, draw.random() < 0.5, draw).values()
    ]
