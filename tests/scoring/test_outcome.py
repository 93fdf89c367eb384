"""Outcomes: told once, to the thread that waits."""

import queue
import threading

import pytest

from sentcli.scoring.outcome import Outcome


def test_who_waits_gets_the_value_and_may_ask_again():
    outcome = Outcome()
    threading.Timer(0.1, outcome.give, [7]).start()
    assert [outcome.result(20), outcome.result(20)] == [7, 7]


def test_who_waits_gets_the_error_and_may_ask_again():
    outcome = Outcome()
    threading.Timer(0.1, outcome.fail, [ValueError("seven")]).start()
    for _ in range(2):
        with pytest.raises(ValueError, match="seven"):
            outcome.result(20)


def test_nobody_waits_for_longer_than_the_limit():
    with pytest.raises(queue.Empty):
        Outcome().result(0.01)


def test_who_is_told_finds_it_known():
    found = []
    outcome = Outcome(lambda: found.append((outcome.is_known, outcome.result(0))))
    outcome.give(None)
    assert found == [(True, None)]


def test_it_is_known_before_anybody_is_woken():
    """Who was woken and asks again would wait for a second word that never comes."""
    found = []

    class Told:
        def put(self, _):
            found.append(outcome.is_known)

    outcome = Outcome()
    outcome._told = Told()
    outcome.give(7)
    assert found == [True]
