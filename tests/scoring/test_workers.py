"""Workers: which of what waits is taken up next, and how many threads encode."""

import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import closing

import pytest

from sentcli.workers import Workers

SECONDS = 20


class Held:
    """Work that says when it has begun, and ends when it may."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.may_end = threading.Event()

    def __call__(self) -> bool:
        self.begun.set()
        return self.may_end.wait(SECONDS)


@pytest.fixture
def held():
    made = []

    def make():
        made.append(Held())
        return made[-1]

    yield make
    for work in made:
        work.may_end.set()


def test_results_and_errors_come_out_of_the_futures():
    with closing(Workers(2)) as workers:
        total = workers.encode(sum, [1, 2, 3])
        number = workers.run(int, "seven")
        assert total.result(SECONDS) == 6
        with pytest.raises(ValueError, match="seven"):
            number.result(SECONDS)


def test_encoding_goes_before_batches_that_came_earlier(held):
    order = []
    with closing(Workers(1)) as workers:
        first = held()
        workers.run(first)
        assert first.begun.wait(SECONDS)
        waiting = [workers.run(order.append, "batch"), workers.encode(order.append, "encoding")]
        first.may_end.set()
        for future in waiting:
            future.result(SECONDS)
    assert order == ["encoding", "batch"]


@pytest.mark.parametrize(("threads", "encoders"), [(2, 1), (4, 1), (8, 2)])
def test_while_there_are_batches_only_some_threads_encode(held, threads, encoders):
    with closing(Workers(threads)) as workers:
        blockers = [held() for _ in range(threads)]
        for blocker in blockers:
            workers.run(blocker)
        assert all(blocker.begun.wait(SECONDS) for blocker in blockers)
        encodings = [held() for _ in range(threads)]
        batches = [held() for _ in range(threads)]
        for encoding, batch in zip(encodings, batches, strict=True):
            workers.encode(encoding)
            workers.run(batch)
        for blocker in blockers:
            blocker.may_end.set()
        assert all(work.begun.wait(SECONDS) for work in (*encodings[:encoders], *batches[:-encoders]))
        assert not any(work.begun.is_set() for work in (*encodings[encoders:], *batches[-encoders:]))
        for work in (*encodings, *batches):
            work.may_end.set()


def test_without_batches_every_thread_encodes(held):
    with closing(Workers(3)) as workers:
        encodings = [held() for _ in range(3)]
        for encoding in encodings:
            workers.encode(encoding)
        assert all(encoding.begun.wait(SECONDS) for encoding in encodings)
        for encoding in encodings:
            encoding.may_end.set()


def test_at_the_end_what_runs_is_waited_for_and_the_rest_cancelled(held):
    workers = Workers(1)
    running = held()
    first = workers.run(running)
    assert running.begun.wait(SECONDS)
    rest = [workers.run(held()), workers.encode(held())]
    closing = threading.Thread(target=workers.close)
    closing.start()
    while not all(future.cancelled() for future in rest):
        assert closing.is_alive()
    running.may_end.set()
    closing.join(SECONDS)
    assert first.result(SECONDS)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("kind", ["run", "encode"])
def test_a_forked_process_has_threads_of_its_own(kind):
    with closing(Workers(1)) as workers:
        assert workers.run(int, "1").result(SECONDS) == 1
        process = multiprocessing.get_context("fork").Process(target=in_fork, args=(getattr(workers, kind),))
        process.start()
        process.join(SECONDS)
        assert process.exitcode == 2
        assert workers.run(int, "3").result(SECONDS) == 3


def in_fork(submit: Callable[..., Future[int]]) -> None:
    os._exit(submit(int, "2").result(SECONDS))
