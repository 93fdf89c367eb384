"""Errors that a user can correct.

A message says what is wrong, where, and what to type next. Only `sentcli.cli` turns errors into a line on
stderr and an exit code.
"""

import json
import re
import shlex
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

# Sent by Ctrl-C, by kill, by a terminal that closes, and by Ctrl-Break on Windows.
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
STOP_SIGNALS: tuple[int, ...] = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))


class SentcliError(Exception):
    """Base of all errors that sentcli raises on purpose."""

    exit_code = 1


class UsageError(SentcliError):
    """Options that contradict each other, or a value outside its range."""

    exit_code = 2


class DataError(SentcliError):
    """An input that is missing or is not a valid table, data set or file of vectors."""


class RejectsError(DataError):
    """More rejected rows than the user allowed."""


class OutputError(SentcliError):
    """An output that cannot be written."""


class ExistingOutputError(OutputError):
    """An output that exists and must not be replaced."""


class ResumeError(OutputError):
    """A run that cannot continue an earlier one, because the input, model or options changed."""


class ChangedInputError(ResumeError):
    """A run whose input changed since an earlier run; its other conditions are the same."""


class RefusedOutputError(OutputError):
    """An output that its format, the file system or the memory has no room for, such as too long a name."""


class LockedError(OutputError):
    """An output that another run is writing."""


# Errors that concern one output of a folder. Others, such as a full disk, would stop every output.
OF_ONE_OUTPUT = (DataError, UsageError, ExistingOutputError, RefusedOutputError, ResumeError, LockedError)


class BundleError(SentcliError):
    """A model folder that is missing, damaged or unsafe to load."""


class TrainingError(SentcliError):
    """A training run whose loss is no longer a number."""


class ExportError(SentcliError):
    """An exported model whose predictions differ from those of the original."""


class MissingExtraError(SentcliError):
    """A feature whose packages are not part of the base install."""


class ClusterError(SentcliError):
    """A cluster that cannot be reached, or whose nodes would make other scores."""


class StopRequested(KeyboardInterrupt):
    """A signal asked this process to stop; see `sentcli.files.stop`.

    It is a KeyboardInterrupt, so that one `except` clause handles it and Ctrl-C alike, and `except Exception`
    does not swallow it. Its argument is the number of the signal.
    """


def signal_of(error: KeyboardInterrupt) -> int:
    """Return the number of the signal that stopped a run: SIGINT for Python's own KeyboardInterrupt."""
    return error.args[0] if isinstance(error, StopRequested) else signal.SIGINT


@contextmanager
def requires(extra: str) -> Iterator[None]:
    """Turn a failed import of a third-party package into an error with the pip command for an extra."""
    try:
        yield
    except ModuleNotFoundError as error:
        missing = f"this needs the package {error.name!r:.200}, which is not installed"
        raise missing_extra(missing, extra) from error


def missing_extra(what: str, extra: str) -> MissingExtraError:
    return MissingExtraError(f"{what}; try: {pip_command(extra)}")


def pip_command(extra: str) -> str:
    """Return the command that installs an extra, from where sentcli itself was installed."""
    from importlib.metadata import PackageNotFoundError, distribution

    origin: dict[str, Any] = {}
    with suppress(PackageNotFoundError):
        origin = json.loads(distribution("sentcli").read_text("direct_url.json") or "{}")
    if origin.get("dir_info", {}).get("editable"):
        return f"pip install -e {shlex.quote(origin['url'] + f'[{extra}]')}"
    source = f" @ {'git+' * ('vcs_info' in origin)}{origin['url']}" if origin else ""  # else an index
    return f"pip install {shlex.quote(f'sentcli[{extra}]{source}')}"


class InterruptedRunError(SentcliError):
    """A run that a signal stopped.

    :param message: how to continue the run, if anything was saved.
    :param signal_number: the signal; the exit code is 128 plus this number.
    """

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number


# Python names of options that differ from the command line.
_IN_PYTHON = {
    "input_format": "read.format",
    "output_format": "write.format",
    "no_header": "read.header",
    "rejects": "rejects.path",
    "max_rejects": "rejects.limit",
}
_flags = False  # whether messages name options as the command line does; see `names_flags`


def option(name: str, value: object = None) -> str:
    """Return an option as its user writes it: `--text-column review`, in Python `text_column='review'`.

    :param name: its name on the command line, with `_`.
    :param value: the value to try, True for a flag; None: the option alone.
    """
    if _flags:
        flag = "--" + name.replace("_", "-")
        return flag if value is None or value is True else f"{flag} {shlex.quote(str(value))}"
    field = _IN_PYTHON.get(name, name)
    return field if value is None else f"{field}={value!r:.200}"


@contextmanager
def names_flags() -> Iterator[None]:
    """Let the messages of this process name options as the command line does."""
    global _flags
    before, _flags = _flags, True
    try:
        yield
    finally:
        _flags = before


def is_utf8(text: str) -> bool:
    """Return whether a string can be encoded as UTF-8, which a lone surrogate cannot."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural where it has to be: `1 row`, `2,000 rows`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def printable(message: str) -> str:
    """Escape characters that a terminal acts on: control characters, line breaks, bidirectional overrides."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape", "surrogatepass").decode()
        for character in message
    )


def without_secrets(text: str) -> str:
    """Return a URL or a message without passwords in URLs, and without queries of http, which hold keys."""
    text = re.sub(r"(https?://)[^/\s?#]*@|(://)[^/\s?#:]*:[^/\s?#]*@", r"\1\2", text)
    return re.sub(r"(https?://[^\s?#'\"]*)\?[^\s'\"]*?(?=:?(?:[\s'\"]|$))", r"\1?...", text)
