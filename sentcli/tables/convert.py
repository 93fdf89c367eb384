"""Convert values and results to the bytes and strings of text formats."""

import base64
import math
import uuid
from collections.abc import Sequence
from datetime import date, time, timedelta
from typing import Any

import orjson

from sentcli.files.encodings import Encoding

_PLAIN = (bytes, uuid.UUID, date, time, timedelta)


def six_decimals(numbers: Sequence[float | None], before: bytes, missing: bytes) -> list[bytes]:
    """Return each number with six decimals, None as `missing`."""
    template, empty = before.replace(b"%", b"%%") + b"%.6f", before + missing
    return [empty if number is None else template % number for number in numbers]


def to_json(value: Any) -> bytes:
    """Return a value as JSON: bytes in base64, a UUID as its text, NaN and infinite numbers as null."""
    return orjson.dumps(
        value, default=_plain, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_DATETIME
    )


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


def to_iso(value: date | time | timedelta) -> str:
    """Return a date, a time or a duration as ISO 8601 has it, except for a space before the time of a day."""
    if isinstance(value, timedelta):
        return f"PT{value.total_seconds():.6f}".rstrip("0").rstrip(".") + "S"
    return str(value)


def _plain(value: Any) -> str:
    if isinstance(value, timedelta):
        return to_iso(value)
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
        end = self._end if self._is_open else b""
        self._is_open = not data.endswith(self._encoding.newline)
        if self._is_open:
            lines, rest = self._encoding.split(data, universal=self._universal)
            if self._universal and (last := self._encoding.line_end(rest)):
                self._end, self._is_open = last, False
            elif lines:
                self._end = self._encoding.line_end(lines[-1])
        else:
            self._end = self._encoding.line_end(data)
        return end + data
