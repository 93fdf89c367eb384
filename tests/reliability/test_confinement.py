"""A run writes its own files only, and refuses a damaged or unsafe bundle before the first row."""

import hashlib
import json
import re
import shutil
import subprocess
import sys

import pytest
from processes import environment
from workload import DONE, PRIVATE, write_table

ALLOWED = {f".out.{{}}{PRIVATE}{kind}" for kind in ("part", "lock", "ledger")} | {
    f".out.{{}}.rejects.jsonl{PRIVATE}part"
}


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet", "csv.gz"])
def test_only_its_own_files_are_opened_to_be_written(folder, score, form, tmp_path):
    write_table(folder, form, 200)
    events = tmp_path / "events"
    assert score(f"in.{form}", "-o", f"out.{form}", "-q", events=events).wait() == DONE[form]
    written = set(events.read_text().splitlines())
    assert written
    assert written <= {f"open {folder / name.format(form)}" for name in ALLOWED} | {"open /dev/null"}


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_only_its_own_files_are_changed_by_system_calls(folder, trained, form, tmp_path):
    """Python's audit events do not show the files that libraries open."""
    write_table(folder, form, 200)
    calls = tmp_path / "calls"
    watched = "openat,open,creat,connect,bind,rename,unlink,mkdir,truncate,link,symlink,chmod,execve"
    tracer = ["strace", "-f", "-qq", "-o", calls, "-e", f"trace={watched}"]
    arguments = [f"in.{form}", "-o", f"out.{form}", "--model", trained.path, "-q"]
    run = subprocess.run(
        [*tracer, sys.executable, "-B", "-m", "sentcli", "score", *arguments],
        cwd=folder,
        env=environment(),
        check=False,
    )
    if run.returncode != DONE[form]:
        pytest.skip("this user may not trace processes")
    changes = re.compile(r"O_(WRONLY|RDWR|CREAT|TRUNC)|^\d+ +(?! |openat|open|execve)")
    own = {name.format(form) for name in ALLOWED} | {f"out.{form}", f"out.{form}.rejects.jsonl"}
    for line in calls.read_text().splitlines():
        if changes.search(line) and "= -1" not in line and "/dev/null" not in line and "---" not in line:
            names = re.findall(r'"([^"]*)"', line)
            assert names, line
            assert {name.removeprefix(f"{folder}/") for name in names} <= own, line


def refused(score, bundle, *parts):
    """Check that the run ends before the first row, with one line."""
    run = score("in.csv", "-o", "out.csv", bundle=bundle)
    assert run.wait() == 1
    (line,) = run.error.splitlines()
    for part in ("Error: ", *parts):
        assert part in line
    return True


@pytest.fixture
def bundle(folder, trained, tmp_path):
    write_table(folder, "csv", 60)
    shutil.copytree(trained.path, tmp_path / "bundle")
    yield tmp_path / "bundle"
    assert [path.name for path in folder.iterdir()] == ["in.csv"]


@pytest.mark.parametrize("name", ["model.onnx", "vocab.txt", "config.json", "manifest.json"])
def test_a_damaged_file_of_the_bundle_is_refused_by_name(score, bundle, name):
    content = (bundle / name).read_bytes()
    # In the manifest, a digest of a file that scoring reads: the copies for other runtimes are not read.
    middle = content.find(b"model.onnx") + 20 if name == "manifest.json" else len(content) // 2
    for place in (0, middle, len(content) - 2):
        (bundle / name).write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        assert refused(score, bundle, name if name != "manifest.json" else "")
    for length in (0, len(content) // 2, len(content) - 1):
        (bundle / name).write_bytes(content[:length])
        if name != "manifest.json" or length < len(content) - 1:  # its last byte is a line end
            assert refused(score, bundle, name)
    (bundle / name).unlink()
    assert refused(score, bundle, name)


@pytest.mark.parametrize("kind", ["pipe", "folder", "device"])
def test_a_file_of_the_bundle_that_is_not_regular_is_refused(score, bundle, kind):
    path = bundle / "model.onnx"
    path.unlink()
    if kind == "pipe":
        subprocess.run(["mkfifo", path], check=True)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero")
    assert refused(score, bundle, "model.onnx")


@pytest.mark.parametrize("name", ["../outside", "/etc/hostname", "a/../../outside", "sub/file", "..", ""])
def test_a_manifest_with_a_name_outside_the_bundle_is_refused(score, bundle, name):
    outside = bundle.parent / "outside"
    outside.write_bytes(b"x")
    manifest = json.loads((bundle / "manifest.json").read_bytes())
    manifest["sha256"][name] = hashlib.sha256(b"x").hexdigest()
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    assert refused(score, bundle, "manifest.json", repr(name))
