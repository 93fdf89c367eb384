"""Compression by suffix: any input as one stream of bytes, an output as members that end where chunks do."""

import bz2
import gzip
import lzma
import re
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import PurePath
from typing import IO, Any

_GZIP, _ZSTD = ".gz", ".zst"
SUFFIXES = (_GZIP, _ZSTD, ".bz2", ".xz")
WRITABLE = (_GZIP, _ZSTD)
DAMAGE = (OSError, EOFError, zlib.error, lzma.LZMAError)  # what reading a damaged file raises


def path_of(name: str) -> str:
    """Give the part of a file name or URL that ends in its suffixes."""
    return re.split("[?#]", name)[0] if "://" in name else name


def compression_of(name: str) -> str:
    """Give the compression suffix of a file name or URL, empty for none."""
    suffix = PurePath(path_of(name)).suffix.lower()
    return suffix if suffix in SUFFIXES else ""


def decompressed(raw: IO[bytes], suffix: str) -> Any:
    """Open the content of a file that was compressed as its suffix says, of however many members."""
    if suffix == _GZIP:
        return gzip.GzipFile(fileobj=raw, mode="rb")
    if suffix == ".bz2":
        return bz2.BZ2File(raw)
    if suffix == ".xz":
        return lzma.LZMAFile(raw)
    import pyarrow as pa

    return pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), "zstd")


class Members:
    """The compressed form of an output: a member (gzip) or frame (zstd) for each whole chunk.

    So a durable end of the file is the end of a member, and where members end depends on the rows alone: a
    resumed file is the same to the byte. Without a suffix the bytes pass as they are.
    """

    def __init__(self, suffix: str) -> None:
        self._compress = _compressor(suffix)
        self._pending: list[bytes] = []

    def add(self, data: bytes, *, whole: bool) -> bytes:
        """Take the bytes of a chunk and give those to write now.

        :param whole: the chunk ends a member.
        """
        if self._compress is None:
            return data
        if data:
            self._pending.append(data)
        return self._end_member(self._compress) if whole and self._pending else b""

    def close(self, *, is_empty: bool) -> bytes:
        """Give what is left; a compressed file has at least one member, though that may hold nothing.

        :param is_empty: nothing was written so far.
        """
        return self._end_member(self._compress) if self._compress and (self._pending or is_empty) else b""

    def _end_member(self, compress: Callable[[bytes], bytes]) -> bytes:
        data = b"".join(self._pending)
        self._pending.clear()
        return compress(data)


def _compressor(suffix: str) -> Callable[[bytes], bytes] | None:
    if suffix == _GZIP:
        return partial(zlib.compress, level=6, wbits=31)  # 31: a gzip member, its time 0
    if suffix == _ZSTD:
        import pyarrow as pa

        return partial(pa.Codec("zstd").compress, asbytes=True)
    return None
