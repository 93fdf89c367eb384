"""Locks in a forked process."""

import multiprocessing
import os
import threading

import numpy as np
import pytest

from sentcli.scoring.scorer import Scorer
from sentcli.text import encoder as encoding
from sentcli.text.forks import ForkSafeLock

SECONDS = 20

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


def code_of_fork(work) -> int | None:
    """Run work in a forked process; its exit code is 7 when it comes to its end."""
    process = multiprocessing.get_context("fork").Process(target=lambda: (work(), os._exit(7)))
    process.start()
    process.join(SECONDS)
    process.kill()
    return process.exitcode


def beside(lock, work) -> None:
    """Do work while another thread holds a lock."""
    is_held, may_end = threading.Event(), threading.Event()

    def hold():
        with lock:
            is_held.set()
            may_end.wait(SECONDS)

    thread = threading.Thread(target=hold)
    thread.start()
    is_held.wait(SECONDS)
    try:
        work()
    finally:
        may_end.set()
        thread.join()


def enter(lock) -> None:
    with lock:
        pass


def test_a_lock_that_another_thread_holds_is_open_in_a_forked_process():
    lock = ForkSafeLock()

    def fork():
        assert code_of_fork(lambda: enter(lock)) == 7

    beside(lock, fork)
    enter(lock)


def test_it_is_a_lock():
    lock, order = ForkSafeLock(), []

    def start():
        thread = threading.Thread(target=lambda: (enter(lock), order.append("entered")))
        thread.start()
        thread.join(0.05)
        order.append("let go")
        return thread

    waiting = []
    beside(lock, lambda: waiting.append(start()))
    waiting[0].join(SECONDS)
    assert order == ["let go", "entered"]


def test_what_was_half_loaded_is_loaded_anew(trained, monkeypatch):
    monkeypatch.setattr(encoding, "_BULK", 1)
    texts = ["a warm and clever film", "dull and lifeless"]
    with Scorer(trained, workers=1) as scorer:
        expected = scorer.probabilities(texts)
    with Scorer(trained, workers=1) as scorer:
        engine = scorer._pipeline.engine

        def work():
            np.testing.assert_array_equal(scorer.probabilities(texts), expected)

        def fork():
            assert code_of_fork(work) == 7

        for lock in (engine.encoder._lock, engine.backend._lock):
            beside(lock, fork)
