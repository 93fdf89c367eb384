"""Runs that score in more processes than one: the same bytes, and no process is left behind."""

import itertools
import os
import random
import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest
from test_signals import CODES, check_message, stop
from workload import DONE, FORMATS, PRIVATE, files, finished, remove_results, write_table

AT_ONCE = {"chunk_rows": 100, "split_at_once": True}
KILLS = int(os.environ.get("SENTCLI_KILLS", "2"))  # of each kind
SPLIT = ("--processes", "2", "--workers", "2")


def children(run):
    """Give the processes that score for a run."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            command = (path / "cmdline").read_bytes()
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == run.pid and b"sentcli.scoring.processes" in command:
            found.append(int(path.name))
    return found


def wait_for_children(run):
    while len(found := children(run)) < 2 and not run.is_over:
        time.sleep(0.005)
    return found


def send(pid, number):
    with suppress(ProcessLookupError):  # it was faster: those that score end before their run does
        os.kill(pid, number)


def left_behind(pids, seconds=5):
    end = time.monotonic() + seconds
    while (left := [pid for pid in pids if Path(f"/proc/{pid}/exe").exists()]) and time.monotonic() < end:
        time.sleep(0.02)
    return left


@pytest.fixture
def split(score):
    """Start a run all of whose rows go to two other processes."""

    def split(form, *arguments, **conditions):
        names = (f"in.{form}", "-o", f"out.{form}", *SPLIT)
        return score(*names, *arguments, **(AT_ONCE | conditions))

    return split


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_bytes(folder, score, split, form):
    write_table(folder, form, 3000)
    complete = finished(folder, score, form, chunk_rows=100)
    run = split(form, "-q")
    pids = wait_for_children(run)
    assert len(pids) == 2
    assert run.wait() == DONE[form], run.error
    assert files(folder) == complete
    assert not left_behind(pids, seconds=0)


def test_the_same_bytes_from_stdin(folder, score):
    write_table(folder, "csv", 3000)
    lines = folder / "in.csv"
    one, two = (score(*arguments, "-q", stdin=lines, **AT_ONCE) for arguments in (("--processes", 1), SPLIT))
    assert (one.wait(), two.wait()) == (0, 0)
    assert one.output == two.output
    assert one.output.count(b"\n") == lines.read_bytes().count(b"\n")


def test_a_few_lines_start_no_process(folder, score):
    (folder / "in.csv").write_text("text\n" + "a warm film\n" * 2000)
    run = score("in.csv", *SPLIT, events=folder / "events")
    assert run.wait() == 0
    assert "subprocess" not in (folder / "events").read_text()


@pytest.mark.parametrize(("number", "form"), list(zip(CODES, ("csv", "parquet", "jsonl"), strict=True)))
def test_a_signal_ends_all_in_order(folder, score, split, number, form):
    write_table(folder, form, 6000)
    complete = finished(folder, score, form, chunk_rows=100)
    stopped = 0
    for attempt in itertools.count():
        run = split(form)
        pids = wait_for_children(run)
        time.sleep(random.uniform(0, 1) if attempt else 0)
        code = stop(run, number)
        assert not left_behind(pids, seconds=0)
        if code != DONE[form]:
            assert code == CODES[number], run.error
            check_message(run, is_resumable=(folder / f".out.{form}{PRIVATE}journal").exists())
            stopped += 1
            processes = ("--processes", 1 + stopped % 2)  # another number goes on as well
            again = score(f"in.{form}", "-o", f"out.{form}", "--resume", "--overwrite", *processes, **AT_ONCE)
            assert again.wait() == DONE[form], again.error
        assert files(folder) == complete
        assert not list(folder.glob(f".*{PRIVATE}*"))
        remove_results(folder)
        if stopped == KILLS:
            break


def test_a_signal_to_all_of_them_is_one_to_the_run(folder, split):
    """As a terminal, a service manager or a batch system sends it."""
    write_table(folder, "csv", 6000)
    run = split("csv")
    pids = wait_for_children(run)
    for pid in (*pids, run.pid):
        send(pid, signal.SIGTERM)
    assert run.wait() == 143, run.error
    assert not left_behind(pids, seconds=0)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_when_one_is_killed_the_run_fails_and_goes_on_with_resume(folder, score, split, form):
    write_table(folder, form, 6000)
    complete = finished(folder, score, form, chunk_rows=100)
    failed = 0
    for attempt in itertools.count():
        run = split(form)
        pids = wait_for_children(run)
        if attempt == 0:
            run.wait_until(folder / f".out.{form}{PRIVATE}journal")
        time.sleep(random.uniform(0, 0.7) if attempt else 0)
        for pid in random.sample(pids, k=min(1, len(pids))):
            send(pid, signal.SIGKILL)
        code = run.wait()
        assert not left_behind(pids, seconds=0)
        if code != DONE[form]:
            assert code == 1
            (said,) = run.error.splitlines()
            assert said.startswith("Error: a process that scores was ended by SIGKILL")
            assert ("--resume" in said) == (folder / f".out.{form}{PRIVATE}journal").exists()
            failed += 1
            assert split(form, "--resume", "--overwrite").wait() == DONE[form]
        assert files(folder) == complete
        remove_results(folder)
        if failed == KILLS:
            break


def test_when_the_run_is_killed_the_others_end_by_themselves(folder, score, split):
    write_table(folder, "csv", 6000)
    complete = finished(folder, score, "csv", chunk_rows=100)
    for attempt in range(KILLS):
        run = split("csv", "--resume", "--overwrite")
        pids = wait_for_children(run)
        time.sleep(random.uniform(0, 0.7) if attempt else 0)
        run.send(signal.SIGKILL)
        assert run.wait() in (-signal.SIGKILL, DONE["csv"])
        assert left_behind(pids) == []
    assert split("csv", "--resume", "--overwrite").wait() == DONE["csv"]
    assert files(folder) == complete


def test_an_error_of_one_is_that_of_the_run(folder, split, trained, tmp_path):
    write_table(folder, "csv", 6000)
    for attempt in range(5):
        model = shutil.copytree(trained.path, tmp_path / f"model{attempt}")
        run = split("csv", "--overwrite", bundle=model)
        wait_for_children(run)
        (model / "vocab.txt").write_text("<pad>\n<unk>\n")
        if run.wait() != DONE["csv"]:
            break
        # On a busy machine they have read the model by then.
    assert run.wait() == 1
    assert run.error == (
        f"Error: {model}/vocab.txt: damaged or changed: its SHA-256 is not the one in manifest.json\n"
    )
