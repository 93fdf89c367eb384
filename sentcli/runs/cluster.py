"""Files on a Ray cluster: a task scores some files, each exactly as a run of its own does.

No row goes through Ray, only names and counts. A task that is lost with its node runs again on another one:
it continues or skips what the first one did, as the same command would.
"""

import functools
import logging
import os
import platform
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sentcli import __version__, errors
from sentcli.config import LOG
from sentcli.files import stop
from sentcli.files.remote import is_url
from sentcli.files.sink import Target
from sentcli.files.source import inspect_input
from sentcli.runs.job import JobOptions, score_output
from sentcli.runs.plan import Pair
from sentcli.runs.summary import Bar, Progress, Summary
from sentcli.scoring.pool import tune_interpreter, usable_cores
from sentcli.scoring.scorer import Scorer, load

_CPUS = 2  # of a task: as fast as two tasks of one, in half of the memory
_RETRIES = 3  # of a task whose process or node was lost
_TASK_BYTES = 64 << 20  # of a task with several files; two cores score them in 2 to 3 seconds
_FILE_BYTES = 1 << 20  # what a task scores in the time that it takes to open and to finish a file
_TASKS_PER_SLOT = 4  # at least, so that no slot is idle for long at the end
_SUBMITTED = 1000  # tasks that Ray holds at once; each takes memory of the driver
_CANCEL_SECONDS = 5.0  # for cancelled tasks to commit their ledgers
_STORE_BYTES = 80_000_000  # shared memory of a cluster on this machine, near Ray's minimum


Cluster = tuple[str, Mapping[str, Any]]
Record = dict[str, Any]
Result = tuple[Summary | None, list[tuple[int, str]]]


@dataclass(frozen=True)
class File:
    """An input with its output, by the names that messages and records have."""

    name: str
    output: str
    size: int


def score_on_cluster(
    cluster: Cluster, scorer: Scorer, pairs: Sequence[Pair], output: str, options: JobOptions
) -> Summary:
    """Score each input to its output. An output that cannot be made is logged and counted as failed.

    :param cluster: its address: `local` for a new one on this machine, `auto` for that of this machine, or
        HOST:PORT; and the settings of the scorers of its tasks, except the model.
    :param scorer: the scorer that those of all nodes must equal.
    """
    address, settings = cluster
    files = [File(source, target.name, _size_of(source)) for (source,), target in pairs]
    cpus = settings["workers"] or _CPUS
    folder = None if scorer.bundle.is_shipped else str(scorer.bundle.path.resolve())
    model = (scorer.bundle.model_file or ".") if folder else None  # relative to the current folder of tasks
    parameters = {**settings, "workers": cpus, "model": model}
    common = parameters, conditions_of(scorer), replace(options, progress=Progress()), str(Path.cwd())
    total, done, read, size = Summary(), 0, 0, sum(file.size for file in files)
    with _connected(address, cpus, folder) as ray, closing(Bar(options.progress, output, size)) as bar:
        started = time.perf_counter()
        task = ray.remote(num_cpus=cpus, max_retries=_RETRIES, scheduling_strategy="SPREAD")(score_task)
        tasks = plan_tasks(files, _slots(ray, cpus))
        try:
            for file, (summary, log) in _run(ray, tasks, lambda files: task.remote(files, *common)):
                done, read = done + 1, read + file.size
                for level, text in log:
                    LOG.log(level, "%s", text)
                total += summary or Summary(failed=1)
                counts = f"{done:,} of {len(files):,} files, {total.failed:,} failed, "
                bar.update(read, total.rows, total.scored, counts)
        except KeyboardInterrupt as error:
            message = f"stopped after {done:,} of {len(files):,} files; the same command continues"
            raise errors.InterruptedRunError(message, errors.signal_of(error)) from None
        return replace(total, seconds=time.perf_counter() - started)


def _size_of(source: str) -> int:
    with suppress(errors.DataError):  # raised again by the task
        return inspect_input(source).size or 0
    return 0


def plan_tasks(files: Sequence[File], slots: int) -> list[list[File]]:
    """Cut files into tasks, the largest first: large files alone, small ones together.

    :param slots: tasks that the cluster runs at once.
    """
    cost = {file: _FILE_BYTES + file.size for file in files}
    most = min(_TASK_BYTES, sum(cost.values()) / (_TASKS_PER_SLOT * slots))
    tasks: list[list[File]] = []
    room = 0.0
    for file in sorted(files, key=cost.__getitem__, reverse=True):
        if cost[file] > room:
            tasks.append([])
            room = most
        tasks[-1].append(file)
        room -= cost[file]
    return tasks


