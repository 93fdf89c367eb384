"""The pages of a Parquet file, looked at before pyarrow makes room for what their headers say.

A page header is Thrift in its compact protocol, and so is the footer that tells where pages are:
https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift and
https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md. pyarrow's own view of the
footer's columns will not do: damaged ones make it end the process.
"""

import io
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any

PAGE_LIMIT = 256 << 20  # bytes, compressed or not; writers make pages of 1 MiB, or of some 1,000 long values

_TAIL = struct.Struct("<I4s")  # the footer's length, and PAR1
_HEADER = 1 << 10  # bytes; more are read when statistics make it longer, up to pyarrow's own limit
_LONGEST_HEADER = 16 << 20
_DEPTH = 16
# Pages without a value, of a column in a row group: writers make one at most, the dictionary; a damaged file
# has millions.
_EMPTY_PAGES = 1000
_INDEX_PAGE, _DICTIONARY_PAGE = 1, 2
_DATA_PAGES = ((5, 2), (8, 4))  # fields of a header for the two kinds, and in these of the encoding
_OF_DICTIONARY, _WITH_PREFIXES = (2, 8), 7  # Parquet's Encoding
_LISTS = (9, 10)  # and sets
_CRYPTO_METADATA = 8  # of a column that is encrypted

Struct = dict[int, Any]  # by the number of a field
_AS_THEY_ARE: Mapping[int, Callable[[Any], Any]] = {}


class DamagedPagesError(ValueError):
    """The headers are damaged, or a page is over the limit."""


@dataclass(frozen=True, slots=True)
class ColumnChunk:
    """Where the pages of a column lie: from byte `start`, with so many values in all.

    :param codec: how they are compressed, a number of Parquet's `CompressionCodec`.
    """

    start: int
    values: int
    codec: int


@dataclass(frozen=True, slots=True)
class Repeats:
    """What a column chunk stores once for several values, so that they take more in memory than in the file.

    :param dictionary: bytes of its dictionary; 0 without one.
    :param begins_with_it: its first values are of the dictionary.
    :param prefixes: bytes of its largest page of values that leave out what they share with the one before;
        none is longer than that. 0 without such pages.
    """

    dictionary: int = 0
    begins_with_it: bool = False
    prefixes: int = 0


def column_chunks(file: IO[bytes]) -> list[list[ColumnChunk]]:
    """Read from the footer where the columns of each row group are.

    :raises DamagedPagesError: when it does not say, or columns are encrypted.
    """
    end = file.seek(0, io.SEEK_END) - _TAIL.size
    file.seek(max(0, end))
    try:
        length, _ = _TAIL.unpack(file.read(_TAIL.size))
        file.seek(max(0, end - length))
        return list(_Compact(file.read(length)).read_struct(shorten={4: _row_group}).get(4, []))
    except (IndexError, KeyError, TypeError, AttributeError, struct.error):
        raise DamagedPagesError("the footer is damaged") from None


def _row_group(group: Struct) -> list[ColumnChunk]:
    chunks = []
    for column in group[1]:
        if _CRYPTO_METADATA in column:
            raise DamagedPagesError("its columns are encrypted, which is not read")
        metadata = column[3]
        start, dictionary = int(metadata[9]), int(metadata.get(11, 0))
        first = dictionary if 0 < dictionary < start else start
        chunks.append(ColumnChunk(first, int(metadata[5]), int(metadata[4])))
    return chunks


