"""Processes at work: what they are given, what comes back, and every way in which they can end."""

import os
import pickle
import signal
import socket
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from test_workers import interrupted_at
from works import leave, mumble, refuse, stumble, tell

from sentcli.errors import BundleError, ProcessError
from sentcli.files.textcolumn import TextColumn
from sentcli.scoring.processes import Processes, Texts, _start
from tests.text_blocks import make_block

PATIENCE = 30  # seconds


@pytest.fixture
def start():
    """Start processes that end with the test."""
    started = []

    def start(*works, ready=True):
        processes = Processes(works)
        started.append(processes)
        processes.start()
        if ready:
            wait(processes.are_ready)
        return processes

    yield start
    for processes in started:
        processes.close()


def wait(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def answer(processes, texts=("a",)):
    return processes.submit(texts).result(PATIENCE)


def is_there(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_a_forked_process_does_not_keep_them_alive(start):
    processes = start(tell)
    (pipe,) = [process._connection.fileno() for process in processes._processes]
    child = os.fork()
    if not child:
        try:
            os.fstat(pipe)
        except OSError:
            os._exit(0)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert answer(processes)[2] == ["a"]


@pytest.mark.parametrize("texts", [[], [""], ["", "é日😀", "\ud800 lone", "\x00\r\n", "a" * 5000, ""]])
def test_texts_arrive_as_they_were(texts):
    assert [*pickle.loads(pickle.dumps(Texts(texts))).texts] == texts


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_texts_in_bytes_arrive_as_they_were(encoding):
    texts = ["é film", "", "a film", "x" * 600, "ü"]
    column = TextColumn.of(make_block(texts, encoding), texts)
    assert [*pickle.loads(pickle.dumps(Texts(column))).texts] == texts * 2


def test_no_text_arrives_as_a_blank_one():
    assert [*pickle.loads(pickle.dumps(Texts(["a", None, "b"]))).texts] == ["a", "", "b"]


def test_each_answers_its_tasks_in_order(start):
    processes = start(partial(tell, name="one"), partial(tell, name="two"))
    futures = [processes.submit([str(number)]) for number in range(20)]
    found = [future.result(PATIENCE) for future in futures]
    assert [texts for _, _, texts in found] == [[str(number)] for number in range(20)]
    assert {name for name, _, _ in found} == {"one", "two"}
    assert os.getpid() not in {pid for _, pid, _ in found}


def test_the_one_with_the_least_to_do_gets_the_next_task(start):
    processes = start(partial(tell, name="slow", pause=0.2), partial(tell, name="fast"))
    slow = processes.submit(["a"])
    for _ in range(3):
        assert answer(processes)[0] == "fast"
    assert slow.result(PATIENCE)[0] == "slow"


def test_tasks_may_wait_for_a_process_to_start(start):
    assert answer(start(tell, ready=False), ["a", "b"])[2] == ["a", "b"]


def test_a_large_task_passes(start):
    texts = ["x" * 100_000] * 100
    assert answer(start(tell), texts)[2] == texts


def test_an_interrupt_wherever_it_comes_leaves_to_each_task_its_own_answer(start):
    processes = start(tell)
    place = 0
    while interrupted_at(place, lambda: processes.submit(["interrupted"])):
        later = [processes.submit([f"{place} {number}"]) for number in range(2)]
        assert [each.result(PATIENCE)[2] for each in later] == [[f"{place} 0"], [f"{place} 1"]]
        place += 1
    assert place > 20


def test_an_error_comes_out_as_what_it_was(start):
    with pytest.raises(BundleError, match="damaged"):
        answer(start(refuse, ready=False))
    processes = start(tell, refuse, ready=False)
    with pytest.raises(BundleError, match=r"^model\.onnx: damaged$"):
        wait(lambda: processes.are_ready() and False)


def test_a_mistake_in_the_program_says_where_it_is(start):
    with pytest.raises(ZeroDivisionError) as caught:
        answer(start(stumble))
    assert "in stumble" in "".join(caught.value.__notes__)


def test_an_answer_that_cannot_be_read_is_an_error(start):
    with pytest.raises(ProcessError, match="cannot be read: TypeError"):
        answer(start(mumble))


def test_what_cannot_be_started_is_an_error(start, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    processes = start(tell, ready=False)
    with pytest.raises(ProcessError, match="cannot be started: No such file"):
        wait(lambda: processes.are_ready() and False)


def test_one_that_leaves_is_an_error(start):
    with pytest.raises(ProcessError, match="ended with exit code 7"):
        answer(start(leave))


def test_one_that_is_killed_is_an_error_for_all_that_it_had_to_do(start):
    processes = start(partial(tell, pause=0.3))
    _, pid, _ = answer(processes)
    futures = [processes.submit(["a"]) for _ in range(3)]
    os.kill(pid, signal.SIGKILL)
    for future in [*futures, processes.submit(["a"])]:
        with pytest.raises(ProcessError, match="ended by SIGKILL; is memory short"):
            future.result(PATIENCE)
    with pytest.raises(ProcessError):
        processes.are_ready()


@pytest.mark.parametrize(("number", "name"), [(signal.SIGRTMAX, "SIGRTMAX"), (40, "signal 40")])
def test_a_signal_need_not_have_a_name(start, number, name):
    processes = start(partial(tell, pause=0.3))
    _, pid, _ = answer(processes)
    future = processes.submit(["a"])
    os.kill(pid, number)
    with pytest.raises(ProcessError, match=f"was ended by {name}$"):
        future.result(PATIENCE)


class TooLarge(list):
    """Texts for whose copy there is no memory."""

    def __iter__(self):
        raise MemoryError


def test_texts_that_cannot_be_sent_are_an_error(start):
    processes = start(tell)
    with pytest.raises(ProcessError, match="cannot be handed its work: MemoryError"):
        answer(processes, TooLarge(["a"]))
    with pytest.raises(ProcessError):
        answer(processes)


def test_their_standard_output_is_not_that_of_this_process(start):
    """Whoever reads that would not see its end before theirs."""
    _, pid, _ = answer(start(tell))
    assert Path(f"/proc/{pid}/fd/1").samefile(os.devnull)


def test_their_standard_input_is_not_that_of_this_process(start):
    """Whoever writes to that would not learn that this process has gone."""
    (reading, writing), before = os.pipe(), os.dup(0)
    os.dup2(reading, 0)
    try:
        _, pid, _ = answer(start(tell))
        assert Path(f"/proc/{pid}/fd/0").samefile(os.devnull)
    finally:
        os.dup2(before, 0)
        for number in (reading, writing, before):
            os.close(number)


def test_signals_to_the_whole_group_do_not_end_them(start):
    processes = start(tell)
    _, pid, _ = answer(processes)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(pid, number)
    time.sleep(0.1)
    assert answer(processes)[1] == pid


def test_closing_ends_them_at_once_whatever_they_are_at(start):
    processes = start(tell, partial(tell, pause=60))
    _, pid, _ = answer(processes)
    for _ in range(4):
        processes.submit(["x" * 1_000_000])
    started = time.monotonic()
    processes.close()
    assert time.monotonic() - started < 5
    assert not is_there(pid)


def test_closing_while_they_start_ends_them_too(start, monkeypatch):
    made = []

    def slow(theirs):
        time.sleep(0.3)
        made.append(_start(theirs))
        return made[-1]

    monkeypatch.setattr("sentcli.scoring.processes._start", slow)
    start(partial(tell, pause=60), ready=False).close()
    assert [process.poll() is None for process in made] == [False]


def test_they_end_when_nobody_commands_them_any_more(start):
    processes = start(tell)
    _, pid, _ = answer(processes)
    (process,) = processes._processes
    with socket.fromfd(process._connection.fileno(), socket.AF_UNIX, socket.SOCK_STREAM) as pipe:
        pipe.shutdown(socket.SHUT_WR)  # as the end of this process would
    wait(lambda: not is_there(pid))


def test_what_was_never_started_can_be_closed():
    """A signal may come between the making and the start."""
    Processes([partial(tell, name="never")]).close()
