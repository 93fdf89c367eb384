"""Workers: which of what waits is taken up next, how many threads encode, and how all of it ends."""

import gc
import itertools
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing

import pytest

from sentcli.scoring.outcome import Outcome
from sentcli.scoring.workers import Workers

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


def test_results_and_errors_come_out():
    with closing(Workers(2)) as workers:
        total = workers.encode(sum, [1, 2, 3])
        number = workers.run(int, "seven")
        assert total.result(SECONDS) == 6
        with pytest.raises(ValueError, match="seven"):
            number.result(SECONDS)


def test_encoding_goes_before_batches_that_came_earlier(held):
    order = []
    with closing(Workers(1)) as workers:
        workers.encode(len, "").result(SECONDS)  # one that has ended is none of those that encode
        first = held()
        workers.run(first)
        assert first.begun.wait(SECONDS)
        waiting = [workers.run(order.append, "batch"), workers.encode(order.append, "encoding")]
        first.may_end.set()
        for outcome in waiting:
            outcome.result(SECONDS)
    assert order == ["encoding", "batch"]


@pytest.mark.parametrize(
    ("threads", "batches_a_thread", "encoders"),
    [(2, 8, 1), (4, 8, 1), (8, 8, 2), (2, 2, 2)],  # else few would run out before the next ones are there
)
def test_while_there_are_many_batches_only_some_threads_encode(held, threads, batches_a_thread, encoders):
    with closing(Workers(threads)) as workers:
        blockers = [held() for _ in range(threads)]
        for blocker in blockers:
            workers.run(blocker)
        assert all(blocker.begun.wait(SECONDS) for blocker in blockers)
        encodings = [held() for _ in range(threads)]
        batches = [held() for _ in range(batches_a_thread * threads)]
        for encoding in encodings:
            workers.encode(encoding)
        for batch in batches:
            workers.run(batch)
        for blocker in blockers:
            blocker.may_end.set()
        run = threads - encoders
        assert all(work.begun.wait(SECONDS) for work in (*encodings[:encoders], *batches[:run]))
        assert not any(work.begun.is_set() for work in (*encodings[encoders:], *batches[run:]))
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
    while not all(outcome.is_known for outcome in rest):
        assert closing.is_alive()
    running.may_end.set()
    closing.join(SECONDS)
    assert first.result(SECONDS)
    for outcome in [*rest, workers.run(held())]:
        with pytest.raises(RuntimeError, match="the scorer was closed"):
            outcome.result(SECONDS)


def test_a_thread_whose_start_was_interrupted_is_waited_for_too(held, monkeypatch):
    workers, first, running = Workers(1), held(), held()

    def interrupted(thread):
        start(thread)
        assert first.begun.wait(SECONDS)
        raise TimeoutError  # as a time limit does

    start = threading.Thread.start
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", interrupted)
        with pytest.raises(TimeoutError):
            workers.run(first)
    outcome = workers.run(running)
    first.may_end.set()
    assert running.begun.wait(SECONDS)
    threading.Timer(0.2, running.may_end.set).start()
    workers.close()
    assert outcome.is_known


def test_threads_that_cannot_be_started_do_not_hold_up_the_end(monkeypatch):
    def full(thread):
        raise RuntimeError("can't start new thread")

    workers = Workers(2)
    assert workers.run(int, "1").result(SECONDS) == 1
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", full)
        with pytest.raises(RuntimeError, match="can't start"):
            workers.run(int, "2")
    workers.close()
    assert not threads()


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


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_threads_of_a_forked_process_may_all_begin_at_once():
    with closing(Workers(1)) as workers:
        workers.run(int, "1").result(SECONDS)
        for _ in range(30):
            process = multiprocessing.get_context("fork").Process(target=all_at_once, args=(workers,))
            process.start()
            process.join(SECONDS)
            assert process.exitcode == 8


def all_at_once(workers: Workers) -> None:
    sys.setswitchinterval(1e-6)
    results = []
    barrier = threading.Barrier(8)

    def begin() -> None:
        barrier.wait()
        results.append(workers.run(int, "2").result(SECONDS // 2))

    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os._exit(len(results))


def interrupted_at(place: int, function: Callable[[], object]) -> bool:
    """Call a function and raise where it has come so far; tell whether it has."""
    steps = itertools.count()

    def trace(frame: object, event: str, value: object) -> object:
        if next(steps) == place:
            raise TimeoutError  # as a time limit does
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    except TimeoutError:
        return True
    finally:
        sys.settrace(before)
    return False


@pytest.mark.parametrize("kind", ["run", "encode"])
def test_an_interrupt_wherever_it_comes_costs_no_later_work(kind):
    """Were a lock left taken or a task without a thread, all that comes later would wait forever."""
    gc.collect()  # an exception in a finalizer of what other tests have left would be none of this one
    with closing(Workers(1)) as workers:
        submit = getattr(workers, kind)
        submit(int, "1").result(SECONDS)
        place = 0
        while interrupted_at(place, lambda: submit(int, "2").result(SECONDS)):
            assert submit(int, "3").result(SECONDS) == 3
            place += 1
    assert place > 20


def test_workers_that_are_let_go_end_their_threads():
    workers = Workers(2)
    workers.run(int, "1").result(SECONDS)
    assert threads()
    del workers
    gc.collect()
    end = time.monotonic() + SECONDS
    while threads():
        assert time.monotonic() < end


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "sentcli-worker"]


def end_of(code: str) -> str:
    """Run a program and give what it printed."""
    code = f"import threading, time\nfrom sentcli.scoring.workers import Workers\n{code}"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=SECONDS, check=True
    )
    assert done.stderr == ""
    return done.stdout


def test_a_thread_that_goes_on_after_the_main_one_is_served():
    code = """
workers = Workers(1)
def late():
    threading.main_thread().join()
    print(workers.run(int, "7").result())
threading.Thread(target=late).start()
"""
    assert end_of(code) == "7\n"


def test_the_end_of_the_program_waits_for_what_is_running_alone():
    code = """
workers = Workers(1)
workers.run(lambda: (time.sleep(1), print("done")))
for _ in range(9):
    workers.run(time.sleep, 60)
time.sleep(0.2)
"""
    assert end_of(code) == "done\n"


def in_fork(submit: Callable[..., Outcome[int]]) -> None:
    os._exit(submit(int, "2").result(SECONDS))


def test_work_that_would_end_its_thread_is_told_of_and_costs_no_later_work():
    with closing(Workers(1)) as workers:
        with pytest.raises(SystemExit):
            workers.run(sys.exit).result(SECONDS)
        assert workers.run(int, "2").result(SECONDS) == 2


def test_a_thread_that_could_not_be_started_is_tried_again(monkeypatch):
    def full(thread):
        raise RuntimeError("can't start new thread")

    with closing(Workers(1)) as workers:
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", full)
            with pytest.raises(RuntimeError, match="can't start"):
                workers.run(int, "1")
        assert workers.run(int, "2").result(SECONDS) == 2


def test_no_more_threads_work_than_were_asked_for(held):
    with closing(Workers(1)) as workers:
        first, second = held(), held()
        with workers._team._lock:  # no thread can tell yet that it is at work
            workers.run(first)
            workers.run(second)
        assert first.begun.wait(SECONDS)
        assert not second.begun.wait(0.2)
        first.may_end.set()
        second.may_end.set()
        assert second.begun.wait(SECONDS)
