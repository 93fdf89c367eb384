"""Values of one format as another writes them."""

import base64
import math
import uuid
from typing import Any

import orjson


def to_json(value: Any) -> bytes:
    """Write a value as JSON, in which bytes are base64 and a UUID is its text.

    A number that JSON does not have, NaN or infinite, becomes null.
    """
    return orjson.dumps(value, default=_plain, option=orjson.OPT_NON_STR_KEYS)


def to_text(value: Any) -> str:
    """Write a value as a field of CSV: strings as they are, None empty, bytes in base64, the rest as JSON.

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
