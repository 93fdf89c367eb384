"""Compression by suffix: any input as one stream of bytes, an output as members that end where chunks do."""

import bz2
import gzip
import io
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

# What follows a member in its block is copied, so large blocks of small members would be slow.
_BLOCK = 16 << 10  # bytes that are read at a time
_CONTENT_BLOCK = 1 << 20


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
        return io.BufferedReader(_MemberReader(raw, bz2.BZ2Decompressor), _CONTENT_BLOCK)
    if suffix == ".xz":
        members = _MemberReader(raw, lzma.LZMADecompressor, padding=b"\0")
        return io.BufferedReader(members, _CONTENT_BLOCK)
    import pyarrow as pa

    return pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), "zstd")


class _MemberReader(io.RawIOBase):
    """The content of all members of a file, one after the other.

    `BZ2File` and `LZMAFile` take a further member whose start is damaged for bytes that mean nothing, and end
    there: its rows would be lost without a word.

    :param new: makes the decompressor of a member.
    :param padding: a byte that may stand behind a member, in fours; empty: none may.
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
        self._start = 0  # of the member
        self._block = b""  # what was read and not decompressed yet
        self._place = 0  # where that ends

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer or a part of it, nothing at the end.

        :raises OSError: naming the place, when a member is damaged or what follows it is none.
        :raises EOFError: naming the place, when a member has no end.
        """
        data = b""
        while not data:
            if self._member.eof and not self._begin_member():
                return 0
            data = self._decompress(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _begin_member(self) -> bool:
        """Go on to the next member, if there is one."""
        end = self._place - len(self._block)
        self._block = self._block.lstrip(self._padding)
        while not self._block and self._fill():
            self._block = self._block.lstrip(self._padding)
        self._start = self._place - len(self._block)
        if (self._start - end) % 4:
            raise OSError(f"the padding at byte {end} is not in fours")
        if self._block:
            self._member = self._new()
        return bool(self._block)

    def _decompress(self, size: int) -> bytes:
        if self._member.needs_input and not self._block and not self._fill():
            raise EOFError(f"the member at byte {self._start}: it has no end")
        try:
            data = self._member.decompress(self._block, size)
        except (OSError, lzma.LZMAError) as error:
            raise OSError(f"the member at byte {self._start}: {error}") from error
        self._block = self._member.unused_data  # empty before its end
        return data

    def _fill(self) -> bool:
        self._block = self._raw.read(_BLOCK)
        self._place += len(self._block)
        return bool(self._block)


class Members:
    """The compressed form of an output: a member (gzip) or frame (zstd) for each whole chunk.

    So a durable end of the file is the end of a member, and where members end depends on the rows alone: a
    resumed file is the same to the byte. Without a suffix the bytes pass as they are.
    """

    def __init__(self, suffix: str) -> None:
        self._compress = _compressor(suffix)
        self._pending: list[bytes] = []

    def add(self, data: bytes) -> bytes:
        """Take bytes of a chunk and give those to write now."""
        if self._compress is None:
            return data
        if data:
            self._pending.append(data)
        return b""

    def end(self, *, is_empty: bool = False) -> bytes:
        """End the member that was begun, if one was, and give what is to be written.

        :param is_empty: the file is at its end and holds nothing; a compressed one has at least one member.
        """
        if not (self._compress and (self._pending or is_empty)):
            return b""
        data = b"".join(self._pending)
        self._pending.clear()
        return self._compress(data)


def _compressor(suffix: str) -> Callable[[bytes], bytes] | None:
    if suffix == _GZIP:
        return partial(zlib.compress, level=6, wbits=31)  # 31: a gzip member, its time 0
    if suffix == _ZSTD:
        import pyarrow as pa

        return partial(pa.Codec("zstd").compress, asbytes=True)
    return None
