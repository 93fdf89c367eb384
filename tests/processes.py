"""sentcli in processes that a test can kill, interrupt, watch, or give a failing disk.

They are forked off a server that has imported everything, so that a run takes tenths of a second.
`start_anew` starts a new Python instead.
"""

import builtins
import errno
import faulthandler
import io
import itertools
import multiprocessing
import os
import resource
import signal
import stat
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import sentcli

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(  # pandas: pyarrow imports it where it is installed
    ["pytest", "pandas", "onnx", "sentcli.cli.score", "sentcli.runs.run", "sentcli.report.rows"]
    + [f"sentcli.backends.{name}" for name in ("onnx", "onnx_check")]
    + ["torch._dynamo", "sentcli.training.train"] * (find_spec("torch") is not None)  # seconds to import
    + [f"sentcli.tables.{name}" for name in ("csv", "jsonl", "lines", "parquet", "record_batches", "xlsx")]
)
_PATIENCE = 30  # seconds; a run that takes longer hangs
_numbers = itertools.count()
_FULL = errno.ENOSPC, errno.EDQUOT
_NO_WRITE = errno.EIO, errno.EPERM, errno.EROFS
# The calls to the disk, with the errors that each one may meet. Python repeats a call after EINTR.
ON_DISK = {
    "open": (*_FULL, errno.EMFILE, *_NO_WRITE),  # to write
    "write": (*_FULL, errno.EIO),
    "fsync": (*_FULL, errno.EIO),
    "ftruncate": (errno.EIO, errno.EPERM),
    "sendfile": (*_FULL, errno.EIO),
    "mkdir": (*_FULL, *_NO_WRITE),
    **dict.fromkeys(("rename", "replace"), (*_FULL, *_NO_WRITE)),
    **dict.fromkeys(("unlink", "remove", "rmdir"), _NO_WRITE),
}
_CHANGES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


@dataclass(frozen=True)
class Conditions:
    """The conditions under which a process runs.

    :param commit_seconds, chunk_rows: replace sentcli's own, so that a small run has many commits.
    :param spares_disk: fsync does nothing.
    :param fail_at: the number, from 1, of the call to the disk that fails; a write does half of it.
    :param fail_with: the errno; None: the process is killed instead.
    :param fail_on: whether all later calls that can meet this errno fail too.
    :param max_file: the greatest size of a file, in bytes, as of `ulimit -f`.
    :param calls: a file that gets a line for each call to the disk.
    :param events: a file that gets a line for each file opened for writing and each connection.
    :param lock_seconds: how long to wait for a lock.
    """

    commit_seconds: float = 0.0
    chunk_rows: int = 64
    spares_disk: bool = True
    fail_at: int = 0
    fail_with: int | None = None
    fail_on: bool = False
    max_file: int = 0
    calls: Path | None = None
    events: Path | None = None
    lock_seconds: float = 60.0


class Run:
    """A run of a command, `sentcli score` if it is not named, in a forked process.

    :param folder: where it runs.
    :param stdin: the file that it gets as standard input.
    """

    def __init__(self, folder, *arguments, command="score", stdin=os.devnull, **conditions):
        streams = [stdin, *(folder.with_name(f"{folder.name}-{next(_numbers)}") for _ in range(2))]
        self._out, self._error = streams[1:]
        self._error.touch()
        self._process = _CONTEXT.Process(
            target=_run,
            args=(folder, [command, *map(str, arguments)], streams, Conditions(**conditions)),
        )
        self._process.start()

    def send(self, number):
        with suppress(ProcessLookupError):  # it has ended
            os.kill(self._process.pid, number)

    def wait_until(self, path):
        """Wait until a file exists, or the run ends."""
        while not (path.exists() or self._process.exitcode is not None):
            time.sleep(0.002)

    def wait(self, seconds=_PATIENCE):
        """Return the exit code, negative for a signal."""
        self._process.join(seconds)
        if self._process.exitcode is None:
            self.send(signal.SIGABRT)  # faulthandler shows where it hangs
            self._process.join()
            raise AssertionError(f"still running after {seconds} s: {self.error}")
        return self._process.exitcode

    @property
    def output(self):
        return self._out.read_bytes()

    @property
    def error(self):
        return self._error.read_text()


def _run(folder, arguments, streams, conditions):
    os.chdir(folder)
    for number, path in enumerate(streams):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT if number else os.O_RDONLY), number)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115  # multiprocessing has closed it
    faulthandler.enable()
    _apply(conditions)
    from sentcli.cli import main

    main(arguments, prog_name="sentcli")


