"""A disk that is full or fails: a clean error, the old file kept, and a rerun to the same bytes."""

import subprocess

import pytest
from workload import DONE, PRIVATE, files, finished, write_table

pytestmark = pytest.mark.linux


def check_error(run, *parts):
    """Check that the run failed with one line that has all the parts."""
    assert run.wait() == 1
    *_, line = run.error.splitlines()
    assert line.startswith("Error: ")
    assert "Traceback" not in run.error
    for part in parts:
        assert part in line


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_full_device_is_named(folder, score, form):
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
    assert score(f"in.{form}", "-o", f"out.{form}").wait() == DONE[form]
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


def test_a_run_continues_once_a_full_disk_has_room(folder, score, small_disk):
    write_table(folder, "csv", 12_000)
    assert score("in.csv", "-o", "whole.csv").wait() == DONE["csv"]
    (small_disk / "out.csv").write_bytes(b"old")
    kept = "the same command continues"
    command = ("in.csv", "-o", "disk/out.csv")
    check_error(score(*command, "--overwrite"), "disk/", "No space left on device", kept)
    assert (small_disk / "out.csv").read_bytes() == b"old"
    check_error(score(*command), "No space left on device", kept)
    subprocess.run(["mount", "-o", "remount,size=16m", small_disk], check=True)
    run = score(*command)
    assert run.wait() == DONE["csv"]
    assert "continuing after" in run.error
    for suffix in ("", ".rejects.jsonl"):
        whole, continued = folder / f"whole.csv{suffix}", small_disk / f"out.csv{suffix}"
        assert whole.read_bytes() == continued.read_bytes()
    assert len(list(small_disk.iterdir())) == 2


def test_a_read_only_disk_is_named(folder, score, small_disk):
    write_table(folder, "csv", 60)
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    check_error(score("in.csv", "-o", "disk/out.csv"), "disk/", "Read-only file system")


def test_files_are_durable_before_they_get_their_names(folder, score):
    write_table(folder, "csv", 120)
    calls, private = folder.parent / "calls", f".out.csv{PRIVATE}"
    assert score("in.csv", "-o", "out.csv", "-q", calls=calls, spares_disk=False).wait() == DONE["csv"]
    lines = calls.read_text().splitlines()
    parts = (f"{private}part", f".out.csv.rejects.jsonl{PRIVATE}part")
    renames = [
        lines.index(f"replace {part} {name}")
        for part, name in zip(parts, ("out.csv", "out.csv.rejects.jsonl"), strict=True)
    ]
    assert renames[0] > renames[1], "the rejects come first"
    for part, rename in zip(parts, renames, strict=True):
        assert is_durable(lines[:rename], part)
        assert lines[rename + 1] == f"fsync {folder.name}"
    # The last record of the ledger, which the renames need, is written after the parts are durable.
    *_, record = (number for number, line in enumerate(lines) if line == f"write {private}ledger")
    assert record < renames[1]
    assert all(is_durable(lines[:record], part) for part in parts)
    assert is_durable(lines[: renames[1]], f"{private}ledger")
    assert lines[-2:] == [f"unlink {private}ledger", f"unlink {private}lock"]
    assert lines.count(f"fsync {private}ledger") >= 3


def is_durable(calls, name):
    """Return whether fsync came after the last write."""
    later = [line for line in calls if line in (f"write {name}", f"fsync {name}")]
    return later[-1:] == [f"fsync {name}"]
