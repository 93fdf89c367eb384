"""A run that is killed, at any moment and as often as may be, loses nothing."""

import itertools
import json
import os
import random
import shutil
import signal
import time

import pytest
from workload import DONE, FORMATS, PRIVATE, files, finished, remove_results, rows_done, write_table

KILLS = int(os.environ.get("SENTCLI_KILLS", "8"))  # outputs of each format that were killed and resumed


def check_partial(folder, complete):
    """What stands under a final name is complete."""
    for name, content in files(folder).items():
        assert content == complete[name], f"{name} is not complete"


@pytest.mark.parametrize("form", FORMATS)
def test_killed_at_random_moments(folder, score, form):
    write_table(folder, form, 3000)
    complete = finished(folder, score, form, chunk_rows=200)  # the first of all runs starts the server
    started = time.monotonic()
    assert finished(folder, score, form, chunk_rows=200) == complete
    seconds = time.monotonic() - started
    killed = resumed = 0
    again = "--resume", "--overwrite", "-q"  # a run may be killed when its output stands there
    # More than that where a busy machine was slow to begin: enough of them have to be gone on with.
    while killed < KILLS or (resumed < KILLS // 4 and killed < 10 * KILLS):
        kills = 0
        for _ in range(random.choice((1, 2, 5))):  # a run that goes on is killed as well
            run = score(f"in.{form}", "-o", f"out.{form}", *again, chunk_rows=200)
            time.sleep(random.uniform(0, seconds))
            run.send(signal.SIGKILL)
            if run.wait() != -signal.SIGKILL:
                break
            kills += 1
            resumed += (folder / f".out.{form}{PRIVATE}journal").exists()
            check_partial(folder, complete)
        else:
            assert score(f"in.{form}", "-o", f"out.{form}", *again, chunk_rows=200).wait() == DONE[form]
        killed += kills > 0
        assert files(folder) == complete, f"after kill {killed}"
        assert not list(folder.glob(f".*{PRIVATE}*"))
        remove_results(folder)
    assert resumed >= KILLS // 4


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_killed_at_every_call_to_the_disk(folder, score, form):
    write_table(folder, form, 120)
    complete = finished(folder, score, form)
    resumed = 0
    for number in itertools.count(1):
        run = score(f"in.{form}", "-o", f"out.{form}", "-q", fail_at=number)
        if run.wait() != -signal.SIGKILL:
            break
        check_partial(folder, complete)
        done = rows_done(folder, form)
        run = score(f"in.{form}", "-o", f"out.{form}", "--resume", "--overwrite", "--summary", "summary")
        assert run.wait() == DONE[form], run.error
        summary = json.loads((folder / "summary").read_bytes())
        (folder / "summary").unlink()
        assert summary["scored"] == summary["rows"] - done, "a finished row is not scored again"
        assert files(folder) == complete, f"after call {number}"
        assert not list(folder.glob(f".*{PRIVATE}*"))
        resumed += done > 0
        remove_results(folder)
    assert number > 20
    assert resumed > 10
    assert files(folder) == complete


def test_a_run_of_several_outputs_killed_at_every_call_to_the_disk(folder, score):
    parts = []
    for name, rows in (("a", 20), ("b", 30)):
        parts.append(write_table(folder, "csv", rows).rename(folder / f"{name}.csv").name)
    assert score(*parts, "-o", "whole/", "-q").wait() == 3
    complete = files(folder / "whole")
    resumed = 0
    for number in itertools.count(1):
        if score(*parts, "-o", "out/", "-q", fail_at=number).wait() != -signal.SIGKILL:
            break
        check_partial(folder / "out", complete)
        if (folder / "out" / f".all outputs{PRIVATE}folder-journal").exists():
            resumed += 1
            run = score(*parts, "-o", "out/", "--resume", "-q")  # no --overwrite: they are its own
            assert run.wait() == 3, f"after call {number}: {run.error}"
            assert not list((folder / "out").glob(f".*{PRIVATE}*")), f"after call {number}"
            assert files(folder / "out") == complete
        shutil.rmtree(folder / "out")
    assert resumed > 20
    assert files(folder / "out") == complete


def test_what_a_killed_run_left_is_made_by_one_that_skips_existing_outputs(folder, score):
    parts = [write_table(folder, form, rows).name for form, rows in (("csv", 20), ("parquet", 30))]
    assert score(*parts, "-o", "whole/", "-q").wait() == 3
    complete = files(folder / "whole")
    again = *parts, "-o", "out/", "-q", "--skip-existing"
    for number in itertools.count(1):
        if score(*again, fail_at=number).wait() != -signal.SIGKILL:
            break
        check_partial(folder / "out", complete)
        run = score(*again)
        assert run.wait() in (0, 3), f"after call {number}: {run.error}"  # 3: it had rejects itself
        assert not list((folder / "out").glob(f".*{PRIVATE}*")), f"after call {number}"
        assert files(folder / "out") == complete, f"after call {number}"
        shutil.rmtree(folder / "out")
    assert number > 50
    assert files(folder / "out") == complete


def test_the_old_file_stays_until_the_new_one_is_complete(folder, score):
    write_table(folder, "csv", 60)
    complete = finished(folder, score, "csv")
    states = set()
    for number in itertools.count(1):
        (folder / "out.csv").write_bytes(b"old")
        run = score("in.csv", "-o", "out.csv", "-q", "--overwrite", fail_at=number)
        killed = run.wait() == -signal.SIGKILL
        states.add((folder / "out.csv").read_bytes())
        if not killed:
            break
    assert states == {b"old", complete["out.csv"]}


def test_the_lock_of_a_killed_run_does_not_block(folder, score):
    write_table(folder, "csv", 60)
    complete = finished(folder, score, "csv")
    assert score("in.csv", "-o", "out.csv", fail_at=8).wait() == -signal.SIGKILL
    assert (folder / f".out.csv{PRIVATE}lock").exists()
    assert score("in.csv", "-o", "out.csv").wait() == 3  # anew, without --resume
    assert files(folder) == complete
