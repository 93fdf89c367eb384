"""Signals: a run ends promptly and in order, and the same command finishes its work."""

import os
import random
import re
import signal
import subprocess
import time

import pytest
from processes import start_anew
from sampling import every
from workload import DONE, PRIVATE, files, finish, finished, ledger_of, remove_results, write_table

SIGNALS = int(os.environ.get("SENTCLI_SIGNALS", "3"))  # of each kind
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
# Seconds for a run to end: 2 are promised, more are allowed on a busy machine.
PROMPTLY = float(os.environ.get("SENTCLI_PROMPTLY", "10"))


def stop(run, *numbers):
    """Send signals and return the exit code; check that the run ends promptly."""
    for number in numbers:
        run.send(number)
    started = time.monotonic()
    code = run.wait()
    assert time.monotonic() - started < PROMPTLY
    return code


@pytest.mark.parametrize("number", CODES)
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_signal_ends_a_run_in_order(folder, score, number, form):
    write_table(folder, form, 3000)
    complete = finished(folder, score, form, chunk_rows=200)
    started = time.monotonic()
    assert finished(folder, score, form, chunk_rows=200) == complete
    seconds = time.monotonic() - started
    stopped = 0
    while stopped < SIGNALS:
        run = score(f"in.{form}", "-o", f"out.{form}", chunk_rows=200)
        run.wait_until(folder / f".out.{form}{PRIVATE}lock")
        time.sleep(random.uniform(0, 0.5 * seconds))
        code = stop(run, number)
        if code != DONE[form]:
            assert code == CODES[number], run.error
            stopped += 1
            check_message(run, is_kept=ledger_of(folder, form).exists())
            assert not (folder / f"out.{form}").exists() or files(folder) == complete
            finish(folder, score, form, chunk_rows=200)
        assert files(folder) == complete
        assert not list(folder.glob(f".*{PRIVATE}*"))
        remove_results(folder)


def check_message(run, *, is_kept):
    assert "Traceback" not in run.error
    last = run.error.splitlines()[-1:]
    if last and " rejected: " not in last[0]:  # before the first row and at the end there is no message
        assert last[0].startswith("Error: ")
        assert ("the same command continues" in last[0]) == is_kept


def test_a_second_interrupt_does_not_disturb_the_end_of_a_run(folder, score):
    write_table(folder, "csv", 3000)
    complete = finished(folder, score, "csv", chunk_rows=200)
    for pause in (0, 0.001, 0.003, 0.01, 0.02):
        run = score("in.csv", "-o", "out.csv", chunk_rows=200)
        run.wait_until(ledger_of(folder, "csv"))
        run.send(signal.SIGINT)
        time.sleep(pause)
        assert stop(run, signal.SIGINT, signal.SIGTERM) in (130, DONE["csv"])
        assert "Traceback" not in run.error
        finish(folder, score, "csv", chunk_rows=200)
        assert files(folder) == complete
        remove_results(folder)


def test_a_signal_during_the_start_leaves_no_traceback(folder, trained):
    write_table(folder, "csv", 60)
    for pause in (0.02, 0.1, 0.15, 0.2, 0.25, 0.3):
        arguments = ("in.csv", "-o", "out.csv", "--overwrite", "--model", trained.path)
        run = start_anew(folder, *arguments, stderr=subprocess.PIPE)
        time.sleep(pause)
        run.send_signal(signal.SIGTERM)
        _, error = run.communicate(timeout=PROMPTLY)
        assert b"Traceback" not in error
        assert run.returncode in (-signal.SIGTERM, 143, DONE["csv"])


def test_ctrl_c_during_the_imports_leaves_no_traceback_of_ours(folder):
    """Python itself and the package's `__init__` may still leave one in the first hundredths of a second."""
    for number in range(0, 20, every(4)):
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        run = start_anew(folder, **pipes)
        time.sleep(0.02 * number)
        run.send_signal(signal.SIGINT)
        _, error = run.communicate(timeout=PROMPTLY)
        assert {*re.findall(rb'sentcli/([^"]+)", line', error)} <= {b"__init__.py", b"__main__.py"}
        assert run.returncode in (-signal.SIGINT, 130, 1, 0)


@pytest.mark.parametrize("number", CODES)
def test_a_signal_ends_a_run_whose_output_nobody_reads(folder, trained, number):
    write_table(folder, "csv", 6000)  # more than a pipe holds
    with (folder / "said").open("wb") as said:  # which takes all rejects
        streams = {"stdout": subprocess.PIPE, "stderr": said}
        run = start_anew(folder, "in.csv", "-q", "--model", trained.path, **streams)
    assert run.stdout.read(10)
    time.sleep(0.5)
    run.send_signal(number)
    assert run.wait(PROMPTLY) == CODES[number]
    assert b"Error: stopped" in (folder / "said").read_bytes()
