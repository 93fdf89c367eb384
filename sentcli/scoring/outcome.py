"""What comes of work that another thread or process does."""

from collections.abc import Callable
from queue import SimpleQueue
from typing import Generic, TypeVar

Value = TypeVar("Value")

CLOSED = "the scorer was closed"  # what a RuntimeError says where work can no longer be done


class Outcome(Generic[Value]):
    """A value or an error, once it is known.

    Unlike a `Future` of the standard library it takes no lock in Python code. There the exception of a
    signal, of Ctrl-C or a time limit, can leave the lock taken: whoever knows the outcome waits forever.

    :param notify: called when it is known, in the thread that knows it.
    """

    def __init__(self, notify: Callable[[], None] = lambda: None) -> None:
        self.is_known = False
        self.is_wanted = True
        self._notify = notify
        self._told: SimpleQueue[None] = SimpleQueue()
        self._value: Value
        self._error: BaseException | None = None

    def give(self, value: Value) -> None:
        self._value = value
        self._tell()

    def fail(self, error: BaseException) -> None:
        self._error = error
        self._tell()

    def _tell(self) -> None:
        self.is_known = True
        self._told.put(None)
        self._notify()

    def cancel(self) -> None:
        """Say that nobody waits: what has not begun need not."""
        self.is_wanted = False

    def result(self, timeout: float | None = None) -> Value:
        """Wait, in one thread, and give the value or raise the error.

        :param timeout: seconds; after them `queue.Empty` is raised.
        """
        if not self.is_known:
            self._told.get(timeout=timeout)
        if self._error:
            raise self._error
        return self._value
