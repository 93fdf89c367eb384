"""Threads that run batches and, a few of them at a time, encode the texts of the next ones."""

import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Value = TypeVar("Value")

# Encoding takes 10 to 20 % of the time of batches, so one thread in four keeps up.
_THREADS_PER_ENCODER = 4


@dataclass(frozen=True)
class _Task(Generic[Value]):
    future: Future[Value]
    function: Callable[..., Value]
    arguments: tuple[Any, ...]

    def run(self) -> None:
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            value = self.function(*self.arguments)
        except BaseException as error:  # it is raised again where the result is used
            self.future.set_exception(error)
        else:
            self.future.set_result(value)


class Workers:
    """A pool of threads with two kinds of work. `close` ends them.

    Encoding is taken up first, so that batches never run out. But while there are batches only one thread in
    four encodes, and at least one: encoding takes the interpreter's lock again and again, so that two would
    wait for each other and for the reader; a batch does without it.

    :param count: threads.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._most_encoders = max(1, count // _THREADS_PER_ENCODER)
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._pool = ThreadPoolExecutor(self._count, "sentcli-worker")
        self._encoders = 0
        self._lock = threading.Lock()
        self._encodings: deque[_Task[Any]] = deque()
        self._batches: deque[_Task[Any]] = deque()

    def close(self) -> None:
        """Wait for what is running; what has not begun is cancelled."""
        for task in (*self._encodings, *self._batches):
            task.future.cancel()
        self._pool.shutdown(wait=True)

    def encode(self, function: Callable[..., Value], *arguments: Any) -> Future[Value]:
        """Have a thread encode texts."""
        self._outlive_fork()
        return self._submit(self._encodings, function, arguments)

    def run(self, function: Callable[..., Value], *arguments: Any) -> Future[Value]:
        """Have a thread run a batch; they are begun in the order in which they come."""
        self._outlive_fork()
        return self._submit(self._batches, function, arguments)

    def _outlive_fork(self) -> None:
        """Begin anew in a forked process: the threads stayed behind, and nobody would do the work."""
        if self._process != os.getpid():
            self._begin()

    def _submit(
        self, tasks: deque[_Task[Any]], function: Callable[..., Value], arguments: tuple[Any, ...]
    ) -> Future[Value]:
        future: Future[Value] = Future()
        tasks.append(_Task(future, function, arguments))
        self._pool.submit(self._take)  # it takes the task that is next by then: as many calls as tasks
        return future

    def _take(self) -> None:
        with self._lock:
            has_room = self._encoders < self._most_encoders or not self._batches
            encodes = bool(self._encodings) and has_room
            task = (self._encodings if encodes else self._batches).popleft()
            self._encoders += encodes
        task.run()
        with self._lock:
            self._encoders -= encodes
