"""Values and results as text formats write them."""

import base64
import math
import uuid
from collections.abc import Sequence
from typing import Any

import orjson


def six_decimals(numbers: Sequence[float | None], before: bytes, missing: bytes) -> list[bytes]:
    """Write each number with six decimals, None as `missing`.

    :param before: written before each number.
    """
    template, empty = before.replace(b"%", b"%%") + b"%.6f", before + missing
    return [empty if number is None else template % number for number in numbers]


def to_json(value: Any) -> bytes:
    """Write a value as JSON: bytes in base64, a UUID as its text, NaN and infinite numbers as null."""
    return orjson.dumps(value, default=_plain, option=orjson.OPT_NON_STR_KEYS)


def to_text(value: Any) -> str:
    """Write a value as a field of CSV: a string as it is, None empty, bytes in base64, others as JSON.

    Numbers that JSON does not have are inf, -inf and nan, which readers of CSV understand.
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
