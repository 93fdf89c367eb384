"""Convert values and results to the bytes and strings of text formats."""

import base64
import math
import uuid
from collections.abc import Sequence
from typing import Any

import orjson


def six_decimals(numbers: Sequence[float | None], before: bytes, missing: bytes) -> list[bytes]:
    """Return each number with six decimals, None as `missing`.

    :param before: written before each number.
    """
    template, empty = before.replace(b"%", b"%%") + b"%.6f", before + missing
    return [empty if number is None else template % number for number in numbers]


def to_json(value: Any) -> bytes:
    """Return a value as JSON: bytes in base64, a UUID as its text, NaN and infinite numbers as null."""
    return orjson.dumps(value, default=_plain, option=orjson.OPT_NON_STR_KEYS)


def to_text(value: Any) -> str:
    """Return a value as a field of CSV: a string unchanged, None empty, bytes in base64, others as JSON.

    Numbers that JSON cannot express become inf, -inf and nan, which CSV readers understand.
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bytes | uuid.UUID) or (isinstance(value, float) and not math.isfinite(value)):
        return _plain(value)
    return to_json(value).decode()


def _plain(value: Any) -> str:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)
