"""A disk that is full or fails: a clean error, the old file kept, and a resumed run gives the same bytes."""

import errno
import itertools
import os
import subprocess
from pathlib import Path

import pytest
from workload import DONE, PRIVATE, files, finished, remove_results, write_table


def check_error(run, *parts):
    """The run failed with a line that has all the parts."""
    assert run.wait() == 1
    *_, line = run.error.splitlines()
    assert line.startswith("Error: ")
    assert "Traceback" not in run.error
    for part in parts:
        assert part in line


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_every_call_to_the_disk_may_fail(folder, score, form, number):
    write_table(folder, form, 120)
    complete = finished(folder, score, form)
    step = 1 if (form, number) == ("csv", errno.ENOSPC) else 4
    for call in itertools.count(1, step):
        (folder / f"out.{form}").write_bytes(b"old")
        run = score(f"in.{form}", "-o", f"out.{form}", "--overwrite", "-q", fail_at=call, fail_with=number)
        if run.wait() == DONE[form]:
            break
        check_error(run, os.strerror(number), f"out.{form}")
        assert (folder / f"out.{form}").read_bytes() in (b"old", complete[f"out.{form}"])
        assert not list(folder.glob(f".*{PRIVATE}*.new")), f"after call {call}"
        run = score(f"in.{form}", "-o", f"out.{form}", "--overwrite", "--resume")
        assert run.wait() == DONE[form], run.error
        assert files(folder) == complete, f"after call {call}"
        assert not list(folder.glob(f".*{PRIVATE}*"))
        remove_results(folder)
    assert call > 20
    assert files(folder) == complete


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_full_device(folder, score, form):
    write_table(folder, form, 120)
    run = score(f"in.{form}", "-o", "/dev/full", "--output-format", form)
    check_error(run, "/dev/full: No space left on device")


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_limit_on_the_size_of_files(folder, score, form):
    write_table(folder, form, 500)
    complete = finished(folder, score, form)
    size = len(complete[f"out.{form}"])
    run = score(f"in.{form}", "-o", f"out.{form}", max_file=size // 2)
    check_error(run, f"out.{form}", "File too large")
    assert not (folder / f"out.{form}").exists()
    assert score(f"in.{form}", "-o", f"out.{form}", "--resume").wait() == DONE[form]
    assert files(folder) == complete


@pytest.fixture
def small_disk(folder):
    """A folder with room for 1 MB."""
    disk = folder / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this user may not mount a file system")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_disk_that_is_too_small(folder, score, small_disk):
    write_table(folder, "csv", 12_000)
    assert score("in.csv", "-o", "whole.csv").wait() == DONE["csv"]
    (small_disk / "out.csv").write_bytes(b"old")
    arguments = ("in.csv", "-o", "disk/out.csv", "--overwrite")
    check_error(score(*arguments), "disk/", "No space left on device", "--resume")
    assert (small_disk / "out.csv").read_bytes() == b"old"
    check_error(score(*arguments, "--resume"), "No space left on device", "--resume")
    subprocess.run(["mount", "-o", "remount,size=16m", small_disk], check=True)
    run = score(*arguments, "--resume")
    assert run.wait() == DONE["csv"]
    assert "resuming after" in run.error
    for suffix in ("", ".rejects.jsonl"):
        whole, resumed = folder / f"whole.csv{suffix}", small_disk / f"out.csv{suffix}"
        assert whole.read_bytes() == resumed.read_bytes()
    assert len(list(small_disk.iterdir())) == 2


def test_a_disk_that_can_only_be_read(folder, score, small_disk):
    write_table(folder, "csv", 60)
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    check_error(score("in.csv", "-o", "disk/out.csv"), "disk/", "Read-only file system")


def test_a_name_stands_for_durable_content_only(folder, score):
    write_table(folder, "csv", 120)
    calls, private = folder.parent / "calls", f".out.csv{PRIVATE}"
    assert score("in.csv", "-o", "out.csv", "-q", calls=calls, spares_disk=False).wait() == DONE["csv"]
    lines = calls.read_text().splitlines()
    for name in ("out.csv", "out.csv.rejects.jsonl"):
        rename = lines.index(f"replace .{name}{PRIVATE}part {name}")
        assert is_durable(lines[:rename], f".{name}{PRIVATE}part")
        assert lines[rename + 1] == f"fsync {folder.name}"
    saves = [number for number, line in enumerate(lines) if line.startswith(f"replace {private}journal.new")]
    assert len(saves) >= 3
    for save in saves:
        for name in (f"{private}journal.new", f"{private}part", f".out.csv.rejects.jsonl{PRIVATE}part"):
            assert is_durable(lines[:save], name)
        assert lines[save + 1] == f"fsync {folder.name}"
    locks = [f"unlink .out.csv.rejects.jsonl{PRIVATE}lock", f"unlink {private}lock"]
    assert lines[-3:] == [f"unlink {private}journal", *locks]


def is_durable(calls, name):
    """Tell whether fsync came after the last write."""
    later = [line for line in calls if line.rstrip() in (f"write {name}", f"fsync {name}")]
    return later[-1:] == [f"fsync {name}"]