def _apply(conditions):
    import sentcli.files.atomic
    import sentcli.runs.ledger
    import sentcli.tables.chunk
    import sentcli.tables.parquet

    if conditions.events:
        _watch(conditions.events)
    for module in (sentcli.tables.chunk, sentcli.tables.parquet):
        module.CHUNK_ROWS = conditions.chunk_rows
    sentcli.runs.ledger.COMMIT_SECONDS = conditions.commit_seconds
    sentcli.files.atomic.WAIT_SECONDS = conditions.lock_seconds
    if conditions.max_file:
        resource.setrlimit(resource.RLIMIT_FSIZE, (conditions.max_file, conditions.max_file))
    if conditions.spares_disk:
        os.fsync = lambda descriptor: None
    if conditions.fail_at or conditions.calls:
        calls = _Calls(conditions)
        for name in ON_DISK:
            setattr(os, name, calls.count(name, getattr(os, name)))
        io.open = builtins.open = partial(_open, io.open)


class _Calls:
    """Counts the calls to the disk, notes them, and lets one of them fail, or those from one on."""

    def __init__(self, conditions):
        self._conditions = conditions
        self._count = 0
        self._write = os.write
        self._log = conditions.calls and os.open(conditions.calls, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def count(self, name, call):
        def counted(*arguments, **options):
            if not _is_on_disk(name, arguments):
                return call(*arguments, **options)
            self._count += 1
            is_later = self._conditions.fail_on and self._count > self._conditions.fail_at
            if self._count == self._conditions.fail_at or (
                is_later and self._conditions.fail_with in ON_DISK[name]
            ):
                self._fail(name, call, arguments)
            if self._log:
                places = arguments[: 2 if name in ("rename", "replace") else 1]
                self._write(self._log, " ".join([name, *map(_file_name, places)]).encode() + b"\n")
            return call(*arguments, **options)

        return counted

    def _fail(self, name, call, arguments):
        if name == "write":
            call(arguments[0], arguments[1][: len(arguments[1]) // 2])
        if self._conditions.fail_with is None:
            os.kill(os.getpid(), signal.SIGKILL)
        raise OSError(self._conditions.fail_with, os.strerror(self._conditions.fail_with))


def _is_on_disk(name, arguments):
    """Return whether a call may change a file, as one that opens it to read or writes to a pipe does not."""
    if name == "open":
        return arguments[1] & _CHANGES
    return name != "write" or stat.S_ISREG(os.fstat(arguments[0]).st_mode)


def _file_name(argument):
    """Return the name of the file of a descriptor or path, without its folder."""
    return (
        Path(f"/proc/self/fd/{argument}").readlink() if isinstance(argument, int) else Path(argument)
    ).name


class _File(io.FileIO):
    """A file of Python whose writes are calls of `os`, which are counted."""

    def write(self, data):
        return os.write(self.fileno(), data)


def _open(
    call, file, mode="r", buffering=-1, encoding=None, errors=None, newline=None, closefd=True, opener=None
):
    """Open a file as `open` does, but to write, with calls of `os`."""
    if not {*mode} & {*"wax+"}:
        return call(file, mode, buffering, encoding, errors, newline, closefd, opener)
    plain = mode.replace("b", "").replace("t", "")
    raw = _File(file, plain, closefd, opener or (lambda name, flags: os.open(name, flags, 0o666)))
    binary = raw if buffering == 0 else (io.BufferedRandom if "+" in mode else io.BufferedWriter)(raw)
    return binary if "b" in mode else io.TextIOWrapper(binary, encoding, errors, newline)


def _watch(events):
    log = os.open(events, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def hook(event, arguments):
        if event == "open":
            path, _, flags = arguments
            if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC) and not isinstance(path, int):
                os.write(log, f"{event} {os.fsdecode(path)}\n".encode())
        elif event.startswith(("socket.", "subprocess.", "os.system", "os.exec", "os.fork", "urllib.")):
            os.write(log, f"{event} {arguments}\n".encode())

    sys.addaudithook(hook)


def start_anew(folder, *arguments, **options):
    """Start `python -m sentcli score` from scratch.

    :param options: of `subprocess.Popen`.
    """
    command = [sys.executable, "-m", "sentcli", "score", *map(str, arguments)]
    return subprocess.Popen(command, cwd=folder, env=environment(), **options)


def environment():
    """Return what a new Python needs to find the sentcli under test, without the settings of this process."""
    ours = {"PYTHONPATH": str(Path(sentcli.__file__).parents[1])}
    return {name: value for name, value in os.environ.items() if not name.startswith("ORT_")} | ours
