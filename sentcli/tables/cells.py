"""Values of one format as another writes them."""

import base64
from typing import Any

import orjson


def to_json(value: Any) -> bytes:
    """Write a value as JSON. What JSON has no type for becomes a string, bytes in base64, NaN null."""
    return orjson.dumps(value, default=_plain, option=orjson.OPT_NON_STR_KEYS)


def to_text(value: Any) -> str:
    """Write a value as a field of CSV: strings as they are, None empty, all else as JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else to_json(value).decode()


def _plain(value: Any) -> str:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)
