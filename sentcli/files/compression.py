"""Compression by suffix: any input as one stream of bytes, an output in members of a fixed size."""

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
DAMAGE = (OSError, EOFError, zlib.error, lzma.LZMAError)  # raised by a read of a damaged file

# The rest of a block is copied at the end of each member, so large blocks of small members would be slow.
_BLOCK = 16 << 10  # bytes
_MEMBER = 1 << 20  # bytes of content


def path_of(name: str) -> str:
    """Return the part of a file name or URL that ends in its suffixes."""
    return re.split("[?#]", name)[0] if "://" in name else name


def compression_of(name: str) -> str:
    """Return the compression suffix of a file name or URL, empty for none."""
    suffix = PurePath(path_of(name)).suffix.lower()
    return suffix if suffix in SUFFIXES else ""


def decompressed(raw: IO[bytes], suffix: str) -> Any:
    """Open the content of a compressed file of any number of members."""
    if suffix == _GZIP:
        return gzip.GzipFile(fileobj=raw, mode="rb")
    if suffix == ".bz2":
        return _MemberReader(raw, bz2.BZ2Decompressor)
    if suffix == ".xz":
        return _MemberReader(raw, lzma.LZMADecompressor, padding=b"\0")
    import pyarrow as pa

    return pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), "zstd")


class _MemberReader:
    """The content of all members of a file.

    `BZ2File` and `LZMAFile` end without an error at a member whose first bytes are damaged: rows are lost.

    :param new: makes the decompressor of a member.
    :param padding: a byte that may be repeated after a member.
    """

    def __init__(
        self,
        raw: IO[bytes],
        new: Callable[[], bz2.BZ2Decompressor | lzma.LZMADecompressor],
        padding: bytes = b"",
    ) -> None:
        self._raw = raw
        self._new = new
        self._padding = padding
        self._member = new()
        self._block = b""  # compressed bytes that no decompressor has yet

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes, none at the end.

        :raises OSError, LZMAError: if a member is damaged, or something else follows one.
        :raises EOFError: if a member has no end.
        """
        data = b""
        while not data:
            if not self._block and (self._member.eof or self._member.needs_input):
                self._block = self._raw.read(_BLOCK)
                if not self._block and self._member.eof:
                    return b""
                if not self._block:
                    raise EOFError("the end of a member is missing")
            if self._member.eof:
                self._block = self._block.lstrip(self._padding)
                if not self._block:
                    continue
                self._member = self._new()
            data = self._member.decompress(self._block, size)
            self._block = self._member.unused_data  # empty before the member's end
        return data

    def close(self) -> None:
        """Do nothing: the file belongs to the caller."""


class Compressor:
    """The compressed form of an output: a gzip member or zstd frame for each mebibyte of content.

    So the bytes depend on the content alone and not on how it is cut into calls. Without a suffix the content
    passes unchanged.
    """

    def __init__(self, suffix: str) -> None:
        self._compress = _compressor(suffix)
        self._pending = bytearray()
        self._is_empty = True

    def add(self, data: bytes) -> bytes:
        """Take content and return the bytes to write now."""
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
        """Return the last bytes to write; even an empty file has one member."""
        if self._compress is None or not (self._pending or self._is_empty):
            return b""
        return self._compress(bytes(self._pending))


def _compressor(suffix: str) -> Callable[[bytes], bytes] | None:
    if suffix == _GZIP:
        return partial(zlib.compress, level=6, wbits=31)  # 31: a gzip member, with the time 0
    if suffix == _ZSTD:
        import pyarrow as pa

        return partial(pa.Codec("zstd").compress, asbytes=True)
    return None
