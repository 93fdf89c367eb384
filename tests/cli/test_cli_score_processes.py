"""Pipes, signals and closed streams, in processes of their own."""

import os
import pty
import re
import signal
import subprocess
import sys
import termios
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

import pytest
from processes import environment, start_anew
from score_tables import write_csv

pytestmark = pytest.mark.usefixtures("in_a_folder")

PATIENCE = 120  # seconds; a process that takes longer hangs


def test_a_slow_pipe_is_answered_line_by_line(start):
    process = start("-q", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    for text in (b"a warm film", b"a dull film"):
        process.stdin.write(text + b"\n")
        process.stdin.flush()
        assert process.stdout.readline().endswith(b"\t" + text + b"\n")
    process.stdin.close()
    assert process.stdout.read() == b""
    assert process.wait(PATIENCE) == 0


def test_a_pipe_without_pauses_is_answered_before_it_ends(start):
    process = start("-q", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdin.write(b"a dull film\n")  # so that its start, which takes long on a busy machine, is over
    process.stdin.flush()
    assert process.stdout.readline().startswith(b"negative\t")
    answered = Event()
    reader = Thread(target=lambda: process.stdout.readline() and answered.set())
    reader.start()
    for number in range(450):  # fewer than the rows of the first chunk, and without a pause
        process.stdin.write(b"a warm film %d\n" % number)
        process.stdin.flush()
        if answered.wait(0.03):
            break
    assert answered.is_set()
    process.stdin.close()
    reader.join()
    assert process.stdout.read().count(b"\n") == number
    assert process.wait(PATIENCE) == 0


@pytest.mark.parametrize("disposition", [signal.SIG_DFL, signal.SIG_IGN])
def test_a_closed_pipe_ends_quietly(start, disposition):
    endless = subprocess.Popen(["yes", "a warm film"], stdout=subprocess.PIPE)
    process = start(
        stdin=endless.stdout,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGPIPE, disposition),
        restore_signals=False,
    )
    assert process.stdout.readline().startswith(b"positive\t")
    process.stdout.close()
    assert process.wait(PATIENCE) == 141
    assert process.stderr.read() == b""
    endless.kill()
    endless.communicate()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_ends_a_run_that_waits_for_input(start, number, code):
    process = start(stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdin.write(b"a warm film\n")
    process.stdin.flush()
    assert process.stdout.readline().startswith(b"positive\t")
    process.send_signal(number)
    assert process.wait(PATIENCE) == code
    assert process.stderr.read() == b"Error: stopped after 1 row\n"


def test_under_nohup_a_hangup_ends_nothing(start):
    process = start(
        "-q",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    for _ in range(2):
        process.stdin.write(b"a warm film\n")
        process.stdin.flush()
        assert process.stdout.readline().startswith(b"positive\t")
        process.send_signal(signal.SIGHUP)
    process.stdin.close()
    assert process.wait(PATIENCE) == 0


@pytest.mark.parametrize(
    ("redirection", "code", "said"),
    [
        ("<&-", 1, b"Error: standard input is closed; give a file\n"),
        (">&-", 1, b"Error: standard output is closed; give a file\n"),
        pytest.param(
            ">/dev/full", 1, b"Error: standard output: No space left on device\n", marks=pytest.mark.linux
        ),
        ("2>&-", 0, b""),
        pytest.param("2>/dev/full", 0, b"", marks=pytest.mark.linux),
    ],
)
def test_standard_streams_may_be_closed_or_full(trained, redirection, code, said):
    result = shell(f'echo "a warm film" | "$0" -m sentcli score --model "$1" {redirection}', trained)
    assert (result.returncode, result.stderr) == (code, said)
    assert result.stdout.startswith(b"positive\t") == (code == 0)


@pytest.mark.parametrize("redirection", ["<&-", ">&-", "<&- >&- 2>&-"])
def test_streams_that_a_run_does_not_use_may_be_closed(trained, redirection):
    write_csv("r.csv", ["a warm film"])
    result = shell(f'"$0" -m sentcli score r.csv -o o.csv --model "$1" {redirection}', trained)
    assert (result.returncode, result.stdout) == (0, b"")
    assert Path("o.csv").read_text().splitlines()[1].startswith("000,a warm film,positive,")


def shell(command, trained):
    """Run a shell command that gets Python and the model as `$0` and `$1`."""
    line = ["sh", "-c", command, sys.executable, trained.path]
    return subprocess.run(line, capture_output=True, check=False, env=environment())


@pytest.mark.linux
def test_rejected_rows_that_a_full_stderr_cannot_take_fail_the_run(trained):
    """The first message, lost too, is a warning about columns; then a row is rejected."""
    write_csv("r.csv", ["a warm film"])
    with Path("r.csv").open("a") as file:
        file.write('"a "dull film"\n')
    arguments = ("r.csv", "--output-format", "lines", "--model", trained.path)
    with Path("/dev/full").open("wb") as full:
        process = start_anew(Path.cwd(), *arguments, stdout=subprocess.DEVNULL, stderr=full)
        assert process.wait(PATIENCE) == 1


def at_a_terminal(folder, *arguments):
    """Run `sentcli score` with its standard output and error at a terminal, and return all that it shows."""
    main, side = pty.openpty()
    termios.tcsetwinsize(side, (24, 100))
    process = start_anew(folder, *arguments, stdin=subprocess.DEVNULL, stdout=side, stderr=side)
    os.close(side)
    shown = b""
    with suppress(OSError):  # the end of a terminal
        while data := os.read(main, 1 << 16):
            shown += data
    os.close(main)
    assert process.wait(PATIENCE) == 0
    return shown.decode().replace("\r\n", "\n")


def test_at_a_terminal_a_bar_shows_the_progress_and_is_erased(trained, tmp_path, monkeypatch):
    monkeypatch.setenv("TQDM_MININTERVAL", "0")
    write_csv("r.csv", ["a warm film"] * 9000)
    shown = at_a_terminal(tmp_path, "r.csv", "-o", "o.csv", "--model", trained.path)
    bar, _, summary = shown.rpartition("\r")
    assert "%|" in bar
    assert re.search(r"/152k \[[0-9:]+<[0-9:]+, .* [0-9,]+ rows, [0-9,]+ rows/s\]", bar)  # < time left
    assert summary.startswith("o.csv: 9,000 rows in ")
    assert "%|" not in at_a_terminal(tmp_path, "r.csv", "-o", "p.csv", "-q", "--model", trained.path)
