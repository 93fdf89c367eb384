import itertools
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from weakref import ref

import pytest

from sentcli.errors import DataError, StopRequested
from sentcli.files import stop
from sentcli.scoring.pool import prefetch, wait_for


def begin(item: int) -> str:
    return f"begun {item}"


def readers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "sentcli-reader"]


def test_items_come_in_order_with_what_was_begun() -> None:
    assert list(prefetch(range(100), begin, 3)) == [(number, f"begun {number}") for number in range(100)]
    assert list(prefetch([], begin, 3)) == []
    assert not readers()


def test_memory_holds_few_items_ahead_and_none_behind() -> None:
    begun: list[ref[frozenset[int]]] = []
    items = prefetch(map(frozenset, zip(itertools.count())), lambda item: begun.append(ref(item)), 3)
    ahead, alive = [], []
    for number in range(1, 10):
        next(items)
        time.sleep(0.02)
        ahead.append(len(begun) - number)
        alive.append(sum(item() is not None for item in begun))
    items.close()
    assert (max(ahead), max(alive)) == (2, 3)
    assert not readers()


@pytest.mark.parametrize("place", ["reading", "beginning"])
def test_an_error_comes_out_after_the_items_before_it(place: str) -> None:
    def numbers() -> Iterator[int]:
        yield from range(4)
        if place == "reading":
            raise DataError("line 5: broken")
        yield 4

    def start(number: int) -> int:
        if number == 4:
            raise DataError("line 5: broken")
        return number

    items = prefetch(numbers(), start, 2)
    assert [next(items)[0] for _ in range(4)] == [0, 1, 2, 3]
    with pytest.raises(DataError, match="line 5: broken"):
        next(items)
    assert not readers()


def test_closing_early_ends_the_reader_and_closes_what_it_read() -> None:
    closed = threading.Event()

    def endless() -> Iterator[int]:
        try:
            yield from itertools.count()
        finally:
            closed.set()

    items = prefetch(endless(), begin, 2)
    next(items)
    items.close()
    assert not readers()
    assert closed.is_set()


def test_a_reader_that_waits_for_a_pipe_does_not_hold_up_the_end() -> None:
    more = threading.Event()

    def waiting() -> Iterator[int]:
        yield 1
        more.wait(timeout=20)

    items = prefetch(waiting(), begin, 2)
    next(items)
    started = time.monotonic()
    items.close()
    assert time.monotonic() - started < 10
    more.set()


@pytest.mark.parametrize("waits_for", ["an item", "a future"])
def test_a_stop_request_ends_a_wait_within_a_second(waits_for: str) -> None:
    more = threading.Event()

    def waiting() -> Iterator[int]:
        more.wait(timeout=20)
        yield 1

    wait = {"an item": lambda: next(prefetch(waiting(), begin, 2)), "a future": lambda: wait_for(Future())}
    stop.install()
    threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGTERM)).start()
    started = time.monotonic()
    with pytest.raises(StopRequested):
        wait[waits_for]()
    assert time.monotonic() - started < 5
    more.set()


def test_a_task_of_a_closed_scorer_that_runs_ends_and_the_rest_say_that_it_is_closed() -> None:
    workers, may_end, done = ThreadPoolExecutor(1), threading.Event(), []

    def work() -> int:
        may_end.wait(20)
        done.append(1)
        return 7

    running, waiting = workers.submit(work), workers.submit(work)
    while not running.running():
        time.sleep(0.001)
    threading.Timer(0.1, may_end.set).start()
    workers.shutdown(cancel_futures=True)
    assert done == [1]
    assert wait_for(running) == 7
    with pytest.raises(RuntimeError, match="the scorer was closed"):
        wait_for(waiting)
