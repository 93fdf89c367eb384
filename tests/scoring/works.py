"""What processes do in tests: importable by name, as it has to be."""

import os
import time

from sentcli.errors import BundleError


def tell(tasks, *, name="", pause=0.0):
    """Answer with the name, the number of the process, and the texts."""
    for task in tasks:
        time.sleep(pause)
        yield name, os.getpid(), [*task.texts]


def refuse(tasks):
    raise BundleError("model.onnx: damaged")


def stumble(tasks):
    for task in tasks:
        yield len(task.texts) / 0


class UnreadableError(Exception):
    """Pickles, but what comes out wants an argument more."""

    def __init__(self, message, reason):
        super().__init__(message)


def mumble(tasks):
    next(tasks)
    raise UnreadableError("no", "reason")


def leave(tasks):
    next(tasks)
    os._exit(7)
