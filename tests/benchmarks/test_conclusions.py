"""A report names what is there, and rarely what is not: the short form of the benchmark."""

from conclusions import measure


def test_what_is_named_is_there():
    shares = measure(100)
    assert shares["no change, something named"] <= 0.05
    assert shares["75 to 40 %, named first"] >= 0.95
    assert shares["75 to 60 %, named first"] >= 0.3  # 0.47, if the former share was known without an error
    assert 0.93 <= shares["intervals that hold the true change"] <= 0.97
