"""A driver and a task of `sentcli score --ray` that can be slowed down, killed or told to differ.

A node takes these settings from the environment with which it was started:

- SLOW: seconds to sleep after each chunk of 200 rows, so that a kill hits a file half way;
- PAUSE: path of a file; while it exists, a task waits as soon as some of its rows are in a ledger, and
  makes a second file with the suffix `.reached`;
- POISON: part of the name of an input that ends its process;
- OTHER: name of a condition that is different on this node, such as `runtime`;
- CORES: number of cores that this node seems to have;
- TASKS: folder that gets a file for each task: when and where it ran, and what it scored.

`python -c "import hooks; hooks.drive()" score ...` is `sentcli score ...` with this task.
"""

import json
import os
import signal
import threading
import time
import uuid
from contextlib import suppress
from pathlib import Path

import sentcli.tables.chunk
import sentcli.tables.parquet
from sentcli.runs import cluster
from sentcli.runs.ledger import Ledger
from sentcli.scoring.scorer import Scorer

_add = Ledger.add
_stream = Scorer.stream
_conditions_of = cluster.conditions_of
_score_task = cluster.score_task


def drive():
    cluster.score_task = score_task
    from sentcli.cli import main

    main(prog_name="sentcli")


def score_task(files, *arguments):
    record = {
        "pid": os.getpid(),
        "node": os.environ.get("NODE"),
        "cwd": str(Path.cwd()),
        "began": time.time(),
    }
    record |= {"files": [file.name for file in files], "threads": 0, "children": 0}
    poison = os.environ.get("POISON")
    if poison and any(poison in file.name for file in files):
        os.kill(os.getpid(), signal.SIGKILL)
    if other := os.environ.get("OTHER"):
        cluster.conditions_of = lambda scorer: _conditions_of(scorer) | {other: "onnxruntime 0.0.1"}
    if cores := os.environ.get("CORES"):
        os.sched_getaffinity = lambda _: set(range(int(cores)))
    Ledger.add = _add_and_pause
    Scorer.stream = lambda scorer, chunks: _watched(scorer, chunks, record)
    slow = float(os.environ.get("SLOW", 0))
    if slow:
        sentcli.tables.chunk.CHUNK_ROWS = sentcli.tables.parquet.CHUNK_ROWS = 200
    _write(record)
    results = _score_task(files, *arguments)
    _write(record | {"ended": time.time(), "written": [bool(summary) for summary, _ in results]})
    return results


def _add_and_pause(ledger, *arguments):
    _add(ledger, *arguments)
    pause = os.environ.get("PAUSE")
    while pause and ledger.is_kept and Path(pause).exists():
        Path(f"{pause}.reached").touch()
        time.sleep(0.05)


def _watched(scorer, chunks, record):
    for pair in _stream(scorer, chunks):
        threads = [each.name for each in threading.enumerate() if each.name.startswith("sentcli-worker")]
        record["threads"] = max(record["threads"], len(threads))
        record["children"] = max(record["children"], len(children(os.getpid())))
        time.sleep(float(os.environ.get("SLOW", 0)))
        yield pair


def children(parent):
    """Return the ids of the processes that a process has started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended
            if int(path.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(path.parent.name))
    return found


def _write(record):
    if folder := os.environ.get("TASKS"):
        part = Path(folder, f".{uuid.uuid4()}")
        part.write_text(json.dumps(record))
        part.replace(Path(folder, f"{record['pid']}-{record['began']}.json"))
