"""`sentcli score --ray` on a cluster of a head and two nodes with a CPU each, of this machine.

What takes longer, such as the loss of a node, is in benchmarks/cluster/checks.py.
"""

import signal
import time

import pytest

pytest.importorskip("ray")

from checks import PATHS, Nodes, check_same, end, environment, make, score, start, totals
from sampling import whole_only

pytestmark = [pytest.mark.slow, whole_only]


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    return tmp_path_factory.mktemp("cluster")


@pytest.fixture(scope="module")
def nodes(work):
    with (
        environment({"PYTHONPATH": PATHS, "RAY_USAGE_STATS_ENABLED": "0"}),
        Nodes(work, POISON="part-00003", SLOW=0.1, PAUSE=work / "pause") as nodes,
    ):
        yield nodes


@pytest.fixture
def arguments(nodes):
    return "--ray", nodes.address, "--workers", 1


def test_outputs_of_all_formats_are_those_of_a_run_without(nodes, arguments, tmp_path):
    for form in ("csv", "csv.gz", "jsonl", "parquet"):
        make(tmp_path / "in", form, parts=3, rows=30)
    plain, output = tmp_path / "plain", tmp_path / "out"
    score(f"{tmp_path}/in/*", "-o", f"{plain}/", code=3)
    score(f"{tmp_path}/in/*", "-o", f"{output}/", *arguments, code=3)
    check_same(output, plain)
    assert len({each["pid"] for each in nodes.records()}) >= 2


def test_a_file_that_ends_its_process_and_a_damaged_one_are_named(arguments, tmp_path):
    make(tmp_path / "in", "csv", parts=5, rows=30)
    make(tmp_path / "in", "parquet", parts=1, rows=30)
    damaged = tmp_path / "in" / "part-00000.parquet"
    damaged.write_bytes(damaged.read_bytes()[:500])
    output = tmp_path / "out"
    errors = score(f"{tmp_path}/in/*", "-o", f"{output}/", *arguments, code=1).splitlines()
    for name in ("part-00003", "part-00000.parquet"):
        assert len([line for line in errors if name in line]) == 1
    assert "2 outputs failed" in errors[-1]
    assert {path.name for path in output.glob("*.csv")} == {f"part-0000{part}.csv" for part in (0, 1, 2, 4)}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)])
def test_the_same_command_continues_after_the_driver(work, arguments, tmp_path, number, code):
    make(tmp_path / "in", "csv", parts=2, rows=3000, bad_every=3)
    output, summary, pause = tmp_path / "out", tmp_path / "summary.json", work / "pause"
    whole = (f"{tmp_path}/in/*", "-o", f"{output}/", *arguments, "--summary", summary)
    reached = work / "pause.reached"
    reached.unlink(missing_ok=True)
    pause.touch()
    process = start(*whole)
    while process.poll() is None and not reached.exists():
        time.sleep(0.05)
    process.send_signal(number)
    end(process, code)
    assert not list(output.glob("*.csv"))
    pause.unlink()
    score(*whole)
    found = totals(summary)
    assert (found["rows"], found["rejected"], found["failed"]) == (6000, 1, 0)
    assert found["scored"] < 6000
    score(f"{tmp_path}/in/*", "-o", f"{tmp_path}/plain/")
    check_same(output, tmp_path / "plain")
