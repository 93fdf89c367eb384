"""Reading ahead: what the thread tells of itself."""

import threading
from collections.abc import Iterator

from sentcli.readahead import ReadAhead


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
