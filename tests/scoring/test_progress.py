"""Bars: where they are drawn, and where they are not."""

import io
import sys

import pytest

from sentcli.scoring.progress import progress_bar


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("stream", "quiet", "drawn"),
    [(Terminal, False, True), (Terminal, True, False), (io.StringIO, False, False)],
)
def test_a_bar_is_drawn_on_a_terminal_where_it_is_wanted(monkeypatch, stream, quiet, drawn):
    monkeypatch.setattr(sys, "stderr", stream())
    assert list(progress_bar([1, 2], quiet=quiet, desc="counting")) == [1, 2]
    assert ("counting" in sys.stderr.getvalue()) == drawn


def test_where_stderr_was_closed_nothing_is_drawn(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    assert list(progress_bar([1, 2], quiet=False)) == [1, 2]
