import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from sentcli.errors import STOP_SIGNALS, StopRequested, signal_of
from sentcli.files import stop


def test_without_handlers_ctrl_c_raises_what_python_raises() -> None:
    with pytest.raises(KeyboardInterrupt) as caught:
        signal.raise_signal(signal.SIGINT)
    assert not isinstance(caught.value, StopRequested)
    stop.check()


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_a_signal_sets_the_flag_and_raises_nothing(number: int) -> None:
    stop.install()
    stop.check()
    assert stop.requested() is None
    signal.raise_signal(number)
    signal.raise_signal(signal.SIGTERM)  # sent again by another process: the first signal counts
    assert stop.requested() == number
    with pytest.raises(StopRequested) as caught:
        stop.check()
    assert signal_of(caught.value) == number


def test_installing_again_clears_the_flag() -> None:
    stop.install()
    signal.raise_signal(signal.SIGHUP)
    stop.install()
    stop.check()


def test_an_ignored_signal_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    stop.install()
    signal.raise_signal(signal.SIGHUP)
    stop.check()


def test_another_thread_than_the_main_one_installs_nothing() -> None:
    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=stop.install)
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_later_signal_ends_a_process_that_does_not_look() -> None:
    code = (
        "import time\nfrom sentcli.files import stop\nstop.install()\nprint(flush=True)\n"
        "while True: time.sleep(9)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    with process.stdout:
        process.stdout.readline()
    for _ in range(3):
        process.send_signal(signal.SIGINT)
        time.sleep(0.02)
    assert process.poll() is None
    time.sleep(stop._REPEAT_SECONDS)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=120) == -signal.SIGINT


def test_a_later_signal_has_its_default_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    stop.install()
    signal.raise_signal(signal.SIGTERM)
    monkeypatch.setattr(stop, "_REPEAT_SECONDS", 0)
    monkeypatch.setattr(signal, "raise_signal", lambda number: None)
    os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
