import fcntl
import os
import signal
import time

import pytest

from sentcli.errors import OutputError
from sentcli.files.lock import Lock
from sentcli.runs.opening import open_job
from sentcli.tables.options import RejectOptions


@pytest.fixture
def source(tmp_path):
    (tmp_path / "in.txt").write_bytes(b"x\n")
    return tmp_path / "in.txt"


@pytest.fixture
def busy(source, tmp_path):
    """Let another process hold the job on `out.txt`, until the test ends or kills it."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if not child:
        with open_job([str(source)], str(tmp_path / "out.txt")):
            os.write(write_end, b"!")
            time.sleep(60)
        os._exit(0)
    os.read(read_end, 1)
    yield child
    try:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    except ProcessLookupError:
        pass
    except ChildProcessError:
        pass


def test_a_second_run_on_the_same_output_stops_at_once(busy, run, source, tmp_path):
    before = sorted(tmp_path.iterdir())
    started = time.monotonic()
    for options in ({}, {"overwrite": True}, {"resume": True}):
        with pytest.raises(OutputError, match=r"out\.txt: another run of sentcli is writing it"):
            run(source, tmp_path / "out.txt", **options)
    assert time.monotonic() - started < 10
    assert sorted(tmp_path.iterdir()) == before


def test_the_same_rejects_file_is_another_runs_too(source, tmp_path):
    rejects = RejectOptions(path=str(tmp_path / "r.jsonl"))
    for first, second in ((f"{tmp_path}/a.txt", f"{tmp_path}/b.txt"), (f"{tmp_path}/a.txt", "-"), ("-", "-")):
        with (
            open_job([str(source)], first, rejects=rejects),
            pytest.raises(OutputError, match=r"r\.jsonl: another run"),
        ):
            open_job([str(source)], second, rejects=rejects)
    assert [path.name for path in tmp_path.iterdir()] == ["in.txt"]


def test_the_default_rejects_file_is_another_runs_too(source, tmp_path):
    """Both would write it under one temporary name, and a rejected row could be lost."""
    rejects = RejectOptions(path=f"{tmp_path}/a.txt.rejects.jsonl")
    with (
        open_job([str(source)], f"{tmp_path}/a.txt"),
        pytest.raises(OutputError, match=r"a\.txt\.rejects\.jsonl: another run"),
    ):
        open_job([str(source)], f"{tmp_path}/b.txt", rejects=rejects)
    assert [path.name for path in tmp_path.iterdir()] == ["in.txt"]


def test_a_lock_left_by_a_dead_process_does_not_block(busy, run, source, tmp_path):
    os.kill(busy, signal.SIGKILL)
    os.waitpid(busy, 0)
    assert (tmp_path / ".out.txt.sentcli-lock").exists()
    run(source, tmp_path / "out.txt")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.txt", "out.txt"]


def test_other_outputs_of_the_folder_are_free(busy, run, source, tmp_path):
    run(source, tmp_path / "other.txt")
    assert (tmp_path / "other.txt").exists()


@pytest.mark.parametrize("is_replaced", [False, True])
def test_a_lock_file_removed_by_its_last_holder_is_no_lock(tmp_path, monkeypatch, is_replaced):
    path = tmp_path / ".out.txt.sentcli-lock"
    lock = fcntl.flock
    calls = []

    def race(descriptor, operation):
        lock(descriptor, operation)
        calls.append(descriptor)
        if len(calls) == 1:
            path.unlink()
            if is_replaced:
                path.touch()

    monkeypatch.setattr(fcntl, "flock", race)
    held = Lock(tmp_path / "out.txt")
    assert len(calls) == 2
    with pytest.raises(OutputError, match="another run"):
        Lock(tmp_path / "out.txt")
    held.release()
    assert not path.exists()


def test_two_runs_at_once_leave_one_result(run, source, tmp_path):
    source.write_bytes(b"x\n" * 5000)
    for _ in range(10):
        children = []
        for _ in range(2):
            child = os.fork()
            if not child:
                try:
                    run(source, tmp_path / "out.txt")
                    os._exit(0)
                except OutputError:
                    os._exit(3)
                finally:
                    os._exit(9)
            children.append(child)
        codes = sorted(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)
        assert codes == [0, 3]
        assert (tmp_path / "out.txt").read_bytes() == b"odd\t0.142857\tx\n" * 5000
        assert sorted(path.name for path in tmp_path.iterdir()) == ["in.txt", "out.txt"]
        (tmp_path / "out.txt").unlink()
