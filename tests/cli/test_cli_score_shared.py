"""Folders that several runs share, and folders in a bucket, with real processes."""

import json
import subprocess
import time
from pathlib import Path

import pytest
from object_store import _server, s3  # noqa: F401

pytestmark = pytest.mark.usefixtures("in_a_folder")
NAMES = [f"part-{number}.csv" for number in range(6)]


@pytest.fixture
def inputs():
    """Six files; a row of the first one is rejected."""
    Path("in").mkdir()
    for number, name in enumerate(NAMES):
        rows = "".join(f'{row},"a warm, dull film {row % 7}"\n' for row in range(200 + number))
        Path("in", name).write_text("id,review\n" + rows + "1\n" * (number == 0))


def content(folder):
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def finish(*processes):
    """Wait for processes; return their exit codes and what all wrote to stderr."""
    errors = [process.communicate(timeout=120)[1] for process in processes]
    return [process.returncode for process in processes], b"".join(errors).decode()


@pytest.fixture
def begin(start):
    def begin(*arguments):
        return start(*arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    return begin


def test_shards_and_equal_commands_share_a_folder(begin, inputs):
    assert finish(begin("in/*.csv", "-o", "one/"))[0] == [3]
    shards = [begin("in/*.csv", "-o", "shards/", "--shard", f"{number}/2") for number in (1, 2)]
    assert sorted(finish(*shards)[0]) == [0, 3]
    assert content("shards") == content("one")
    codes, errors = finish(*(begin("in/*.csv", "-o", "twice/") for _ in range(2)))
    assert codes == [3, 3], errors
    assert content("twice") == content("one")
    assert sorted(name for name in content("twice") if name[0] == ".") == [
        f".{n}.sentcli-done" for n in NAMES
    ]


@pytest.mark.parametrize("shard", ["3/2", "0/2", "1/0", "2", "1/2/3", "-1/2", "a/b", ""])
def test_a_shard_that_does_not_exist_is_refused(refuse, inputs, shard):
    failure = refuse("in/*.csv", "-o", "out/", "--shard", shard)
    assert failure.code == 2
    assert f"--shard {shard!r}: not I/N" in failure.message
    assert not Path("out").exists()


def test_a_folder_in_a_bucket(begin, s3, inputs):  # noqa: F811
    for name in NAMES:
        s3["in/" + name] = Path("in", name).read_bytes()
    s3["out/part-0.csv.rejects.jsonl"] = b"of a killed run"
    source = f"{s3.root}in/*.csv"
    assert finish(begin(source, "-o", "local/"))[0] == [3]
    expected = {name: data for name, data in content("local").items() if name[0] != "."}
    for skipped in (0, 6):
        codes, errors = finish(begin(source, "-o", f"{s3.root}out/", "--summary", f"{s3.root}s.json"))
        assert codes == [3], errors
        assert not [word for word in ("Traceback", "ignored", "Unclosed") if word in errors]
        assert s3.content("out/") == expected
        summary = json.loads(s3["s.json"])
        assert (summary["rows"], summary["rejected"], summary["skipped"]) == (1215, 1, skipped)


@pytest.mark.slow
def test_a_killed_upload_leaves_no_object(begin, s3):  # noqa: F811
    row = b"1,%b,a warm film\n" % (b"x" * 2000)
    s3["in/a.csv"] = b"id,note,review\n" + row * 20_000
    command = (f"{s3.root}in/a.csv", "-o", f"{s3.root}out/")
    process = begin(*command)
    while not any("partNumber=1" in line for line in s3.requests):
        assert process.poll() is None
        time.sleep(0.005)
    process.kill()
    assert finish(process)[0] == [-9]
    assert s3.names("out/") == []
    assert finish(begin(*command))[0] == [0]
    assert finish(begin(f"{s3.root}in/a.csv", "-o", "local/"))[0] == [0]
    assert s3.content("out/") == {"a.csv": Path("local/a.csv").read_bytes()}
