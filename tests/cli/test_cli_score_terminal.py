"""What a terminal gets: short aligned rows, no binary file, and brief rejects."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from score_tables import write_csv

pytestmark = pytest.mark.usefixtures("in_a_folder")

WIDTH = 60


@pytest.fixture
def show(trained):
    """Run a command in a terminal; return its exit code and what the terminal shows."""

    def show(*arguments, code=0, stdin=b"", stdout=None):
        ours, its = pty.openpty()
        fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, WIDTH, 0, 0))
        command = [sys.executable, "-m", "sentcli", "score", "--model", trained.path, *arguments]
        env = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=stdout or its, stderr=its, env=env)
        os.close(its)
        process.stdin.write(stdin)
        process.stdin.close()
        shown = b""
        while True:
            try:
                shown += os.read(ours, 1 << 16)
            except OSError:  # the terminal is closed
                break
        os.close(ours)
        assert process.wait(60) == code, shown
        return shown.decode().replace("\r\n", "\n").splitlines()

    return show


def test_rows_are_cut_to_the_width_and_aligned(show, score):
    texts = ["a warm, wonderful film " * 9, "", "a dull\nfilm\x1b[31m", "a warm film"]
    write_csv("r.csv", texts)
    said, *lines, doubt = show("r.csv")
    assert "perhaps in another language" in doubt
    assert said == "new columns and the start of each text; whole rows: --output-format csv"
    assert [len(line) for line in lines] == [WIDTH, 20, 20 + len(r"a dull film\x1b[31m"), 31]
    assert lines[0].endswith("a warm, wonderful film a warm, wonderfu…")
    scores = [line.rsplit(",", 2)[-2:] for line in score("r.csv").stdout.splitlines() if line[-1].isdigit()]
    assert [line.split()[:2] for line in lines if line.strip()] == scores
    assert [line[20:] for line in lines[2:]] == [r"a dull film\x1b[31m", "a warm film"]


def test_whole_rows_are_shown_on_request_and_in_a_pipe(show, score):
    write_csv("r.csv", ["a warm film " * 9])
    whole = score("r.csv").stdout.splitlines()
    assert show("r.csv", "-f", "csv") == whole
    with Path("o.csv").open("wb") as file:
        show("r.csv", "-q", stdout=file)
    assert Path("o.csv").read_text().splitlines() == whole


def test_no_progress_is_drawn_among_rows(show):
    write_csv("r.csv", ["a warm film"] * 9000)
    shown = show("r.csv", "-f", "csv")
    assert len(shown) == 9001
    assert all(line.count(",") == 3 for line in shown)
