"""Changes since an interrupted run, and concurrent runs."""

import os
import shutil
import signal
import time

import pytest
from workload import DONE, PRIVATE, files, finished, ledger_of, remove_results, rows_done, write_table

from sentcli.model.bundle import write_manifest

FORMS = ("csv", "parquet")


def interrupted(folder, score, form):
    """Kill a run that has scored rows; return the results of an uninterrupted one."""
    write_table(folder, form, 400)
    complete = finished(folder, score, form)
    assert score(f"in.{form}", "-o", f"out.{form}", "-q", fail_at=15).wait() == -signal.SIGKILL
    assert 0 < rows_done(folder, form) < 300
    return complete


def check_refused(run, *names):
    assert run.wait() == 1
    (line,) = run.error.splitlines()
    assert line.startswith("Error: ")
    for name in names:
        assert name in line


def rewrite(path, data):
    """Change the bytes of a file, but not its size and times."""
    status = path.stat()
    assert len(data) == status.st_size
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize("form", FORMS)
def test_an_edited_input_of_the_same_size_and_times_is_refused(folder, score, form):
    complete = interrupted(folder, score, form)
    path = folder / f"in.{form}"
    data = path.read_bytes()
    place = data.index(b"film", len(data) // 20)
    rewrite(path, data[:place] + b"fiim" + data[place + 4 :])
    command = (f"in.{form}", "-o", f"out.{form}", "-q")
    check_refused(score(*command), f"in.{form} changed since the interrupted run read it", "--overwrite")
    assert not (folder / f"out.{form}").exists()
    rewrite(path, data)
    assert score(*command).wait() == DONE[form]
    assert files(folder) == complete


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("--prefix", ("x_",)), ("--null-values", ("x,y",)), ("--neutral", ("0.4,0.6",)), ("model", ())],
)
def test_a_changed_option_or_model_is_refused_by_name(folder, score, trained, tmp_path, name, arguments):
    interrupted(folder, score, "csv")
    before = ledger_of(folder, "csv").read_bytes()
    command = ["in.csv", "-o", "out.csv", "-q"]
    bundle = trained.path
    if arguments:
        command += name, *arguments
    else:
        bundle = shutil.copytree(trained.path, tmp_path / "other")
        (bundle / "vocab.txt").write_bytes(trained.read("vocab.txt").replace(b"film\n", b"fiim\n"))
        write_manifest(bundle)
    run = score(*command, bundle=bundle)
    check_refused(run, f"{name} changed since the interrupted run. What was scored is kept")
    assert ledger_of(folder, "csv").read_bytes() == before
    assert score(*command, "--overwrite", bundle=bundle).wait() == DONE["csv"]


@pytest.mark.parametrize("form", FORMS)
def test_of_two_runs_at_once_one_makes_the_output(folder, score, form):
    write_table(folder, form, 2000)
    complete = finished(folder, score, form)
    for pause in (0, 0.01, 0.05):
        first = score(f"in.{form}", "-o", f"out.{form}", "-q")
        time.sleep(pause)
        second = score(f"in.{form}", "-o", f"out.{form}", "-q")
        assert sorted((first.wait(), second.wait())) == sorted((DONE[form], 1))
        assert "exists; give another name" in first.error + second.error
        assert files(folder) == complete
        remove_results(folder)


def test_a_second_run_waits_with_a_message(folder, score):
    write_table(folder, "csv", 60)
    os.mkfifo(folder / "pipe.csv")
    first = score("pipe.csv", "-o", "out.csv")
    with (folder / "pipe.csv").open("wb") as pipe:
        first.wait_until(folder / f".out.csv{PRIVATE}lock")
        second = score("in.csv", "-o", "out.csv", lock_seconds=0.5)
        assert second.wait() == 1
        waiting, error = second.error.splitlines()
        assert "another run of sentcli is writing it; waiting" in waiting
        assert "another run of sentcli is writing it; try again" in error
        third = score("in.csv", "-o", "out.csv")
        while "waiting" not in third.error:
            time.sleep(0.01)
        third.send(signal.SIGTERM)
        assert third.wait() == 143
        pipe.write(b"text\nword1\n")
    assert first.wait() == 0
    assert (folder / "out.csv").read_bytes().startswith(b"text,sentiment,sentiment_score\nword1,")
    assert not list(folder.glob(f".*{PRIVATE}*"))
