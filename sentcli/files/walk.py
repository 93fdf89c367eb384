"""The files that a pattern such as `in/**/*.csv` stands for, as a shell finds them.

A walk ends, whatever the links in a folder point to, and it ends early if a signal asks for it.
"""

import fnmatch
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence

from sentcli.errors import DataError

WILDCARD = re.compile("[*?[]")
_DEEP = "**"

_Check = Callable[[], None]


def walk(base: str, pattern: str, check: _Check) -> tuple[list[str], list[str]]:
    """Return the names below a folder that match a pattern, and the links to folders that `**` has passed by.

    As in a shell, a name with a dot in front matches only a pattern with one, and without `**`, links to
    folders are followed.

    :param base: the folder, with a slash at its end; empty: the current one.
    :param check: called for each name; it may raise an error.
    """
    *parts, last = (f"{pattern}/*" if pattern.endswith(_DEEP) else pattern).split("/")
    folders: Iterable[str] = [base]
    links: list[str] = []
    for part in parts:
        if part == _DEEP:
            folders = _folders_below(folders, links, check)
        elif WILDCARD.search(part):
            folders = [
                f"{name}/"
                for name, is_folder, is_link in _matches(folders, part, check)
                if is_folder and not (is_link and _DEEP in parts)
            ]
        else:
            folders = [f"{folder}{part}/" for folder in folders]
    matches = _matches(folders, last, check)
    return sorted(name for name, is_folder, _ in matches if not (is_folder and _DEEP in parts)), links


def _folders_below(folders: Iterable[str], links: list[str], check: _Check) -> Iterable[str]:
    """Return folders and all folders in them, each once; append the links that are not followed."""
    found: dict[str, None] = {}
    waiting = [*folders]
    while waiting:
        if (folder := waiting.pop()) not in found:
            found[folder] = None
            for name, is_folder, is_link in _matches([folder], "*", check):
                if is_folder:
                    (links if is_link else waiting).append(name if is_link else f"{name}/")
    return found


def _matches(folders: Iterable[str], part: str, check: _Check) -> Iterator[tuple[str, bool, bool]]:
    """Yield the names in folders that match a part of a pattern; whether each is a folder, and a link."""
    match = re.compile(fnmatch.translate(part)).match
    for folder in folders:
        try:
            with os.scandir(folder or os.curdir) as entries:
                for entry in entries:
                    check()
                    if match(entry.name) and (part[:1] == "." or not entry.name.startswith(".")):
                        name, is_link = f"{folder}{entry.name}", entry.is_symlink()
                        # `is_dir` of an entry raises an error for a link to itself.
                        yield name, os.path.isdir(name) if is_link else entry.is_dir(), is_link  # noqa: PTH112
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            reason = f"{error.strerror}; nothing in it can be scored"
            raise DataError(f"{folder or os.curdir}: {reason}") from None


def distinct(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the names of files and folders, each file once; and the others, with the reason.

    A name that cannot be looked up is kept, so that its error is not lost.
    """
    first: dict[tuple[int, int], str] = {}
    left_out: dict[str, str] = {}
    for name in sorted(names, key=os.path.islink):  # a file before the links to it
        try:
            status = os.stat(name)  # noqa: PTH116  # as fast as a folder of many files needs
        except OSError:
            continue
        other = first.setdefault((status.st_dev, status.st_ino), name)
        # Not of other files, because some file systems number files badly.
        is_linked = status.st_nlink > 1 or os.path.islink(name)  # noqa: PTH114
        if stat.S_ISREG(status.st_mode) and other != name and is_linked:
            left_out[name] = f"{name} (the same file as {other})"
        elif not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
            left_out[name] = f"{name} (a pipe, a socket or a device)"
    return [name for name in names if name not in left_out], [*left_out.values()]
