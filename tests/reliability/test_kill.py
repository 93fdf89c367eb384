"""A run that is killed, at any moment and any number of times, loses nothing."""

import errno
import itertools
import json
import os
import random
import shutil
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


@pytest.mark.slow
@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_killed_at_every_call_to_the_disk_with_columns_that_explain(folder, score, form):
    options = (
        "--explain",
        "2",
        "--sentences",
        "--about",
        "film=film,movie",
        "--unknown-words",
        "--neutral=0.3,0.7",
    )

    def explained(*arguments, **conditions):
        return score(*arguments, *options, "--mixed", **conditions)

    test_killed_at_every_call_to_the_disk(folder, explained, form)


@pytest.mark.slow
@pytest.mark.parametrize("number", [None, errno.ENOSPC])
def test_a_page_and_a_summary_are_part_of_the_run(folder, score, number):
    """A run that ends at any call to the disk is completed by the same command, page and summary included."""
    write_table(folder, "csv", 60)
    command = "in.csv", "-o", "out.csv", "-q", "--summary", "summary", "--report", "out.html"
    assert score(*command).wait() == 3
    complete, whole = files(folder), counted(folder)
    for call in itertools.count(1, every(9)):
        remove_results(folder)
        (folder / "summary").unlink(missing_ok=True)
        fault = {"fail_with": number} if number else {}
        if score(*command, fail_at=call, **fault).wait() == 3:
            break
        run = score(*command)
        if run.wait() == 1:  # the kill came after the last rename, with nothing left to do
            assert "exists; give another name" in run.error
            assert not ledger_of(folder, "csv").exists()
        assert counted(folder) == whole, f"after call {call}: {run.error}"
        names = complete.keys() - {"summary"}
        assert {name: files(folder)[name] for name in names} == {name: complete[name] for name in names}
        left = [path for path in folder.glob(f".*{PRIVATE}*") if not path.name.endswith("lock")]
        assert not left, f"after call {call}"
    assert call > 20


@pytest.mark.slow
def test_a_folder_of_outputs_killed_at_every_call_to_the_disk(folder, score):
    parts = [write_table(folder, form, rows).name for form, rows in (("csv", 20), ("parquet", 30))]
    command = *parts, "-o", "out/", "-q", "--summary", "summary"
    assert score(*parts, "-o", "whole/", "-q", "--summary", "summary").wait() == 3
    complete, whole = files(folder / "whole"), counted(folder)
    for number in itertools.count(1, every(9)):
        if score(*command, fail_at=number).wait() != -signal.SIGKILL:
            break
        check_partial(folder / "out", complete)
        run = score(*command)
        assert run.wait() == 3, f"after call {number}: {run.error}"
        assert counted(folder) == whole, f"after call {number}"
        assert files(folder / "out") == complete, f"after call {number}"
        left = {path.name.partition(PRIVATE)[2] for path in (folder / "out").glob(f".*{PRIVATE}*")}
        assert left == {"done"}, f"after call {number}"
        shutil.rmtree(folder / "out")
    assert number > 30
    assert files(folder / "out") == complete


def counted(folder):
    """Return the figures of the summary that do not depend on which run scored a row."""
    summary = json.loads((folder / "summary").read_bytes())
    names = ("rows", "rejected", "blank", "no_known_word", "tokens", "labels", "text_columns")
    return {name: summary[name] for name in names}


def test_the_old_file_stays_until_the_new_one_is_complete(folder, score):
    write_table(folder, "csv", 60)
    complete = finished(folder, score, "csv")
    states = set()
    for number in itertools.count(1, every(5)):
        (folder / "out.csv").write_bytes(b"old")
        run = score("in.csv", "-o", "out.csv", "-q", "--overwrite", fail_at=number)
        killed = run.wait() == -signal.SIGKILL
        states.add((folder / "out.csv").read_bytes())
        if not killed:
            break
    assert states == {b"old", complete["out.csv"]}


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
