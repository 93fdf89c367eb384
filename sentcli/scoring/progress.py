"""Progress bars on stderr."""

import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm


def progress_bar(items: Iterable[Any] | None = None, *, quiet: bool, **options: Any) -> "tqdm[Any]":
    """Give a bar that is drawn where it is wanted and stderr is a terminal.

    :param options: of tqdm. A stderr that was closed at the start, None, it would take for a terminal.
    """
    is_off = True if quiet or sys.stderr is None else None
    return tqdm(items, **{"leave": False, "disable": is_off} | options)
