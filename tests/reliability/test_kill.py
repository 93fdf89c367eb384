"""A run that is killed, at any moment and any number of times, loses nothing."""

import itertools
import json
import os
import random
import signal
import stat
import subprocess
import time

import pytest
from processes import start_anew
from sampling import every
from workload import (
    DONE,
    INPUTS,
    OUTPUTS,
    PRIVATE,
    command_of,
    files,
    finish,
    finished,
    ledger_of,
    remove_results,
    rows_done,
    write_table,
)

KILLS = int(os.environ.get("SENTCLI_KILLS", "3"))  # of each pair of formats
PAIRS = [*itertools.product(INPUTS, OUTPUTS)]


def check_partial(folder, complete):
    """Check that every file with a final name is complete."""
    for name, content in files(folder).items():
        assert content == complete[name], f"{name} is not complete"


@pytest.mark.slow
@pytest.mark.parametrize(("form", "output"), PAIRS[:: every(11)])
def test_killed_at_random_moments(folder, score, form, output):
    write_table(folder, form, 2000)
    complete = finished(folder, score, form, output, chunk_rows=100)  # the first run starts the server
    started = time.monotonic()
    assert finished(folder, score, form, output, chunk_rows=100) == complete
    seconds = time.monotonic() - started
    killed = continued = 0
    while killed < KILLS:
        kills = 0
        for attempt in range(random.choice((1, 2, 3))):  # a run that continues is killed as well
            run = score(*command_of(form, output), "-q", chunk_rows=100)
            if (killed + attempt) % 2:
                time.sleep(random.uniform(0, seconds))
            else:  # after the first scores
                run.wait_until(ledger_of(folder, output))
                time.sleep(random.uniform(0, seconds / 10))
            run.send(signal.SIGKILL)
            if run.wait() != -signal.SIGKILL:
                break
            kills += 1
            continued += ledger_of(folder, output).exists()
            check_partial(folder, complete)
        else:
            finish(folder, score, form, output, chunk_rows=100)
        killed += kills
        assert files(folder) == complete, f"after kill {killed}"
        assert not list(folder.glob(f".*{PRIVATE}*"))
        remove_results(folder)
    assert continued >= KILLS // 4


@pytest.mark.slow
@pytest.mark.linux
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_killed_at_every_call_to_the_disk(folder, score, form):
    write_table(folder, form, 120)
    complete = finished(folder, score, form)
    continued = 0
    for number in itertools.count(1, every(5)):
        run = score(f"in.{form}", "-o", f"out.{form}", "-q", fail_at=number)
        if run.wait() != -signal.SIGKILL:
            break
        check_partial(folder, complete)
        is_finished = not ledger_of(folder, form).exists() and (folder / f"out.{form}").exists()
        done = rows_done(folder, form)
        run = score(f"in.{form}", "-o", f"out.{form}", "--summary", "summary")
        assert run.wait() == (1 if is_finished else DONE[form]), run.error
        if not is_finished:
            summary = json.loads((folder / "summary").read_bytes())
            (folder / "summary").unlink()
            assert summary["scored"] == summary["rows"] - done, "no row is scored again"
        assert files(folder) == complete, f"after call {number}"
        assert not list(folder.glob(f".*{PRIVATE}*"))
        continued += done > 0
        remove_results(folder)
    assert number > 15
    assert continued > 5 // every(5)
    assert files(folder) == complete


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_workbook_leaves_no_texts_in_the_temporary_folder(folder, trained, monkeypatch, number):
    """XlsxWriter collects rows in a file; it is next to the output, and the next run removes it."""
    write_table(folder, "csv", 20_000)
    (folder / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(folder / "tmp"))
    arguments = ("in.csv", "-o", "out.xlsx", "-q", "--model", trained.path, "--max-rejects", "100%")
    scratch = folder / ".out.xlsx.sentcli-scratch"
    patience = time.monotonic() + 60
    run = start_anew(folder, *arguments, stderr=subprocess.DEVNULL)
    while run.poll() is None and time.monotonic() < patience and not any(scratch.glob("*")):
        time.sleep(0.002)
    assert stat.S_IMODE(scratch.stat().st_mode) == 0o700
    run.send_signal(number)
    assert run.wait(60) in (-signal.SIGKILL, 143)
    assert [*(folder / "tmp").iterdir()] == []
    assert scratch.exists() == (number == signal.SIGKILL)
    assert start_anew(folder, *arguments, stderr=subprocess.DEVNULL).wait(60) == 3
    assert not [*folder.glob(".*")]
