"""Values: their bytes and strings in text formats, and the types of columns, by all of their values.

A type is one of Python's, `[type]` for lists, or `{name: type}` for objects. A column has one if each value
comes back as it was; a column with values of several types is text.
"""

import base64
import math
import re
import uuid
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from itertools import chain, islice
from typing import Any

import orjson

from sentcli.files.encodings import Encoding

_LARGEST = (1 << 63) - 1  # of integers
_LARGEST_EXACT = 1 << 53  # of integers that are stored as floats
_LARGEST_FLOAT = 1e19  # of floats, because orjson reads larger integers as such
_MOST_FIELDS = 100  # of an object; one with more is a table of its own, and its names are values
_DEEPEST = 20  # of lists and objects within each other
_TYPES: dict[frozenset[type], type] = {
    frozenset(): str,
    frozenset({int, float}): float,
    frozenset({date, datetime}): datetime,
    **{frozenset({kind}): kind for kind in (str, bool, int, float, date, datetime, time, timedelta)},
}
_ZEROS = re.compile(r"\.0+(?=,|\Z)|(\.\d*[1-9])0+(?=,|\Z)")  # at the end of a decimal
_JSON_OPTIONS = orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_DATETIME
_PLAIN = (bytes, uuid.UUID, date, time, timedelta)


def six_decimals(numbers: Sequence[float | None], before: bytes, missing: bytes) -> list[bytes]:
    """Return each number with six decimals, None as `missing`."""
    template, empty = before.replace(b"%", b"%%") + b"%.6f", before + missing
    return [empty if number is None else template % number for number in numbers]


def to_json(value: Any) -> bytes:
    """Return a value as JSON: bytes in base64, a UUID as its text, NaN and infinite numbers as null."""
    return orjson.dumps(value, default=_plain, option=_JSON_OPTIONS)


def to_text(value: Any) -> str:
    """Return a value as a field of CSV: a string unchanged, None empty, bytes in base64, others as JSON.

    Numbers that JSON cannot express become inf, -inf and nan, which CSV readers understand.
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, _PLAIN) or (isinstance(value, float) and not math.isfinite(value)):
        return _plain(value)
    return to_json(value).decode()


def _plain(value: Any) -> str:
    """Return a value that JSON lacks; times as in ISO 8601, except for a space before that of a day."""
    if isinstance(value, timedelta):
        return f"PT{value.total_seconds():.6f}".rstrip("0").rstrip(".") + "S"
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)


class LastLine:
    """Ends the last line of an input before the lines of the next input, if it has no line end.

    :param universal: a single carriage return ends a line too.
    """

    def __init__(self, encoding: Encoding, *, universal: bool) -> None:
        self._encoding = encoding
        self._universal = universal
        self._end = encoding.newline  # the last line end that was written
        self._is_open = False

    def then(self, data: bytes) -> bytes:
        """Return the next bytes of the output, after a line end if the line before them has none."""
        if not data:
            return data
        before, end = self._end if self._is_open else b"", self._encoding.line_end(data)
        self._is_open = not (end and (self._universal or end.endswith(self._encoding.newline)))
        lines = self._encoding.split(data, universal=self._universal)[0] if self._is_open else [data]
        if lines:
            self._end = self._encoding.line_end(lines[-1])
        return before + data


class ColumnType:
    """The type of the values of a column so far, or of the items or a field of nested values."""

    def __init__(self, depth: int = 0) -> None:
        self.kinds: set[type] = set()
        self._largest: dict[Any, float] = {int: 0, float: 0.0}  # numbers, without their signs
        self._depth = depth
        self._fields: dict[str | None, ColumnType] = {}  # None for the items of lists

    def add(self, values: Iterable[Any]) -> None:
        """Add values that have types."""
        present = [value for value in values if value is not None]
        kinds: set[Any] = {*map(type, present)}
        self.kinds |= kinds
        for kind in kinds & self._largest.keys():
            numbers = (abs(value) for value in present if type(value) is kind)
            self._largest[kind] = max(self._largest[kind], *numbers)
        if self.kinds == {list}:
            self._add_field(None, chain.from_iterable(present))
        elif self.kinds == {dict}:
            names = dict.fromkeys(chain.from_iterable(present))
            for name in islice(names, _MOST_FIELDS + 1):
                self._add_field(name, (record[name] for record in present if name in record))

    def _add_field(self, name: str | None, values: Iterable[Any]) -> None:
        if name not in self._fields and (self._depth == _DEEPEST or len(self._fields) == _MOST_FIELDS):
            self.kinds.add(object)
        else:
            self._fields.setdefault(name, ColumnType(self._depth + 1)).add(values)

    def add_texts(self, texts: Sequence[str]) -> None:
        """Add values that are spelled, as in CSV; what has no type any more stays text."""
        present = set() if str in self.kinds else {*texts} - {""}
        if not present:
            return
        kind = next((kind for kind in _IN_TEXT if comes_back(present, kind)), str)
        self.kinds.add(kind)
        if kind is int:
            self.add(map(int, present))
        if self.kinds == {date, datetime} or self.type() is None:
            self.kinds = {str}

    def type(self) -> Any:
        """Return the type; None if the values have none in common."""
        if self.kinds == {list}:
            (item,) = [field.type() for field in self._fields.values()]
            return item and [item]
        if self.kinds == {dict}:
            fields = {name: field.type() for name, field in self._fields.items()}
            return fields if fields and all(fields.values()) else None
        largest = _LARGEST_EXACT if float in self.kinds else _LARGEST
        is_large = self._largest[int] > largest or self._largest[float] > _LARGEST_FLOAT
        if is_large and self.kinds <= {int, float}:
            return None
        return _TYPES.get(frozenset(self.kinds))


def comes_back(texts: Collection[str], kind: type) -> bool:
    """Return whether the values of texts are written as these texts, except for zeros after the point."""
    with suppress(ValueError, KeyError, TypeError, ArithmeticError):
        values = [*map(_PARSERS.get(kind, float), texts)]
        is_json = kind in (bool, int, float)
        written = to_json(values).decode()[1:-1] if is_json else ",".join(map(_plain, values))
        joined = ",".join(texts)
        return joined == written or _ZEROS.sub(r"\1", joined) == _ZEROS.sub(r"\1", written)
    return False


def parse(values: Iterable[Any], kind: Any) -> list[Any]:
    """Return values as those of a type, parsed if a reader has texts; an empty text is no value but a text.

    :raises ValueError: for a text of another type.
    """
    if kind is str:
        return [None if value is None else to_text(value) for value in values]
    parser = _PARSERS.get(kind, float) if isinstance(kind, type) else orjson.loads
    texts = (to_text(value) if isinstance(value, date) else value for value in values)
    return [None if text == "" else parser(text) if isinstance(text, str) else text for text in texts]


# The type of decimals is not among them: what is a number to others is `float`.
_PARSERS: dict[type, Callable[[str], Any]] = {
    bool: {"true": True, "false": False}.__getitem__,
    int: int,
    date: date.fromisoformat,
    # A text with a zone does not come back.
    datetime: lambda text: datetime.fromisoformat(text).replace(tzinfo=None),
    time: time.fromisoformat,
    timedelta: lambda text: timedelta(seconds=float(text.removeprefix("PT").removesuffix("S"))),
}
_IN_TEXT = (bool, int, float, date, datetime)  # types of which a text of CSV may be
