"""Processes that score for this one: a second interpreter has a lock of its own.

Each gets tasks over a pipe and answers them in order. They are started afresh and not forked, since threads
are at work here. They hold nothing that has to be saved: they are ended by a kill, and end by themselves when
the pipe closes, whatever this process died of.
"""

import multiprocessing
import os
import signal
import subprocess
import sys
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from queue import SimpleQueue
from threading import Event, Lock, Thread
from typing import Any, Generic, TypeVar
from weakref import WeakSet

import numpy as np
import numpy.typing as npt

from sentcli.errors import STOP_SIGNALS, ProcessError, SentcliError
from sentcli.files.textcolumn import TextBlock, TextColumn, are_wide
from sentcli.scoring.outcome import CLOSED, Outcome

Answer = TypeVar("Answer")
Work = Callable[[Iterator["Texts"]], Iterable[Answer]]

# What a process starts with: the same sentcli as here, before anything is imported from elsewhere.
_CODE = """
import sys
sys.path[:] = sys.argv[2:]
from sentcli.scoring.processes import serve
serve(int(sys.argv[1]))
"""


@dataclass(frozen=True)
class Texts:
    """A task. It is handed over in one piece, much faster than a list of strings.

    :param texts: None, which counts as blank, arrives as an empty one.
    """

    texts: Sequence[str | None]

    def __reduce__(self) -> tuple[Any, ...]:
        encoded = TextColumn.of(self.texts).to_utf8()
        return _unpack, (b"".join(encoded), np.cumsum([0, *map(len, encoded)]))


def _unpack(data: bytes, borders: npt.NDArray[np.int64]) -> Texts:
    return Texts(TextColumn.of(TextBlock(data, borders[:-1], borders[1:], are_wide(data, borders), "utf-8")))


class Processes(Generic[Answer]):
    """Several processes at work. `close` ends them, and so does the end of this process.

    :param works: a function for each process, importable by name. It gets the tasks as they come and gives
        one answer for each, in order. The process is ready when it asks for the first one.
    """

    def __init__(self, works: Iterable[Work[Answer]]) -> None:
        self._processes = [_Process(work) for work in works]

    def start(self) -> None:
        """Start all. They are made before: after a signal half way, `close` finds those that have to end."""
        for process in self._processes:
            process.start()

    def are_ready(self) -> bool:
        """Tell whether all have started.

        :raises SentcliError: when one of them could not.
        """
        return all(process.is_ready() for process in self._processes)

    def submit(
        self, texts: Sequence[str | None], notify: Callable[[], None] = lambda: None
    ) -> Outcome[Answer]:
        """Hand a task to the process that has the least to do.

        :param notify: see `Outcome`.
        :returns: what raises the error of the work, or ProcessError when the process is gone.
        """
        return min(self._processes, key=lambda process: process.tasks).submit(texts, notify)

    def close(self) -> None:
        """End the processes, whatever they are at."""
        for process in self._processes:
            process.close()


