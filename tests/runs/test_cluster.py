"""Files on a cluster that is in this process: what a real one does is in tests/reliability/test_ray.py."""

import logging
import os
import pickle
import platform
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from jobs import content, score_files

from sentcli.errors import (
    BundleError,
    ClusterError,
    InterruptedRunError,
    MissingExtraError,
    SentcliError,
    UsageError,
)
from sentcli.files import stop
from sentcli.model.bundle import default_bundle_path, load_bundle
from sentcli.runs import cluster
from sentcli.runs.cluster import File, plan_tasks
from sentcli.scoring.scorer import Scorer
from sentcli.tables.options import RejectOptions

SETTINGS = {"workers": None, "null_values": ("none",)}


class Ray:
    """The functions of Ray; a task runs when it is waited for, with copies of its arguments.

    :ivar deadly: part of the name of a file that ends its process.
    :ivar raised: what a task raises in place of a result.
    :ivar lost: the number of tasks that are lost with their node.
    """

    class RayError(Exception):
        pass

    class RayTaskError(RayError):
        def __init__(self, cause):
            super().__init__("a traceback")
            self.cause = cause

    exceptions = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError)

    def __init__(self, folder):
        self._folder = folder
        self.deadly = self.raised = None
        self.tasks, self.cancelled, self.events = [], [], []
        self.cpus = 4

    def init(self, address, **options):
        if address == "nowhere":
            raise ConnectionError("no answer\nat all")
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        self.events.append((address, options))

    def shutdown(self):
        self.events.append("shutdown")

    def nodes(self):
        dead = {"Alive": False, "Resources": {"CPU": 64.0}}
        return [dead, {"Alive": True, "Resources": {}}, {"Alive": True, "Resources": {"CPU": self.cpus}}]

    def remote(self, **options):
        self.options = options
        return lambda function: SimpleNamespace(remote=lambda *some: self._submit(function, some))

    def _submit(self, function, arguments):
        self.tasks.append(arguments[0])
        return pickle.dumps((len(self.tasks), function, arguments))

    def wait(self, references, timeout, num_returns=1):
        os.write(1, b"a node was lost\n")
        return references[:num_returns], references[num_returns:]

    def get(self, reference):
        _, function, arguments = pickle.loads(reference)
        if self.raised:
            raise self.RayTaskError(self.raised)
        if self.deadly and any(self.deadly in file.name for file in arguments[0]):
            raise self.RayError
        before, logger = Path.cwd(), logging.getLogger("sentcli")
        os.chdir(self._folder)
        logger.propagate = False  # a node has a log of its own
        try:
            return function(*arguments)
        except SentcliError as error:
            raise self.RayTaskError(error) from error
        finally:
            os.chdir(before)
            logger.propagate = True

    def cancel(self, reference):
        self.cancelled.append(reference)


@pytest.fixture
def ray(monkeypatch, trained):
    ray = Ray(trained.path)
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.delenv("RAY_USAGE_STATS_ENABLED", raising=False)
    yield ray
    cluster._scorer.cache_clear()


@pytest.fixture
def inputs(tmp_path, monkeypatch):
    """Six files, one with a bad row."""
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    for number in range(6):
        Path(f"in/{number}.jsonl").write_text('{"text": "warm"}\n{"text": "dull"}\n' * (number + 1))
    with Path("in/2.jsonl").open("a") as file:
        file.write("no JSON\n")
    return ["in/*.jsonl"]


@pytest.fixture
def run(trained):
    def run(inputs, output="out/", address="local", **options):
        with Scorer(load_bundle(trained.path), **SETTINGS) as scorer:
            return score_files(scorer, inputs, output, cluster=(address, SETTINGS), **options)

    return run


