"""Files that are replaced as a whole: whatever ends a run, the old or the new one is there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Give a file to write, which takes the place of `path` at the end of the block.

    :raises OSError: when it cannot be written; what was at `path` is still there, and nothing else is left.
    """
    part = part_of(path)
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise


def part_of(path: Path) -> Path:
    """Say where a new file is until it is complete; a process that is killed leaves it there."""
    return path.with_name(f".{path.name}.part")