def check_pages(file: IO[bytes], chunk: ColumnChunk) -> Repeats:
    """Go from header to header, as pyarrow will.

    :returns: what the headers say of repeated values.
    :raises DamagedPagesError: when a page is over `PAGE_LIMIT` or goes beyond the file, or too many have no
        value.
    """
    end = file.seek(0, io.SEEK_END)
    place, values, empty = chunk.start, chunk.values, 0
    dictionary, first, prefixes = 0, None, 0
    while values > 0 and 0 <= place < end:
        header, length = _read_header(file, place)
        kind, size, compressed = (header.get(field) for field in (1, 2, 3))
        if not isinstance(kind, int) or not isinstance(size, int) or not isinstance(compressed, int):
            raise DamagedPagesError("the header of a page is damaged")
        if max(size, compressed) > PAGE_LIMIT:
            raise DamagedPagesError(
                f"a page of {max(size, compressed):,} bytes, and {PAGE_LIMIT:,} are allowed; "
                "write the file with smaller pages"
            )
        place += length + compressed
        if compressed < 0 or place > end:
            raise DamagedPagesError(f"a page of {compressed:,} bytes goes beyond the end of the file")
        found = 0
        if kind == _DICTIONARY_PAGE:
            dictionary = max(dictionary, size)
        elif kind != _INDEX_PAGE:
            found, encoding = _values_of(header)
            first = encoding if first is None else first
            if encoding == _WITH_PREFIXES:
                prefixes = max(prefixes, size)
        values -= found
        empty += found <= 0
        if empty > _EMPTY_PAGES:
            raise DamagedPagesError(f"more than {_EMPTY_PAGES:,} pages of a column without a value")
    return Repeats(dictionary, first in _OF_DICTIONARY, prefixes)


def _values_of(header: Struct) -> tuple[int, Any]:
    """Give how many values a page of data has, and their encoding."""
    for field, field_of_encoding in _DATA_PAGES:
        page = header.get(field)
        if page and isinstance(page, dict):
            count = page.get(1, 0)
            if not isinstance(count, int):
                raise DamagedPagesError("the header of a page is damaged")
            return count, page.get(field_of_encoding)
    return 0, None


def _read_header(file: IO[bytes], place: int) -> tuple[Struct, int]:
    """Read the header at a place; its length comes with it."""
    size = _HEADER
    while True:
        file.seek(place)
        reader = _Compact(file.read(size))
        try:
            return reader.read_struct(), reader.place
        except (IndexError, TypeError):
            if size >= _LONGEST_HEADER or reader.size < size:
                raise DamagedPagesError("the header of a page is damaged") from None
            size *= 16


class _Compact:
    """Reads Thrift's compact protocol: structs as dicts, lists as lists; strings are passed over.

    :raises IndexError: from each method, where the bytes end before the value does.
    :raises TypeError: for a type that does not exist, or structs too deep in one another.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)
        self.place = 0

    def read_struct(
        self, depth: int = 0, shorten: Mapping[int, Callable[[Any], Any]] = _AS_THEY_ARE
    ) -> Struct:
        """Read a struct.

        :param shorten: by the number of a field that is a list: what to keep of each item.
        """
        if depth > _DEPTH:
            raise TypeError("too deep")
        fields: Struct = {}
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._integer()
            kind = head & 15
            if kind in _LISTS and number in shorten:
                fields[number] = [shorten[number](item) for item in self._items(depth)]
            elif kind in (1, 2):  # a boolean, whose value is in its type
                fields[number] = kind == 1
            else:
                fields[number] = self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if kind in (1, 2, 3):
            return self._byte()
        if kind in (4, 5, 6):
            return self._integer()
        if kind == 7:
            return self._skip(8)
        if kind == 8:
            return self._skip(self._unsigned())
        if kind in _LISTS:
            return list(self._items(depth))
        if kind == 12:
            return self.read_struct(depth + 1)
        raise TypeError(f"no type {kind}")

    def _items(self, depth: int) -> Iterator[Any]:
        head = self._byte()
        count = head >> 4 if head >> 4 < 15 else self._unsigned()
        for _ in range(count):
            yield self._value(head & 15, depth + 1)

    def _byte(self) -> int:
        byte = self._data[self.place]
        self.place += 1
        return byte

    def _skip(self, size: int) -> None:
        self.place += size
        if self.place > self.size:
            raise IndexError

    def _unsigned(self) -> int:
        number = shift = 0
        while (byte := self._byte()) & 128:
            number |= (byte & 127) << shift
            shift += 7
            if shift > 63:
                raise TypeError("a number too long")
        return number | byte << shift

    def _integer(self) -> int:
        number = self._unsigned()
        return number >> 1 ^ -(number & 1)