def test_the_outputs_and_the_counts_are_those_of_a_run_without(ray, inputs, run, trained, capfd):
    with Scorer(load_bundle(trained.path), **SETTINGS) as scorer:
        plain = score_files(scorer, inputs, "plain/")
    handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    summary = run(inputs)
    assert content("out") == content("plain")
    own = {"inputs", "seconds", "rows_per_second"}
    figures = [{k: v for k, v in each.to_json().items() if k not in own} for each in (summary, plain)]
    assert figures[0] == figures[1]
    assert (summary.rows, summary.rejected) == (42, 1)
    assert sorted(entry["path"] for entry in summary.inputs) == [f"in/{n}.jsonl" for n in range(6)]
    (address, options), end = ray.events
    assert (address, end) == ("local", "shutdown")
    assert options["runtime_env"] == {"working_dir": str(trained.path)}
    assert ray.options == {"num_cpus": 2, "max_retries": 3, "scheduling_strategy": "SPREAD"}
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == handlers
    captured = capfd.readouterr()
    assert "a node was lost" in captured.err
    assert captured.out == ""
    assert run(inputs).skipped == 6


def test_the_log_of_a_node_names_files_as_the_user_does(ray, inputs, run, caplog):
    caplog.set_level(logging.INFO)
    run(inputs)
    (message,) = caplog.messages
    assert message.startswith("1 row rejected")
    assert message.endswith(" see out/2.jsonl.rejects.jsonl")


def test_the_included_model_is_not_sent(ray, inputs):
    with Scorer(load_bundle(default_bundle_path()), workers=1) as scorer:
        summary = score_files(scorer, inputs, "out/", cluster=("10.0.0.1:6379", {"workers": 1}))
    assert summary.rows == 42
    assert ray.events[0] == ("10.0.0.1:6379", {"log_to_driver": False, "logging_level": "ERROR"})
    assert ray.options["num_cpus"] == 1


def test_a_file_that_ends_its_process_is_named_and_the_others_are_scored(
    ray, inputs, run, caplog, monkeypatch
):
    monkeypatch.setattr(cluster, "_TASKS_PER_SLOT", 1)
    ray.cpus, ray.deadly = 2, "3.jsonl"
    summary = run(inputs)
    assert (summary.failed, summary.rows) == (1, 34)
    assert sorted(content("out")) == [
        *(f"{n}.jsonl" for n in (0, 1, 2)),
        "2.jsonl.rejects.jsonl",
        "4.jsonl",
        "5.jsonl",
    ]
    (line,) = [text for text in caplog.messages if "3.jsonl" in text]
    assert line.startswith("out/3.jsonl: each process that scored in/3.jsonl was lost (RayError)")
    packed, *alone = ray.tasks
    assert [[file] for file in packed] == alone
    assert len(alone) == 6


def test_errors_of_a_file_are_logged_with_the_node(ray, inputs, run, caplog):
    Path("in/1.jsonl").write_text('{"nothing": 1}\n')
    summary = run([*inputs, "in/gone.jsonl"])
    assert (summary.failed, summary.rows) == (2, 38)
    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert [error for error in errors if f"(on {platform.node()})" in error] == errors
    assert {name for error in errors for name in ("1.jsonl", "gone.jsonl") if f"in/{name}" in error} == {
        "1.jsonl",
        "gone.jsonl",
    }


@pytest.mark.parametrize(
    ("raised", "kind", "text"),
    [
        (BundleError("the model fails"), BundleError, "the model fails"),
        (MemoryError(), MemoryError, ""),
        (
            RuntimeError("long\nModuleNotFoundError: No module named 'sentcli'\n"),
            ClusterError,
            "a task failed: RuntimeError: ModuleNotFoundError: No module named 'sentcli'; does each node",
        ),
    ],
)
def test_an_error_that_would_stop_every_output_ends_the_run(ray, inputs, run, raised, kind, text):
    ray.raised = raised
    with pytest.raises(kind) as caught:
        run(inputs)
    assert str(caught.value).startswith(text)
    assert len(ray.cancelled) == len(ray.tasks) - 1
    assert ray.events[-1] == "shutdown"