class _Process(Generic[Answer]):
    """A process, and two threads: one starts it and hands it tasks, the other takes its answers."""

    def __init__(self, work: Work[Answer]) -> None:
        self._connection, self._theirs = multiprocessing.Pipe()
        self._process: subprocess.Popen[bytes] | None = None
        self._started = Event()
        self._calls: SimpleQueue[bool] = SimpleQueue()  # True: something waits; False: it is the end
        self._waiting: deque[tuple[Sequence[str | None], Outcome[Answer]]] = deque()  # to be handed over
        self._lock = Lock()  # on the two that follow, and on what is taken from those that wait
        self._open: deque[Outcome[Answer]] = deque()  # answers that are to come
        self._error: BaseException | None = None
        self._is_ready = False
        _open.add(self)
        self._threads = [
            Thread(target=self._send, args=(work,), name="sentcli-tasks", daemon=True),
            Thread(target=self._receive, name="sentcli-answers", daemon=True),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    @property
    def tasks(self) -> int:
        return len(self._waiting) + len(self._open)

    def is_ready(self) -> bool:
        if self._error:
            raise self._error.with_traceback(None)  # not with those of all who asked before
        return self._is_ready

    def submit(self, texts: Sequence[str | None], notify: Callable[[], None]) -> Outcome[Answer]:
        outcome: Outcome[Answer] = Outcome(notify)
        # Both in one step: were a signal's exception to leave one alone, each later task would get the answer
        # to another.
        self._waiting.append((texts, outcome))
        self._calls.put(True)
        if self._error:  # if only just now, there may be no thread left to take it
            self._fail(self._error)
        return outcome

    def close(self) -> None:
        with self._lock:  # before it is killed: memory is not short
            self._error = self._error or RuntimeError(CLOSED)
        self._calls.put(False)
        started = [thread for thread in self._threads if thread.ident]
        if self._threads[0] in started:
            self._started.wait()
        if self._process:
            self._process.kill()
            self._process.wait()
        self._theirs.close()
        for thread in started:
            thread.join()
        self._connection.close()

    def let_go(self) -> None:
        """Close the pipe in a forked process: it is not to stay open when the one that commands has ended."""
        self._theirs.close()
        self._connection.close()

    def _send(self, work: Work[Answer]) -> None:
        """Start the process and hand it its work.

        Not in the main thread: there the exception of a signal could end this half way.
        """
        try:
            # Signals to a whole group or session are for the process that commands; the others, which inherit
            # the mask, go when it does.
            signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
            self._process = _start(self._theirs)
        except OSError as error:  # too many processes, no memory
            self._fail(ProcessError(f"a process cannot be started: {error.strerror}; try --processes 1"))
        finally:
            self._theirs.close()  # the process has its own: when it ends, so does the pipe
            self._started.set()
        try:
            self._connection.send(work)
            while self._calls.get():
                while (texts := self._next()) is not None:
                    self._connection.send(Texts(texts))
        except OSError:  # it is gone, and `_receive` says so
            return
        except Exception as error:  # no memory; nobody may wait for an answer to what was never sent
            self._fail(ProcessError(f"a process that scores cannot be handed its work: {error!r:.200}"))

    def _next(self) -> Sequence[str | None] | None:
        with self._lock:
            if not self._waiting:
                return None
            texts, outcome = self._waiting.popleft()
            self._open.append(outcome)
            return texts

    def _receive(self) -> None:
        try:
            while True:
                answer: Any = self._connection.recv()
                if answer is None:
                    self._is_ready = True
                elif isinstance(answer, BaseException):
                    self._fail(answer)
                else:
                    with self._lock:
                        outcome = self._open.popleft()
                    outcome.give(answer)
        except (EOFError, OSError):
            self._started.wait()
            self._fail(ProcessError(self._last_words()))
        except Exception as error:  # of unpickling; nobody may wait for an answer that nobody can read
            self._fail(ProcessError(f"what a process that scores answered cannot be read: {error!r:.200}"))

    def _fail(self, error: BaseException) -> None:
        """Answer all that is to come with an error; the first one is what happened."""
        with self._lock:
            self._error = self._error or error
            outcomes = [*self._open]
            self._open.clear()
            while self._waiting:  # one by one: more may come
                outcomes.append(self._waiting.popleft()[1])
        for outcome in outcomes:
            outcome.fail(self._error)

    def _last_words(self) -> str:
        code = self._process.wait() if self._process else 0
        if code >= 0:
            return f"a process that scores ended with exit code {code}; try --processes 1"
        hint = "; is memory short? Try fewer --processes" if -code == signal.SIGKILL else ""
        names = {each.value: each.name for each in signal.Signals}  # of those for real time, two have one
        return f"a process that scores was ended by {names.get(-code, f'signal {-code}')}{hint}"


_open: WeakSet[_Process[Any]] = WeakSet()


def _let_go_all() -> None:
    for process in [*_open]:
        process.let_go()


os.register_at_fork(after_in_child=_let_go_all)


def _start(theirs: Connection) -> "subprocess.Popen[bytes]":
    number = theirs.fileno()
    return subprocess.Popen(  # noqa: S603  # nothing in it comes from a user
        [sys.executable, "-c", _CODE, str(number), *sys.path],
        pass_fds=[number],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # whoever reads the rows would wait until this process has closed it too
    )


def serve(number: int) -> None:
    """Be one of the processes.

    :param number: the descriptor of its end of the pipe.
    """
    connection = Connection(number)
    try:
        try:
            work = connection.recv()
            for answer in work(_tasks(connection)):
                connection.send(answer)
        except Exception as error:
            if not isinstance(error, SentcliError):  # a mistake in the program: say where
                error.add_note(traceback.format_exc())
            connection.send(error)
    except OSError:  # nobody is there to be told
        return


def _tasks(connection: Connection) -> Iterator[Texts]:
    connection.send(None)
    while True:
        try:
            yield connection.recv()
        except (EOFError, OSError):
            os._exit(0)  # nobody waits for what is still at work
