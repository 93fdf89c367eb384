"""Compression: decompress inputs, and compress outputs in members of a fixed size."""

import gzip
import re
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import PurePath
from typing import Any

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
        self._is_empty = True

    def add(self, data: bytes) -> bytes:
        """Add content, and return the bytes to write now."""
        if self._compress is None:
            return data
        self._pending += data
        members = []
        while len(self._pending) >= _MEMBER:
            members.append(self._compress(bytes(self._pending[:_MEMBER])))
            del self._pending[:_MEMBER]
            self._is_empty = False
        return b"".join(members)

    def close(self) -> bytes:
        """Return the last bytes to write; an empty output has one member."""
        if self._compress is None or not (self._pending or self._is_empty):
            return b""
        return self._compress(bytes(self._pending))
