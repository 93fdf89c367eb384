"""Trainings side by side, each in a process of its own: one training cannot make use of many cores."""

import logging
import logging.handlers
import multiprocessing
import os
import signal
import threading
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partialmethod
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from tqdm import tqdm

from sentcli.errors import InterruptedRunError, ProcessError, SentcliError
from sentcli.scoring import stop

_log = logging.getLogger("sentcli")

Work = Callable[[], object]

_CONTEXT = multiprocessing.get_context("spawn")  # threads are at work here: a fork could hang


def run_side_by_side(works: Sequence[Work], at_once: int) -> None:
    """Run functions at the same time, so many at once, in their order; what they log is logged here.

    When one fails, or a signal comes, the others get SIGTERM, and the time to save what they have.

    :param works: picklable, so importable by name.
    :raises SentcliError: what the first of them raised that failed.
    :raises InterruptedRunError: when a signal stopped one of them.
    """
    waiting = deque(works)
    running: dict[Connection, _Running] = {}
    try:
        # In the main thread, the exception of a signal could end a start half way, and none would know of it.
        with ThreadPoolExecutor(1) as starter:
            starter.submit(int).result()  # its thread is there: the same goes for the start of that
            while waiting or running:
                count = min(len(waiting), at_once - len(running))
                started = [starter.submit(_start, running).result() for _ in range(count)]
                for connection in started:
                    _hand_over(waiting.popleft(), connection)
                error = _next_outcome(running, stop.check)
                if error:
                    raise error
    except KeyboardInterrupt as error:
        outcomes = _terminate(running)
        raise next((each for each in outcomes if isinstance(each, InterruptedRunError)), error) from None
    finally:
        _terminate(running)


@dataclass(frozen=True)
class _Running:
    """A process.

    :param line: of the terminal for its bars, from 0.
    """

    process: SpawnProcess
    line: int


def _start(running: dict[Connection, _Running]) -> Connection:
    """Start a process and enter it among those that are running."""
    line = min(set(range(len(running) + 1)) - {each.line for each in running.values()})
    ours, theirs = _CONTEXT.Pipe()
    process = _CONTEXT.Process(target=_run, args=(theirs, _log.level, line))
    # It inherits this: while it imports, Ctrl-C would end it with a traceback.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    process.start()
    running[ours] = _Running(process, line)
    theirs.close()  # the process has its own: when it ends, so does the pipe
    return ours


def _hand_over(work: Work, connection: Connection) -> None:
    """Send a process its work: all its texts, which are no arguments, since only what runs can be ended."""
    with suppress(ConnectionError):  # it is gone, and `_next_outcome` says so
        connection.send(work)


def _next_outcome(
    running: dict[Connection, _Running], check: Callable[[], None] = lambda: None
) -> BaseException | None:
    """Log what they log until one of them ends, and return its error.

    :param check: called several times a second.
    """
    while True:
        check()
        found = wait(list(running), stop.LOOK_SECONDS)
        for connection in [each for each in found if isinstance(each, Connection)]:
            process = running[connection].process
            try:
                message: logging.LogRecord | BaseException | None = connection.recv()
            except (EOFError, OSError):  # it is gone, in the midst of a message perhaps
                process.join()
                hint = "; is memory short? try --threads 1" if process.exitcode == -signal.SIGKILL else ""
                message = ProcessError(f"a process that trains ended with exit code {process.exitcode}{hint}")
            if isinstance(message, logging.LogRecord):
                _log.handle(message)
            else:
                process.join()
                del running[connection]
                return message


def _terminate(running: dict[Connection, _Running]) -> list[BaseException | None]:
    """End them, and give their errors. Until then they are listened to: on a full pipe they would wait."""
    for each in running.values():
        each.process.terminate()
    return [_next_outcome(running) for _ in range(len(running))]


class _Sender(logging.handlers.QueueHandler):
    """Logs into a pipe. A queue has a lock, which one that is killed while it logs would keep for ever."""

    queue: Any  # the pipe

    def enqueue(self, record: logging.LogRecord) -> None:
        self.queue.send(record)


def _run(connection: Connection, level: int, line: int) -> None:
    """Be one of the processes."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _log.handlers, _log.propagate = [_Sender(connection)], False  # type: ignore[arg-type]
    _log.setLevel(level)
    tqdm.__init__ = partialmethod(tqdm.__init__, position=line)
    try:
        work: Work = connection.recv()  # imports what it consists of
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        work()
        connection.send(None)
    except KeyboardInterrupt:  # between two steps that save
        connection.send(InterruptedRunError("stopped; the same command with --resume goes on", signal.SIGINT))
    except Exception as error:
        if not isinstance(error, SentcliError):  # a mistake in the program: say where
            error.add_note(traceback.format_exc())
        connection.send(error)


def _end_with_parent() -> None:
    """End this process when the one that started it is gone, whatever it died of."""
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
    os._exit(1)