@contextmanager
def _connected(address: str, cpus: int, folder: str | None) -> Iterator[Any]:
    """Connect to the cluster; yield the module `ray`.

    :param folder: the model to send to each node; None: each has it.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    with errors.requires("ray"):
        import ray
    options: dict[str, Any] = {"runtime_env": {"working_dir": folder}} if folder else {}
    if address == "local":
        options |= {"num_cpus": max(usable_cores(), cpus), "include_dashboard": False}
        options["object_store_memory"] = _STORE_BYTES
    handlers = {number: signal.getsignal(number) for number in errors.STOP_SIGNALS}
    stdout = os.dup(1)
    os.dup2(2, 1)  # Ray prints to the descriptor when a node is lost
    try:
        try:
            ray.init(address, log_to_driver=False, logging_level="ERROR", **options)
        except Exception as error:  # Ray's errors have no common class
            reason = str(error).partition("\n")[0]
            hint = "give the address of its head node, such as 10.0.0.1:6379, or --ray local for this machine"
            raise errors.ClusterError(f"--ray {address}: {reason}; {hint}") from error
        for number, handler in handlers.items():  # Ray has set its own
            signal.signal(number, handler)
        yield ray
    finally:
        ray.shutdown()
        os.dup2(stdout, 1)
        os.close(stdout)


def _slots(ray: Any, cpus: int) -> int:
    """Return the number of tasks that the cluster runs at once, at least 1."""
    nodes = [node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"]]
    slots = sum(int(node // cpus) for node in nodes)
    if not slots:  # a cluster that grows with its tasks may have none yet
        LOG.warning("no node of the cluster has %d CPUs; waiting for one; --ray-cpus 1 asks for fewer", cpus)
    return slots or 1


def _run(
    ray: Any, tasks: Sequence[Sequence[File]], submit: Callable[[Sequence[File]], Any]
) -> Iterator[tuple[File, Result]]:
    """Run tasks; yield each file with its result, as soon as it is there.

    A file may end every process that scores it: a task that is lost too often becomes one for each file.
    """
    waiting = deque(tasks)
    running: dict[Any, Sequence[File]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < _SUBMITTED:
                files = waiting.popleft()
                running[submit(files)] = files
            stop.check()
            for task in ray.wait([*running], timeout=stop.LOOK_SECONDS)[0]:
                files = running.pop(task)
                try:
                    results = ray.get(task)
                except ray.exceptions.RayTaskError as error:
                    if isinstance(error.cause, errors.SentcliError | MemoryError):
                        raise error.cause from error
                    reason = str(error.cause).strip().rpartition("\n")[2]
                    what = f"a task failed: {type(error.cause).__name__}: {reason}"
                    raise errors.ClusterError(f"{what}; does each node have the same packages?") from error
                except ray.exceptions.RayError as error:
                    if len(files) > 1:
                        waiting.extend([file] for file in files)
                        continue
                    lost = f"{files[0].output}: each process that scored {files[0].name} was lost"
                    hint = "it had too little memory, or the file ends it; try this file without --ray"
                    results = [(None, [(logging.ERROR, f"{lost} ({type(error).__name__}): {hint}")])]
                yield from zip(files, results, strict=True)
    finally:
        for task in running:
            ray.cancel(task)
        if running:
            ray.wait([*running], num_returns=len(running), timeout=_CANCEL_SECONDS)


@errors.names_flags()  # a cluster is used from the command line only
def score_task(
    files: Sequence[File], parameters: Record, conditions: Record, options: JobOptions, folder: str
) -> list[Result]:
    """Score each file to its output. A task may run again, or twice at once.

    :param conditions: the conditions of the driver, see `conditions_of`.
    :param folder: the current folder of the driver, where the names of files begin.
    :returns: for each file its summary, None if an error concerns this file alone; and its log.
    :raises ClusterError: before anything is written, if the scores could differ from those of other nodes.
    """
    scorer = _scorer(**parameters)
    here = conditions_of(scorer)
    for name, value in conditions.items():
        if here[name] != value:
            where = f"the node {platform.node()} has another {name}"
            what = f"{here[name]!s:.200} and not {value!s:.200}"
            raise errors.ClusterError(f"{where}: {what}; install the same packages on every node")
    return [_score(scorer, file, options, folder) for file in files]


def conditions_of(scorer: Scorer) -> Record:
    """Return what all nodes need to have in common, by the names that messages show to the user."""
    return {"version of sentcli": __version__, **scorer.fingerprint}


@functools.cache  # a process serves many tasks of one run
def _scorer(**parameters: Any) -> Scorer:
    tune_interpreter()
    return load(**parameters)


def _score(scorer: Scorer, file: File, options: JobOptions, folder: str) -> Result:
    from logging.handlers import BufferingHandler  # imports sockets, which few runs need

    source, target = (name if is_url(name) else str(Path(folder, name)) for name in (file.name, file.output))
    log = BufferingHandler(sys.maxsize)  # the log of a node is not that of the user
    LOG.addHandler(log)
    LOG.setLevel(logging.INFO)
    summary = None
    try:
        summary = score_output(scorer, [source], Target(target), options, name=file.name)
    except errors.OF_ONE_OUTPUT as error:
        LOG.error("%s (on %s)", error, platform.node())
    finally:
        LOG.removeHandler(log)
    lines = [(record.levelno, record.getMessage()) for record in log.buffer]
    return summary, [(level, line.replace(target, file.output)) for level, line in lines]
