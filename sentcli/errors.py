"""Everything that can go wrong in a way that the user can mend.

A message says what is wrong, where, and what to try. `sentcli.cli` is the one place that turns these
into a line on stderr and an exit code.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

# Ctrl-C, kill, a terminal that is closed.
STOP_SIGNALS: tuple[int, ...] = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class SentcliError(Exception):
    """Base of all errors that sentcli raises on purpose."""

    exit_code = 1


class UsageError(SentcliError):
    """Options that do not go together, or a value outside its range."""

    exit_code = 2


class DataError(SentcliError):
    """An input that cannot be read as what it claims to be: a table, a data set, a file of vectors."""


class RejectsError(DataError):
    """More rejected rows than the user allowed."""


class OutputError(SentcliError):
    """A result that cannot be written where it was asked for."""


class ExistingOutputError(OutputError):
    """A result that exists, and that the user did not allow to replace."""


class ResumeError(OutputError):
    """An interrupted or finished run whose conditions changed, so that this one cannot continue it."""


class LockedError(OutputError):
    """A result that another run writes, and does not finish soon."""


class BundleError(SentcliError):
    """A model folder that is missing, damaged or not to be trusted."""


class TrainingError(SentcliError):
    """A training run whose numbers make no sense."""


class ExportError(SentcliError):
    """An exported model that does not agree with the one it was made from."""


class MissingExtraError(SentcliError):
    """A feature whose packages are not part of the base install."""


class OutOfMemoryError(SentcliError):
    """A run that needs more memory than there is."""


class StopRequested(KeyboardInterrupt):
    """A signal asked this process to stop; raised where a loop looks for it, see `sentcli.scoring.stop`.

    A KeyboardInterrupt, so that one clause handles Ctrl-C in a library, too, and no `except Exception`
    swallows it.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def signal_of(error: KeyboardInterrupt) -> int:
    """Return the number of the signal that stopped a run: SIGINT for Python's own KeyboardInterrupt."""
    return error.number if isinstance(error, StopRequested) else signal.SIGINT


def is_short_of_threads(error: RuntimeError) -> bool:
    """Tell whether the system gave Python no further thread; that error has no type of its own."""
    return "can't start new thread" in str(error)


def is_unmapped(error: ImportError) -> bool:
    """Tell whether the system would not map a library: memory is short, or it is mounted noexec."""
    return "failed to map segment from shared object" in str(error)


@contextmanager
def requires(extra: str) -> Iterator[None]:
    """Turn a failed import of a third-party package into a line that names the pip command.

    :param extra: the extra of sentcli that brings the package.
    :raises MissingExtraError: when an import inside the block finds no such package.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"this needs the package {error.name!r:.200}, which is not installed; "
            f"try: pip install 'sentcli[{extra}]'"
        ) from error


class InterruptedRunError(SentcliError):
    """A run that a signal stopped.

    :param message: how to go on, if anything was saved.
    :param signal_number: the signal, for the exit code that shells expect.
    """

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number

    def __reduce__(self) -> tuple[type, tuple[str, int]]:  # on its way from another process
        return type(self), (str(self), self.exit_code - 128)


def is_utf8(text: str) -> bool:
    """Return whether a string can be encoded as UTF-8: a lone surrogate cannot."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def printable(message: str) -> str:
    """Escape what a terminal would act on: control characters, line breaks, bidirectional overrides."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape", "surrogatepass").decode()
        for character in message
    )