@pytest.mark.parametrize("name", ["version of sentcli", "runtime", "model"])
def test_a_node_that_differs_is_refused(ray, inputs, run, monkeypatch, name):
    conditions_of, names = cluster.conditions_of, iter([name])

    def submitted(scorer):
        """Return conditions, of which one differs in the first call alone, that of the driver."""
        return conditions_of(scorer) | dict.fromkeys(names, "another")

    monkeypatch.setattr(cluster, "conditions_of", submitted)
    with pytest.raises(ClusterError, match=f"{platform.node()} has another {name}: .* not another") as caught:
        run(inputs)
    assert "install the same packages" in str(caught.value)
    assert content("out") == {}


def test_a_signal_cancels_the_tasks(ray, inputs, run, monkeypatch):
    results = iter([None, signal.SIGTERM])
    checked = SimpleNamespace(check=lambda: stops(next(results)), LOOK_SECONDS=0.1)
    monkeypatch.setattr("sentcli.runs.cluster.stop", checked)
    ray.get = lambda reference: [(None, [])] * len(pickle.loads(reference)[2][0])
    with pytest.raises(
        InterruptedRunError, match=r"stopped after 1 of 6 files; the same command continues"
    ) as caught:
        run(inputs)
    assert caught.value.exit_code == 143
    assert len(ray.cancelled) == len(ray.tasks) - 1 > 0


def stops(number):
    if number:
        raise stop.StopRequested(number)


def test_waits_for_a_node_that_is_large_enough(ray, inputs, run, caplog):
    ray.cpus = 1
    assert run(inputs).rows == 42
    assert (
        "no node of the cluster has 2 CPUs; waiting for one; --ray-cpus 1 asks for fewer" in caplog.messages
    )


def test_no_cluster(ray, inputs, run):
    with pytest.raises(ClusterError, match="--ray nowhere: no answer; give the address of its head node"):
        run(inputs, address="nowhere")
    assert "shutdown" in ray.events


def test_no_ray(inputs, run, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"try: pip install .*\[ray\]"):
        run(inputs)


@pytest.mark.parametrize(
    ("names", "output", "rejects"),
    [
        (["in/*.jsonl"], "-", None),
        (["in/*.jsonl"], "out.jsonl", None),
        (["in/1.jsonl"], "out.jsonl", None),
        (["-"], "out/", None),
        (["in/1.jsonl"], "out/", "bad.jsonl"),
    ],
)
def test_anything_but_files_to_a_folder_is_refused(ray, inputs, run, names, output, rejects):
    with pytest.raises(UsageError, match=r"--ray makes an output of each file: .* -o FOLDER/"):
        run(names, output, rejects=RejectOptions(rejects))
    assert not ray.events
    assert [path.name for path in Path().iterdir()] == ["in"]


def files(*sizes):
    return [File(str(n), str(n), size) for n, size in enumerate(sizes)]


MB = 1 << 20


def sizes(tasks):
    return [[file.size // MB for file in files] for files in tasks]


def test_large_files_come_first_and_alone():
    planned = plan_tasks(files(1 * MB, 300 * MB, 2 * MB, 80 * MB, 70 * MB), slots=1)
    assert sizes(planned) == [[300], [80], [70], [2, 1]]


def test_small_files_are_packed():
    planned = plan_tasks(files(*[2000] * 1000), slots=2)
    assert sum(map(len, planned)) == len({file for files in planned for file in files}) == 1000
    assert 8 <= len(planned) <= 50
    planned = plan_tasks(files(*[10 * MB] * 100), slots=1)
    assert {sum(file.size for file in files) for files in planned} == {50 * MB}


def test_every_slot_has_some_tasks():
    assert len(plan_tasks(files(*[7 * MB] * 20), slots=2)) == 10
    assert len(plan_tasks(files(*[7 * MB] * 20), slots=16)) == 20


def test_more_tasks_than_are_submitted_at_once(ray, inputs, run, monkeypatch):
    monkeypatch.setattr(cluster, "_SUBMITTED", 2)
    ray.cpus = 100
    assert run(inputs).rows == 42
    assert len(ray.tasks) == 6
