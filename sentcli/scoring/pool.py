"""Thread pools for chunks and their batches, and a reader thread that prefetches chunks."""

import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import suppress
from queue import Empty, Queue
from typing import TypeVar

from sentcli.scoring import stop

Item = TypeVar("Item")
Value = TypeVar("Value")

# Encoding takes 10 to 20 % of the time of the batches, so one encoder keeps four workers busy. More would
# wait for each other: encoding takes the interpreter's lock again and again, a batch does without it.
_WORKERS_PER_ENCODER = 4
_LAST_READ_SECONDS = 0.5  # to wait for a reader that was told to stop; one that reads a pipe may never end


class Pools:
    """Two pools of threads: one encodes chunks, the other runs their batches. `close` ends them.

    Two, since encoding must not wait until all earlier batches have begun: workers would idle meanwhile.

    :param workers: threads that run batches.
    :ivar in_flight: the number of chunks that keeps all threads busy.
    """

    def __init__(self, workers: int) -> None:
        encoders = -(-workers // _WORKERS_PER_ENCODER)
        self.in_flight = 2 + workers // _WORKERS_PER_ENCODER  # one is run while another one is encoded
        self.encoders = ThreadPoolExecutor(encoders, "sentcli-encoder")
        self.workers = ThreadPoolExecutor(workers, "sentcli-worker")

    def close(self) -> None:
        """Wait for what is running and cancel the rest."""
        for executor in (self.encoders, self.workers):  # in this order: encoders submit to workers
            executor.shutdown(cancel_futures=True)


def result(future: "Future[Value]") -> Value:
    """Wait for the result of a future, and look for stop requests meanwhile.

    :raises RuntimeError: when the pool was closed before the work began.
    """
    try:
        while not future.done():
            stop.check()
            with suppress(TimeoutError):
                future.exception(stop.LOOK_SECONDS)  # waits, and does not raise the error of the work
        return future.result()
    except CancelledError:
        raise RuntimeError("the scorer was closed") from None


def prefetch(
    items: Iterable[Item], begin: Callable[[Item], Value], limit: int
) -> Generator[tuple[Item, Value], None, None]:
    """Read items in a thread of their own, and begin the work on each as soon as it is read.

    An error of the iterable comes out after the items before it. Close the generator to end the thread.

    :param begin: called in that thread; it must not wait for the work.
    :param limit: items that were begun and are not done with, including the one that was yielded last; the
        thread holds one more.
    :returns: each item with what `begin` returned, in order.
    """
    found: Queue[tuple[Item, Value] | BaseException | None] = Queue()
    room = threading.Semaphore(limit)
    is_closed = threading.Event()

    def read() -> None:
        error = None
        try:
            for item in items:
                room.acquire()
                if is_closed.is_set():
                    return
                found.put((item, begin(item)))
        except BaseException as raised:
            error = raised
        found.put(error)  # or None: the end

    # A daemon: a read that blocks on a pipe must not keep a stopped program alive.
    thread = threading.Thread(target=read, name="sentcli-reader", daemon=True)
    thread.start()
    try:
        while isinstance(next_one := _next(found), tuple):
            yield next_one
            room.release()
        if next_one:
            raise next_one
    finally:
        is_closed.set()
        room.release()
        thread.join(_LAST_READ_SECONDS)


def _next(queue: "Queue[Value]") -> Value:
    # Not a SimpleQueue: in Python 3.11 a signal at the very end of its timeout makes it wait for ever.
    while True:
        stop.check()
        with suppress(Empty):
            return queue.get(timeout=stop.LOOK_SECONDS)
