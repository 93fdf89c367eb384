import logging
import os
import pickle
import signal
import time
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from sentcli.errors import DataError, InterruptedRunError, ProcessError
from sentcli.training.parallel import run_side_by_side

# What other processes do; they find it by its name.


@pytest.fixture(autouse=True)
def usual_ctrl_c():
    """Each Ctrl-C counts: a handler that a command left here would pass over the second of two."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def meet(own: Path, other: Path) -> None:
    """Go on when the other is there too."""
    own.touch()
    for _ in range(600):
        if other.exists():
            logging.getLogger("sentcli").info("%s met", own.name)
            return
        time.sleep(0.1)
    raise DataError(f"{own} is alone")


def fail() -> None:
    raise DataError("no such data")


def mistake() -> None:
    raise ValueError("a mistake in the program")


def wait_for_a_signal(path: Path) -> None:
    signal.signal(signal.SIGTERM, lambda number, frame: (path.touch(), os._exit(1)))
    path.with_suffix(".waits").touch()
    time.sleep(60)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_while_logging() -> None:
    """Leave behind half of a message, and every lock that is taken meanwhile."""

    def send_half(descriptor: int, data: bytes) -> None:
        os.write(descriptor, data[: len(data) // 2])
        die()

    Connection._send.__defaults__ = (send_half,)
    logging.getLogger("sentcli").info("half of this")
    time.sleep(60)


def log_and_save(path: Path) -> None:
    """When it is to end, log more than a pipe holds before it saves."""

    def save(number: int, frame: object) -> None:
        for count in range(100):
            logging.getLogger("sentcli").info("%d %s", count, "x" * 10_000)
        path.touch()
        os._exit(1)

    signal.signal(signal.SIGTERM, save)
    path.with_suffix(".waits").touch()
    time.sleep(60)


def interrupt() -> None:
    raise KeyboardInterrupt


def test_they_run_at_the_same_time_and_log_here(tmp_path, caplog):
    caplog.set_level(logging.INFO, "sentcli")
    one, two = tmp_path / "one", tmp_path / "two"
    run_side_by_side([partial(meet, one, two), partial(meet, two, one)], at_once=2)
    assert sorted(caplog.messages) == ["one met", "two met"]


class SlowToArrive:
    """Work that takes a while to reach the other process, which gets Ctrl-C meanwhile."""

    def __reduce__(self):
        return arrive, (os.getpid(),)

    def __call__(self) -> None:
        """Do nothing."""


def arrive(parent: int) -> SlowToArrive:
    if os.getpid() != parent:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.1)
    return SlowToArrive()


def test_ctrl_c_while_one_starts_is_an_interruption_without_a_traceback(capfd):
    with pytest.raises(InterruptedRunError, match="--resume"):
        run_side_by_side([SlowToArrive()], at_once=1)
    assert capfd.readouterr().err == ""


class Interrupting:
    """Part of a work. Where it arrives, it notes down that process, and gives this one Ctrl-C."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return interrupt_other, (os.getpid(), self.path)


def interrupt_other(pid: int, path: Path) -> None:
    path.write_text(str(os.getpid()))
    os.kill(pid, signal.SIGINT)
    time.sleep(60)


def ignore(*_: object) -> None:
    """Do nothing with it."""


def test_ctrl_c_while_a_work_arrives_leaves_no_process(tmp_path):
    path = tmp_path / "pid"
    with pytest.raises(KeyboardInterrupt):
        run_side_by_side([partial(ignore, Interrupting(path), b"x" * 1_000_000)], at_once=1)
    with pytest.raises(ProcessLookupError):
        os.kill(int(path.read_text()), 0)


def be_alone(path: Path) -> None:
    path.mkdir()  # fails where another one is
    time.sleep(0.3)
    path.rmdir()
    logging.getLogger("sentcli").info("was alone")


def test_no_more_than_so_many_run_at_once(tmp_path, caplog):
    caplog.set_level(logging.INFO, "sentcli")
    run_side_by_side([partial(be_alone, tmp_path / "here")] * 3, at_once=1)
    assert caplog.messages == ["was alone"] * 3


def fail_beside(path: Path) -> None:
    while not path.exists():
        time.sleep(0.05)
    fail()


def test_an_error_ends_the_others_with_time_to_save(tmp_path):
    path = tmp_path / "saved"
    works = [partial(wait_for_a_signal, path), partial(fail_beside, path.with_suffix(".waits"))]
    with pytest.raises(DataError, match="no such data"):
        run_side_by_side(works, at_once=2)
    assert path.exists()


def test_a_mistake_says_where():
    with pytest.raises(ValueError, match="a mistake in the program") as raised:
        run_side_by_side([mistake], at_once=1)
    assert "in mistake" in "".join(raised.value.__notes__)


def test_one_that_is_killed_is_an_error():
    with pytest.raises(ProcessError, match="ended with exit code -9; is memory short"):
        run_side_by_side([die], at_once=1)


def test_one_that_is_killed_while_it_logs_is_an_error(caplog):
    caplog.set_level(logging.INFO, "sentcli")  # or it would log nothing
    with pytest.raises(ProcessError, match="ended with exit code -9"):
        run_side_by_side([die_while_logging], at_once=1)


def test_an_interruption_has_the_exit_code_of_its_signal():
    with pytest.raises(InterruptedRunError, match="--resume") as raised:
        run_side_by_side([interrupt], at_once=1)
    assert raised.value.exit_code == 130
    again = pickle.loads(pickle.dumps(InterruptedRunError("stopped", 15)))
    assert (str(again), again.exit_code) == ("stopped", 143)


def signal_parent_beside(path: Path) -> None:
    while not path.exists():
        time.sleep(0.05)
    os.kill(os.getppid(), signal.SIGINT)
    time.sleep(60)


def test_ctrl_c_gives_them_time_to_save(tmp_path):
    path = tmp_path / "saved"
    with pytest.raises(KeyboardInterrupt):
        run_side_by_side(
            [partial(wait_for_a_signal, path), partial(signal_parent_beside, path.with_suffix(".waits"))],
            at_once=2,
        )
    assert path.exists()


@pytest.mark.parametrize("end", [signal_parent_beside, fail_beside])
def test_what_they_log_while_they_end_is_logged_here(end, tmp_path, caplog):
    caplog.set_level(logging.INFO, "sentcli")
    path = tmp_path / "saved"
    with pytest.raises((KeyboardInterrupt, DataError)):
        run_side_by_side([partial(log_and_save, path), partial(end, path.with_suffix(".waits"))], at_once=2)
    assert path.exists()
    assert len(caplog.messages) == 100
