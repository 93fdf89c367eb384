"""Split a JSON document into its records: the objects of an array, or objects one after the other.

Records are found by their brackets and not parsed, so that their numbers and strings are written as they were
read, and one that is not JSON costs no other. Line breaks between values become blanks.
"""

import re
from collections.abc import Iterator
from itertools import chain, takewhile
from operator import itemgetter

import orjson

from sentcli.errors import DataError
from sentcli.files.source import Source
from sentcli.tables.text_column import is_usual

_MOST_AHEAD = 16 << 20  # bytes to find out what kind of document it is
_LONGEST = 16  # times --max-row-bytes; a longer record is an error
_SEVERAL = "several arrays of objects; write one to a file: jq .NAME FILE > NEW.json"
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_BRACKET = re.compile(rb'(?:[^"{}\[\]]++|%b)*+([{}\[\]]?)' % _STRING, re.DOTALL)  # after strings and others
_SCALAR = re.compile(rb'%b|[^\s,\[\]{"]++(?=.)' % _STRING, re.DOTALL)
_BETWEEN = re.compile(rb"[\s,\[\]]*+")
_BLANKS = re.compile(rb"(%b)|\s++" % _STRING, re.DOTALL)


def split_records(source: Source, limit: int) -> Iterator[list[bytes]] | None:
    """Return the records, each as a line; None if the document has one object per line.

    Of an object around one array of objects, the records are those of the array.

    :param limit: most bytes of a record.
    :raises DataError: for another object; while reading, for a record that is too long.
    """
    start = source.peek(min(limit, _MOST_AHEAD), whole=True)
    text = start.lstrip()
    line, _, rest = text.partition(b"\n")
    is_line = line.startswith(b"{") and line.rstrip().endswith(b"}")
    if not text.startswith((b"{", b"[")) or (is_line and rest.strip()):
        return None
    array = None if text.startswith(b"[") or _is_record(text, source.name) else _array_in(text)
    if is_line and array is None:
        return None
    source.skip(len(start) - len(text) + (array or 0))
    return _split(source, limit, depth=0 if array is None else 1)


def _is_record(text: bytes, name: str) -> bool:
    """Return whether the object at the start of a document is one of several, or has a column of texts.

    :raises DataError: for an object of columns, as pandas writes it unless told otherwise.
    """
    end = _end_of(text, 0)
    try:
        values = orjson.loads(text) if end >= 0 else {}
    except orjson.JSONDecodeError:
        return True
    if values and all(type(value) is dict for value in values.values()):
        raise DataError(f"{name}: columns, not records; in pandas: to_json(orient='records')")
    return any(is_usual(key) and type(value) is not list for key, value in values.items())


def _array_in(text: bytes, depth: int = 0) -> int | None:
    """Return the place of the first record in an array of an object; None if there is none.

    :param depth: the number of open brackets at the start.
    """
    for end, change in _brackets(text, 0):
        if depth == 1 and text[end - 1 : end] == b"[" and text[end : end + 99].lstrip().startswith(b"{"):
            return end
        depth += change
    return None


def _end_of(data: bytes, start: int) -> int:
    """Return the end of the value at `start`; -1 if it may go on after the data."""
    if not data.startswith(b"{", start):
        scalar = _SCALAR.match(data, start)
        return scalar.end() if scalar else -1
    depth = 0
    for end, change in _brackets(data, start):
        depth += change
        if not depth:
            return end
    return -1


def _brackets(data: bytes, start: int) -> Iterator[tuple[int, int]]:
    """Yield the end of each bracket outside of strings, and 1 or -1 for the change of the depth."""
    for found in takewhile(itemgetter(1), _BRACKET.finditer(data, start)):
        yield found.end(), 1 if found[1] in b"{[" else -1


def _split(source: Source, limit: int, depth: int) -> Iterator[list[bytes]]:
    """Yield the records, and a bracket, which will be rejected, if the end of an array is missing.

    :param depth: 1 in the array of an object, else 0.
    """
    is_inside = depth == 1
    data, enough = b"", 0
    for block in chain(iter(source.read, b""), [b""]):
        data += block
        if block and len(data) < enough:
            continue
        records: list[bytes] = []
        place = 0
        while True:
            between = next(_BETWEEN.finditer(data, place))[0]
            place += len(between)
            depth += between.count(b"[") - between.count(b"]")
            if is_inside and not depth:  # the rest of the object is not written
                if _array_in(data[place:] + b"".join(iter(source.read, b"")), 1) is not None:
                    raise DataError(f"{source.name}: {_SEVERAL}")
                yield records
                return
            end = _end_of(data, place)
            if place == len(data) or (end < 0 and block):
                break
            if end < 0:  # the document is cut off
                end, depth = len(data), 0
            records.append(_in_a_line(data[place:end]))
            place = end
        data = data[place:]
        enough = 2 * len(data)
        if len(data) > _LONGEST * limit:
            raise DataError(f"{source.name}: a record of more than {_LONGEST * limit} bytes; is this JSON?")
        if records:
            yield records
    if depth > 0:
        yield [b"["]


def _in_a_line(record: bytes) -> bytes:
    is_line = b"\n" not in record
    return (record if is_line else _BLANKS.sub(lambda found: found[1] or b" ", record)) + b"\n"
