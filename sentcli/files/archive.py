"""Zip archives, whose files are inputs of their own: `two.zip/a.csv` is `a.csv` in `two.zip`."""

import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from sentcli.errors import DataError

if TYPE_CHECKING:
    from zipfile import ZipFile


def is_archive(path: str) -> bool:
    return path.lower().endswith(".zip") and Path(path).is_file()


def list_members(archive: str) -> list[str]:
    """Return the names of the files in an archive; they may be hostile."""
    with _opened(archive) as opened:
        names = sorted(info.filename for info in opened.infolist() if not info.is_dir())
    if not names or len({*names}) < len(names):
        raise DataError(f"{archive}: {'two of its files have one name' if names else 'it has no files'}")
    return names


def split_member(path: str) -> tuple[str, str] | None:
    """Return the archive and the name in it of a path into an archive, else None."""
    borders = [match.end() for match in re.finditer(r"(?i)\.zip/", path)]
    splits = ((path[: end - 1], path[end:]) for end in borders)
    return next((member for member in splits if is_archive(member[0])), None)


def inspect_member(archive: str, name: str) -> tuple[int, str]:
    """Return the size of a file in an archive, and its checksum."""
    with _opened(archive) as opened:
        info = opened.getinfo(name)
    return info.file_size, f"{info.CRC:08x}"


def open_member(archive: str, name: str) -> IO[bytes]:
    with _opened(archive) as opened:  # its file stays open until the member is closed
        return opened.open(name)


@contextmanager
def _opened(archive: str) -> "Iterator[ZipFile]":
    from zipfile import BadZipFile, ZipFile  # few inputs are archives

    try:
        with ZipFile(archive) as opened:
            yield opened
    except (BadZipFile, KeyError, OSError) as error:
        raise DataError(f"{archive}: cannot be read: {error.args[-1]}") from None
    except RuntimeError as error:  # encrypted, or compressed in another way
        raise DataError(f"{archive}: {error}; try: unzip {shlex.quote(archive)}") from None
