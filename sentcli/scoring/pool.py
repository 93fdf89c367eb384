"""Threads: prefetched chunks, waits that a signal can end, and the number of cores to use."""

import gc
import math
import os
import sys
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from pathlib import Path, PurePosixPath
from queue import Empty, Queue
from typing import TypeVar

from sentcli.files import stop

Item = TypeVar("Item")
Value = TypeVar("Value")

# Control groups of version 2: the file that names the group of this process, and the folder with all groups.
_OWN_GROUP, _GROUPS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")
_LAST_READ_SECONDS = 0.5  # to wait for the reader at the end; a read from a pipe may never return


def usable_cores() -> int:
    """Return the number of cores that the scheduler's affinity and the quotas of control groups allow."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([cores, *_quotas()]))


def _quotas() -> Iterator[int]:
    """Yield how many cores the control group of this process and each group above it may use."""
    try:
        lines = _OWN_GROUP.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        lines = []
    group = PurePosixPath(next((line[4:] for line in lines if line.startswith("0::/")), "."))
    for folder in (group, *group.parents):
        with suppress(OSError, ValueError):  # "max" means no quota
            quota, period = map(int, (_GROUPS / folder / "cpu.max").read_text("ascii").split())
            yield math.ceil(quota / period)


def tune_interpreter() -> None:
    """Change the settings of a process that only scores. A library leaves them to its program."""
    gc.set_threshold(100_000)  # each row makes objects, none makes cycles: short rows take 8 % less time
    # Scoring threads need the interpreter's lock for microseconds between calls that release it. CPython's
    # default of 5 ms, for which a thread may keep it, is longer than most of these calls.
    sys.setswitchinterval(0.0005)


def wait_for(future: "Future[Value]") -> Value:
    """Return the result of a future, and check for stop requests while waiting.

    :raises RuntimeError: when the pool was closed before the task began.
    """
    try:
        while not future.done():
            stop.check()
            with suppress(TimeoutError):
                future.exception(stop.LOOK_SECONDS)  # waits without raising the error of the task
        return future.result()
    except CancelledError:
        raise RuntimeError("the scorer was closed") from None


def prefetch(
    items: Iterable[Item], begin: Callable[[Item], Value], limit: int
) -> Generator[tuple[Item, Value], None, None]:
    """Read items in a separate thread, and call `begin` with each as soon as it is read.

    An error of the iterable is raised after the items before it. Close the generator to end the thread.

    :param begin: starts the work on an item; it runs in the reader thread and must not wait for the work.
    :param limit: most items in progress, including the one yielded last; the thread holds one more.
    :returns: each item with the value that `begin` returned, in order.
    """
    queue: Queue[tuple[Item, Value] | BaseException | None] = Queue()  # None at the end
    room = threading.Semaphore(limit)
    is_closed = threading.Event()

    def read() -> None:
        try:
            for item in items:
                room.acquire()
                if is_closed.is_set():
                    return
                queue.put((item, begin(item)))
            queue.put(None)
        except BaseException as error:
            queue.put(error)

    # A daemon thread, because a read that blocks on a pipe must not keep a stopped program alive.
    thread = threading.Thread(target=read, name="sentcli-reader", daemon=True)
    thread.start()
    try:
        while isinstance(entry := _take(queue), tuple):
            yield entry
            room.release()
        if entry:
            raise entry
    finally:
        is_closed.set()
        room.release()
        thread.join(_LAST_READ_SECONDS)


def _take(queue: "Queue[Value]") -> Value:
    """Return the next entry, and check for stop requests while waiting."""
    # Not a SimpleQueue, which in Python 3.11 waits forever if a signal comes at the very end of its timeout.
    while True:
        stop.check()
        with suppress(Empty):
            return queue.get(timeout=stop.LOOK_SECONDS)
