"""Locks between processes: a run waits for them, and a dead process leaves none."""

import fcntl
import os
import signal
import threading
import time

import pytest

from sentcli.errors import LockedError, StopRequested
from sentcli.files import atomic, stop
from sentcli.files.atomic import Lock


@pytest.fixture
def busy(tmp_path):
    """Let another process hold the lock, until the test ends or kills it."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if not child:
        Lock(tmp_path / "out.txt")
        os.write(write_end, b"!")
        time.sleep(60)
        os._exit(0)
    os.read(read_end, 1)
    yield child
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def test_a_lock_that_stays_taken_is_an_error_after_the_wait(busy, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(atomic, "WAIT_SECONDS", 0.3)
    started = time.monotonic()
    with pytest.raises(LockedError, match=r"out\.txt: another run of sentcli is writing it; try again"):
        Lock(tmp_path / "out.txt")
    assert time.monotonic() - started >= 0.3
    assert caplog.messages == [
        f"{tmp_path / 'out.txt'}: another run of sentcli is writing it; waiting up to two minutes"
    ]


def test_a_lock_is_waited_for(tmp_path, caplog):
    first = Lock(tmp_path / "out.txt")
    threading.Timer(0.3, first.release).start()
    with Lock(tmp_path / "out.txt"):
        assert len(caplog.messages) == 1
    assert [*tmp_path.iterdir()] == []


def test_a_signal_ends_the_wait(busy, tmp_path, monkeypatch):
    monkeypatch.setattr(stop, "_requests", [(signal.SIGTERM, 0.0)])
    with pytest.raises(StopRequested):
        Lock(tmp_path / "out.txt")


def test_other_targets_are_free(busy, tmp_path):
    with Lock(tmp_path / "other.txt"):
        pass


def test_a_dead_process_holds_no_lock(busy, tmp_path):
    os.kill(busy, signal.SIGKILL)
    assert (tmp_path / ".out.txt.sentcli-lock").exists()
    with Lock(tmp_path / "out.txt"):
        pass
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("is_replaced", [False, True])
def test_a_lock_file_removed_by_its_last_holder_is_taken_anew(tmp_path, monkeypatch, is_replaced):
    path = tmp_path / ".out.txt.sentcli-lock"
    flock, calls = fcntl.flock, []

    def race(descriptor, operation):
        flock(descriptor, operation)
        calls.append(descriptor)
        if len(calls) == 1:
            path.unlink()
            if is_replaced:
                path.touch()

    monkeypatch.setattr(fcntl, "flock", race)
    held = Lock(tmp_path / "out.txt")
    assert len(calls) == 2
    held.release()
    assert not path.exists()
