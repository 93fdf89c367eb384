"""The files that a pattern such as `in/**/*.csv` stands for, as a shell finds them.

A walk ends, whatever the links in a folder point to, and it ends early if a signal asks for it.
"""

import fnmatch
import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from sentcli.errors import DataError
from sentcli.files import stop

WILDCARD = re.compile("[*?[]")
_DEEP = "**"
_Links = set[str] | None  # to folders, that are passed by; None: links are as good as folders


def walk(base: str, pattern: str) -> tuple[list[str], list[str]]:
    """Return the names below a folder that match a pattern, and the links to folders that `**` has passed by.

    As in a shell, a name with a dot in front matches only a pattern with one, and without `**`, links to
    folders are followed.

    :param base: the folder, with a slash at its end; empty: the current one.
    """
    *parts, last = (f"{pattern}/*" if pattern.endswith(_DEEP) else pattern).split("/")
    links: _Links = set() if _DEEP in parts else None
    folders = [base]
    for part in parts:
        if part == _DEEP:
            folders = _folders_below(folders, links)
        elif WILDCARD.search(part):
            folders = [f"{name}/" for name, is_folder in _matches(folders, part, links) if is_folder]
        else:
            folders = [f"{folder}{part}/" for folder in folders]
    matches = _matches(folders, last, links)
    return sorted(name for name, is_folder in matches if links is None or not is_folder), sorted(links or ())


def _folders_below(folders: list[str], links: _Links) -> list[str]:
    """Return folders and all folders in them, each once."""
    found: dict[str, None] = {}
    while folders:
        if (folder := folders.pop()) not in found:
            found[folder] = None
            folders += [f"{name}/" for name, is_folder in _matches([folder], "*", links) if is_folder]
    return [*found]


def _matches(folders: Iterable[str], part: str, links: _Links) -> Iterator[tuple[str, bool]]:
    """Yield the names in folders that match a part of a pattern, and whether each is a folder."""
    match = re.compile(("" if part.startswith(".") else r"(?!\.)") + fnmatch.translate(part)).match
    for folder in folders:
        try:
            names = os.listdir(folder or os.curdir)  # noqa: PTH208  # names alone
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            reason = f"{error.strerror}; nothing in it can be scored"
            raise DataError(f"{folder or os.curdir}: {reason}") from None
        for name in (f"{folder}{name}" for name in names if match(name)):
            stop.check()
            is_folder = os.path.isdir(name)  # noqa: PTH112  # the names may be many
            if links is not None and is_folder and os.path.islink(name):  # noqa: PTH114
                links.add(name)
            else:
                yield name, is_folder


def not_inputs(names: Sequence[str]) -> dict[str, str]:
    """Return the names of pipes, sockets and devices, and further names of a file, each with the reason."""
    first: dict[tuple[int, int], str] = {}
    left_out: dict[str, str] = {}
    for name in sorted(names, key=os.path.islink):  # a file before the links to it
        with suppress(OSError):  # raised again when this input is scored
            status = os.stat(name)  # noqa: PTH116
            other = first.setdefault((status.st_dev, status.st_ino), name)
            # Not of other files, because some file systems number files badly.
            if other != name and (status.st_nlink > 1 or os.path.islink(name)):  # noqa: PTH114
                left_out[name] = f"the same file as {other}"
            elif not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
                left_out[name] = "a pipe, a socket or a device"
    return left_out
