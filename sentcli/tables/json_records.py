"""Split a JSON document into its records: the objects of an array, or objects one after the other.

Records are found by their brackets and not parsed, so that their numbers and strings are written as they were
read, and one that is not JSON costs no other. Line breaks between values become blanks.
"""

import re
from collections.abc import Iterator
from itertools import chain, takewhile
from operator import itemgetter

from sentcli.errors import DataError
from sentcli.tables.table import TextTable

_LONGEST = 16  # times --max-row-bytes; a longer record is an error
_BLANK_BYTES = 99  # before the first object of an array
_SEVERAL = "several arrays of objects; write one to a file: jq .NAME FILE > NEW.json"
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_BRACKET = re.compile(rb'(?:[^"{}\[\]]++|%b)*+([{}\[\]]?)' % _STRING, re.DOTALL)  # after strings and others
CONSTANTS = re.compile(rb"(%b?)|-?(?:NaN|Infinity)" % _STRING, re.DOTALL)  # strings, and what JSON lacks
_SCALAR = re.compile(rb'%b|[^\s,\[\]{"]++(?=.)' % _STRING, re.DOTALL)
_BETWEEN = re.compile(rb"[\s,\[\]]*+")
_BLANKS = re.compile(rb"(%b)|\s++" % _STRING, re.DOTALL)


def split_records(blocks: Iterator[bytes], text: TextTable) -> Iterator[list[bytes]]:
    """Yield the records of a document, each as a line.

    The last one is a bracket, which will be rejected, if the end of an array is missing.

    If the lead of the text ends in an array, this is the only one that is read.
    """
    name, limit, is_inside = text.name, text.options.max_row_bytes, text.lead.endswith(b"[")
    depth = int(is_inside)
    data, enough = b"", 0
    for block in chain(blocks, [b""]):
        data += block
        if block and len(data) < enough:
            continue
        records: list[bytes] = []
        place = 0
        while True:
            between = next(_BETWEEN.finditer(data, place))[0]
            place += len(between)
            depth += between.count(b"[") - between.count(b"]")
            if is_inside and not depth:
                _refuse_array(data[place:] + b"".join(blocks), name)
                yield records
                return
            end = end_of(data, place)
            if place == len(data) or (end < 0 and block):
                break
            if end < 0:  # the document is cut off
                end, depth = len(data), 0
            records.append(_in_a_line(data[place:end]))
            place = end
        data = data[place:]
        enough = 2 * len(data)
        if len(data) > _LONGEST * limit:
            raise DataError(f"{name}: a record of more than {_LONGEST * limit} bytes; is this JSON?")
        if records:
            yield records
    if depth > 0:
        yield [b"["]


def array_in(data: bytes) -> int | None:
    """Return the place of the first object in the first array of objects; None if there is none."""
    for end, change in _brackets(data, 0):
        if (
            change > 0
            and data[end - 1 : end] == b"["
            and data[end : end + _BLANK_BYTES].lstrip().startswith(b"{")
        ):
            return end
    return None


def _refuse_array(rest: bytes, name: str) -> None:
    if array_in(rest) is not None:
        raise DataError(f"{name}: {_SEVERAL}")


def end_of(data: bytes, start: int) -> int:
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


def _in_a_line(record: bytes) -> bytes:
    is_line = b"\n" not in record
    return (record if is_line else _BLANKS.sub(lambda found: found[1] or b" ", record)) + b"\n"
