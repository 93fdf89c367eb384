"""Compression: decompress inputs, and compress outputs in members of a fixed size.

The files of a zip archive are inputs of their own: `two.zip/a.csv` is `a.csv` in `two.zip`.
"""

import gzip
import os
import re
import shlex
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import PurePath
from posixpath import normpath
from typing import IO, TYPE_CHECKING, Any

from sentcli.errors import DataError

if TYPE_CHECKING:
    from zipfile import ZipFile

_GZIP, _ZSTD = ".gz", ".zst"
SUFFIXES = (_GZIP, _ZSTD)
_MARKS = {_GZIP: b"\x1f\x8b\x08", _ZSTD: b"\x28\xb5\x2f\xfd"}  # the first bytes

_MEMBER = 1 << 20  # bytes of content in a member


def damage() -> tuple[type[Exception], ...]:
    """Return the errors of a read of a damaged file."""
    from lzma import LZMAError  # few files are damaged
    from zipfile import BadZipFile

    return OSError, EOFError, zlib.error, BadZipFile, LZMAError


def path_of(name: str) -> str:
    """Return a file name or URL without the query and fragment of a URL."""
    return re.split("[?#]", name)[0] if "://" in name else name


def compression_of(name: str) -> str:
    """Return the compression suffix of a file name or URL, empty for none."""
    suffix = PurePath(path_of(name)).suffix.lower()
    return suffix if suffix in SUFFIXES else ""


def compression_in(start: bytes) -> str:
    """Return the suffix of the compression that the first bytes of a file show, empty for none."""
    return next((suffix for suffix, mark in _MARKS.items() if start.startswith(mark)), "")


def decompressed(raw: Any, suffix: str) -> Any:
    """Return a reader of the decompressed content of a file with any number of members; empty: the file."""
    if not suffix:
        return raw
    if suffix == _GZIP:
        return gzip.GzipFile(fileobj=raw, mode="rb")
    import pyarrow as pa

    return pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), "zstd")


class Compressor:
    """Compresses an output into one gzip member or zstd frame per mebibyte of content.

    So the compressed bytes depend only on the content, not on how it is divided into calls. Without a suffix,
    the content is not changed.
    """

    def __init__(self, suffix: str) -> None:
        self._compress: Callable[[bytes], bytes] | None = None
        if suffix == _GZIP:
            self._compress = partial(zlib.compress, level=6, wbits=31)  # wbits 31: a gzip member, with time 0
        elif suffix == _ZSTD:
            import pyarrow as pa

            self._compress = partial(pa.Codec("zstd").compress, asbytes=True)
        self._pending = bytearray()

    def add(self, data: bytes) -> bytes:
        """Add content, and return the bytes to write now."""
        if self._compress is None:
            return data
        self._pending += data
        members = []
        while len(self._pending) > _MEMBER:  # `close` compresses the last one, even if it is empty
            members.append(self._compress(bytes(self._pending[:_MEMBER])))
            del self._pending[:_MEMBER]
        return b"".join(members)

    def close(self) -> bytes:
        """Return the last bytes to write; an empty output has one member."""
        return self._compress(bytes(self._pending)) if self._compress else b""


def is_archive(path: str) -> bool:
    return path.lower().endswith(".zip") and os.path.isfile(path)  # noqa: PTH113  # called for each member


def list_members(archive: str) -> list[str]:
    """Return the names of the files in an archive; they may be hostile."""
    with _opened(archive) as opened:
        names = sorted(info.filename for info in opened.infolist() if not info.is_dir())
    if not names or len({*map(normpath, names)}) < len(names):
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
    from zipfile import BadZipFile  # few inputs are archives

    try:
        status = os.stat(archive)  # noqa: PTH116
        yield _open_archive(archive, status.st_ino, status.st_size, status.st_mtime_ns)
    except (BadZipFile, KeyError, OSError) as error:
        raise DataError(f"{archive}: cannot be read: {error.args[-1]}") from None
    except RuntimeError as error:  # encrypted, or compressed in another way
        raise DataError(f"{archive}: {error}; try: unzip {shlex.quote(archive)}") from None


@lru_cache(maxsize=1)  # Each time, the names of all members would be read again.
def _open_archive(archive: str, *version: int) -> "ZipFile":
    """Return an archive, which stays open until another one is read.

    :param version: what differs if the archive was replaced.
    """
    from zipfile import ZipFile

    return ZipFile(archive)
