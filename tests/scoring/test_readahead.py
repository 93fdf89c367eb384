"""Reading ahead: what the thread tells of itself."""

import itertools
import threading
import time
from collections.abc import Iterator

import pytest
from test_processes import wait
from test_workers import SECONDS, interrupted_at

from sentcli.scoring.prefetch import ReadAhead


def test_who_is_told_of_the_end_can_know_that_it_is_one():
    is_last = threading.Event()

    def items() -> Iterator[str]:
        yield "first"
        is_last.wait(timeout=20)
        yield "second"

    notes: list[bool] = []
    ahead = ReadAhead(items(), 3, lambda: notes.append(ahead.has_ended))
    with ahead:
        assert ahead.get() == "first"
        assert not ahead.has_ended
        is_last.set()
        assert [ahead.get(), ahead.get()] == ["second", None]
    assert notes[0] is False
    assert notes[-1] is True


def test_which_item_is_the_last_is_known_when_the_end_is():
    is_told = threading.Event()
    ahead: ReadAhead[int] = ReadAhead(range(3), 3, lambda: is_told.set() if ahead.has_ended else None)
    with ahead:
        assert is_told.wait(timeout=20)
        seen = []
        while ahead.get() is not None:
            seen.append(ahead.is_at_last)
    assert seen == [False, True, False]


def test_items_that_were_got_count_until_there_is_room_for_others():
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in itertools.count(1):
            taken.append(number)
            yield number

    def takes(count: int) -> bool:
        """Wait for so many to be taken, and see whether it stays at that."""
        wait(lambda: len(taken) >= count)
        time.sleep(0.05)
        return len(taken) == count

    with ReadAhead(items(), 2) as ahead:
        assert [ahead.get(), ahead.get()] == [1, 2]
        assert takes(3)  # the thread holds one more
        ahead.make_room(1)
        assert takes(4)
        assert ahead.get() == 3
        ahead.make_room(2)
        assert takes(6)


def test_an_interrupt_wherever_it_comes_leaves_a_reader_that_ends():
    """Were a lock left taken, the thread would wait for it forever, with the open file that it reads."""
    place, is_interrupted = 0, True
    while is_interrupted:
        ahead = ReadAhead(itertools.count(1), 2)
        with ahead:
            ahead.get()
            is_interrupted = interrupted_at(
                place, lambda ahead=ahead: ahead.ready() and (ahead.get(), ahead.make_room(1))
            )
        assert not ahead._thread.is_alive()
        place += 1
    assert place > 5


def test_a_reader_whose_start_is_interrupted_ends(monkeypatch):
    def interrupted(thread: threading.Thread) -> None:
        start(thread)
        raise TimeoutError  # as a time limit does

    start = threading.Thread.start
    monkeypatch.setattr(threading.Thread, "start", interrupted)
    ahead = ReadAhead(itertools.count(1), 2)
    with pytest.raises(TimeoutError), ahead:
        pass
    ahead._thread.join(SECONDS)
    assert not ahead._thread.is_alive()
