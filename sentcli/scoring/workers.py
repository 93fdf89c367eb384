"""Threads that run batches and, a few of them at a time, encode the texts of the next ones."""

import atexit
import os
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, Generic, TypeVar
from weakref import WeakSet, finalize

from sentcli.scoring.outcome import CLOSED, Outcome

Value = TypeVar("Value")

# Encoding takes 10 to 20 % of the time of batches, so one thread in four keeps up.
_THREADS_PER_ENCODER = 4
# Fewer run out before the next ones are there, and threads idle: with this two of them for 100 ms of 25,000
# reviews, with 4 or 12 for 115, with 0 for 130.
_BATCHES_PER_ENCODING = 6


@dataclass(frozen=True)
class _Task(Generic[Value]):
    outcome: Outcome[Value]
    function: Callable[..., Value]
    arguments: tuple[Any, ...]

    def run(self) -> None:
        if not self.outcome.is_wanted:
            return
        try:
            value = self.function(*self.arguments)
        except BaseException as error:  # it is raised again where the result is used
            self.outcome.fail(error)
        else:
            self.outcome.give(value)


class Workers:
    """A pool of threads with two kinds of work. `close` ends them.

    Encoding is taken up first, so that batches never run out. But while there are many of them only one
    thread in four encodes, and at least one: encoding takes the interpreter's lock again and again, so that
    two would wait for each other and for the reader; a batch does without it.

    Not a pool of the standard library. That one takes no work once the main thread has ended, though others
    may go on, and the exception of a signal can leave its locks taken, see `Outcome`.

    :param count: threads.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self.begin()
        _open.add(self)

    def begin(self) -> None:
        """Begin, or begin anew in a forked process: the threads stayed behind; nobody would do the work."""
        self._team = _Team(self._count)
        # No more than that when it is let go unclosed: it may be one of the threads that does this.
        finalize(self, self._team.end).atexit = False

    def close(self) -> None:
        """Wait for what is running; what has not begun is cancelled."""
        self._team.end()
        self._team.join()

    def encode(
        self, function: Callable[..., Value], *arguments: Any, notify: Callable[[], None] = lambda: None
    ) -> Outcome[Value]:
        """Have a thread encode texts."""
        return self._team.submit(self._team.encodings, _Task(Outcome(notify), function, arguments))

    def run(
        self, function: Callable[..., Value], *arguments: Any, notify: Callable[[], None] = lambda: None
    ) -> Outcome[Value]:
        """Have a thread run a batch; they are begun in the order in which they come."""
        return self._team.submit(self._team.batches, _Task(Outcome(notify), function, arguments))


class _Team:
    """The threads, and what waits for them. They hold it and not `Workers`, which can be let go unclosed."""

    def __init__(self, count: int) -> None:
        self.encodings: deque[_Task[Any]] = deque()
        self.batches: deque[_Task[Any]] = deque()
        self._calls: SimpleQueue[bool] = SimpleQueue()  # True: something waits; False: it is the end
        self._is_ended = False
        self._threads: list[Thread] = []
        self._lock = Lock()  # for these threads alone, on what follows
        self._count, self._at_work = count, 0
        self._most_encoders, self._encoders = max(1, count // _THREADS_PER_ENCODER), 0

    def submit(self, tasks: deque[_Task[Any]], task: _Task[Value]) -> Outcome[Value]:
        tasks.append(task)
        self._calls.put(True)
        if self._is_ended:  # if only just now, there may be no thread left to take it
            self._cancel()
        elif self._at_work < self._count:
            thread = Thread(target=self._work, name="sentcli-worker", daemon=True)
            self._threads.append(thread)  # first: a signal's exception may come while it starts
            thread.start()
        return task.outcome

    def end(self) -> None:
        """Have the threads end behind what they are at; what has not begun is cancelled."""
        self._is_ended = True
        self._cancel()
        self._calls.put(False)

    def join(self) -> None:
        for thread in [*self._threads]:
            if thread.is_alive():  # one that could not be started cannot be waited for
                thread.join()

    def _cancel(self) -> None:
        for tasks in (self.encodings, self.batches):
            with suppress(IndexError):  # a thread may take one at the same time
                while True:
                    tasks.popleft().outcome.fail(RuntimeError(CLOSED))

    def _work(self) -> None:
        with self._lock:
            if self._at_work == self._count:  # more were started at the same time
                return
            self._at_work += 1
        while self._calls.get():
            while self._take():  # not one a call: a signal's exception may have come between work and call
                pass
        self._calls.put(False)  # for the next thread

    def _take(self) -> bool:
        """Take what is next by now; False when there is nothing."""
        with self._lock:
            has_batches = len(self.batches) > _BATCHES_PER_ENCODING * len(self.encodings)
            has_room = self._encoders < self._most_encoders or not has_batches
            encodes = bool(self.encodings) and has_room
            try:
                task = (self.encodings if encodes else self.batches).popleft()
            except IndexError:
                return False
            self._encoders += encodes
        task.run()
        with self._lock:
            self._encoders -= encodes
        return True


_open: WeakSet[Workers] = WeakSet()


def _close_all() -> None:
    """Let no thread be in a library's code when the interpreter is taken down."""
    for workers in [*_open]:
        workers.close()


def _outlive_fork() -> None:
    for workers in [*_open]:
        workers.begin()


atexit.register(_close_all)
os.register_at_fork(after_in_child=_outlive_fork)  # before the new process has a second thread
