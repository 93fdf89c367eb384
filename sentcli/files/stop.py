"""Stop requests: signal handlers set a flag, and loops check it.

An exception from a handler could leave a lock taken or lose data. So the handlers only record the signal, and
loops call `check` between two steps. Without `install`, as in a program that uses sentcli as a library,
Ctrl-C raises KeyboardInterrupt as usual.
"""

import signal
import threading
import time
from types import FrameType

from sentcli.errors import STOP_SIGNALS, StopRequested

LOOK_SECONDS = 0.1  # the longest wait of a loop between two checks of the flag
# A terminal and a process manager often send the same request twice, at nearly the same time.
_REPEAT_SECONDS = 1.0

_requests: list[tuple[int, float]] = []  # signals, each with its time


def install() -> None:
    """Clear the flag, and let SIGINT, SIGTERM and SIGHUP set it; ignored signals stay ignored.

    Another signal more than a second after the first has its default effect, so that a process that does not
    check the flag can be ended. Outside the main thread, where Python allows no handlers, this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    _requests.clear()
    for number in STOP_SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup leaves SIGHUP
            signal.signal(number, _note)


def requested() -> int | None:
    """Return the signal that asked this process to stop, or None."""
    return _requests[0][0] if _requests else None


def check() -> None:
    """Raise an error if a signal asked this process to stop. Call this between two steps of a loop."""
    if _requests:
        raise StopRequested(_requests[0][0])


def _note(number: int, frame: FrameType | None) -> None:
    now = time.monotonic()
    _requests.append((number, now))
    if now - _requests[0][1] > _REPEAT_SECONDS:
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)
