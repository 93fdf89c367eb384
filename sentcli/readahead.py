"""Reading ahead: an iterable that runs in a thread, into a bounded queue."""

import queue
import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Generic, Self, TypeVar

Item = TypeVar("Item")

_LAST_READ = 0.5  # seconds to wait for a thread that was told to stop; one that reads a pipe may never end


class ReadAhead(Generic[Item]):
    """The items of an iterable, taken from it by a thread of its own.

    :param items: what the thread goes through.
    :param size: items that may wait; the thread holds one more.
    :param notify: called in the thread when there is something to get.
    """

    def __init__(self, items: Iterable[Item], size: int, notify: Callable[[], None] = lambda: None) -> None:
        self._items = items
        self._notify = notify
        self._queue: queue.Queue[Item | BaseException | None] = queue.Queue(size)
        self._stopped = threading.Event()
        self._ended = threading.Event()
        # A daemon: a read that blocks on a pipe must not keep a stopped program alive.
        self._thread = threading.Thread(target=self._run, name="sentcli-reader", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join(_LAST_READ)

    def ready(self, count: int = 1) -> bool:
        """Tell whether so many calls of `get` would not wait; the end or an error is one of them."""
        return self._queue.qsize() >= count

    @property
    def has_ended(self) -> bool:
        """Nothing more will be read; what waits, and the end, can still be got."""
        return self._ended.is_set()

    def get(self) -> Item | BaseException | None:
        """Give the next item, at the end None, or the error that ended the iterator."""
        return self._queue.get()

    def _run(self) -> None:
        end: BaseException | None = None
        try:
            for item in self._items:
                if not self._put(item):
                    return
        except BaseException as error:  # it is raised again where the items are used
            end = error
        self._ended.set()
        self._put(end)

    def _put(self, item: Item | BaseException | None) -> bool:
        while not self._stopped.is_set():
            try:
                self._queue.put(item, timeout=0.1)
            except queue.Full:
                continue
            self._notify()
            return True
        return False
