"""Reading ahead: an iterable that runs in a thread, into a bounded queue."""

import threading
from collections.abc import Callable, Iterable
from queue import SimpleQueue
from types import TracebackType
from typing import Generic, Self, TypeVar

Item = TypeVar("Item")

_LAST_READ = 0.5  # seconds to wait for a thread that was told to stop; one that reads a pipe may never end


class ReadAhead(Generic[Item]):
    """The items of an iterable, taken from it by a thread of its own.

    :param items: what the thread goes through.
    :param size: items that may wait; the thread holds one more. Those that were got count until `make_room`.
    :param notify: called in the thread when there is something to get.
    """

    def __init__(self, items: Iterable[Item], size: int, notify: Callable[[], None] = lambda: None) -> None:
        self._items = items
        self._notify = notify
        # Not a Queue and Events: the exception of a signal can leave their locks taken, see `Outcome`.
        self._queue: SimpleQueue[Item | BaseException | None] = SimpleQueue()
        self._room: SimpleQueue[None] = SimpleQueue()  # one for each item that the queue may take
        for _ in range(size):
            self._room.put(None)
        self._is_stopped = False
        self.has_ended = False  # nothing more will be read; what waits, and the end, can still be got
        # A daemon: a read that blocks on a pipe must not keep a stopped program alive.
        self._thread = threading.Thread(target=self._run, name="sentcli-reader", daemon=True)

    def __enter__(self) -> Self:
        try:
            self._thread.start()
        except BaseException:  # of a signal: it may have started, and there will be no `__exit__`
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()
        self._thread.join(_LAST_READ)

    def _stop(self) -> None:
        self._is_stopped = True
        self._room.put(None)

    def ready(self, count: int = 1) -> bool:
        """Tell whether so many calls of `get` would not wait; the end or an error is one of them."""
        return self._queue.qsize() >= count

    @property
    def is_at_last(self) -> bool:
        """The last item waits, and behind it the end or an error."""
        return self.has_ended and self._queue.qsize() == 2

    def get(self) -> Item | BaseException | None:
        """Give the next item, at the end None, or the error that ended the iterator."""
        return self._queue.get()

    def make_room(self, count: int) -> None:
        """Let so many more items wait, in place of those that were got."""
        for _ in range(count):
            self._room.put(None)

    def _run(self) -> None:
        end: BaseException | None = None
        try:
            for item in self._items:
                if not self._put(item):
                    return
        except BaseException as error:  # it is raised again where the items are used
            end = error
        self._queue.put(end)  # it takes no room
        self.has_ended = True
        self._notify()

    def _put(self, item: Item) -> bool:
        self._room.get()
        if self._is_stopped:
            return False
        self._queue.put(item)
        self._notify()
        return True
