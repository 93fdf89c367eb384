"""Protobuf's wire format, read strictly: an ONNX file is looked at before onnxruntime gets it.

The base install has no protobuf package, and its parser takes fields that nobody asked for.
"""

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

_VARINT, _BYTES, _FIXED32 = 0, 2, 5  # wire types; ONNX needs the others for doubles alone
_MOST = 2000  # fields of a message, packed numbers: each becomes an object a hundred times as large
_MAX_VARINT = 10  # bytes of a 64-bit number
_SIGN, _MODULUS = 1 << 63, 1 << 64

T = TypeVar("T")
Value = int | float | memoryview  # a number, or the bytes of a string, a nested message, packed numbers


class WireError(ValueError):
    """Bytes that are not the message that they should be."""


class Field(NamedTuple):
    """One field of a message; `raw` is the whole of it with its tag."""

    number: int
    value: Value
    raw: memoryview


@dataclass(frozen=True)
class Schema:
    """What a message may consist of.

    :param name: what an error calls the message, with its article.
    :param fields: field number to name.
    :param refused: what an error calls fields that are known and not allowed.
    """

    name: str
    fields: Mapping[int, str]
    refused: Mapping[int, str]


class Message:
    """A message read by its schema.

    :raises WireError: for broken bytes, or a field that the schema lacks.
    """

    def __init__(self, content: memoryview, schema: Schema) -> None:
        self._schema = schema
        self._values: dict[str, list[Value]] = {}
        for count, (number, value, _) in enumerate(fields(content)):
            if count == _MOST:
                raise WireError(f"{schema.name} with more than {_MOST} fields is not allowed")
            name = schema.fields.get(number)
            if name is None:
                what = schema.refused.get(number, f"field {number}")
                raise WireError(f"{schema.name} with {what} is not allowed")
            self._values.setdefault(name, []).append(value)

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def integers(self, name: str) -> list[int]:
        """Give a repeated int64 field, packed or not."""
        result = []
        for value in self._values.get(name, []):
            if isinstance(value, int):
                result.append(value)
            elif isinstance(value, memoryview):
                result.extend(_unpack(value))
            else:
                raise self._wrong(name)
        return [number - _MODULUS if number >= _SIGN else number for number in result]

    def integer(self, name: str) -> int:
        """Give a field that comes once, or 0."""
        if not all(isinstance(value, int) for value in self._values.get(name, [])):
            raise self._wrong(name)  # packed: protobuf would pass over it, and take the default
        return self._single(name, self.integers(name), 0)

    def all_bytes(self, name: str) -> list[memoryview]:
        """Give a repeated field of bytes or of messages."""
        values = self._values.get(name, [])
        if not all(isinstance(value, memoryview) for value in values):
            raise self._wrong(name)
        return values  # type: ignore[return-value]

    def content(self, name: str) -> memoryview:
        """Give a field of bytes or a message that comes once, or no bytes."""
        return self._single(name, self.all_bytes(name), memoryview(b""))

    def texts(self, name: str) -> list[str]:
        """Give a repeated string field."""
        try:
            return [str(value, "utf-8") for value in self.all_bytes(name)]
        except UnicodeDecodeError:
            raise WireError(f"{name} of {self._schema.name} is no text") from None

    def text(self, name: str) -> str:
        """Give a string field that comes once, or ""."""
        return self._single(name, self.texts(name), "")

    def messages(self, name: str, schema: Schema) -> list["Message"]:
        """Give a repeated field of messages."""
        return [Message(value, schema) for value in self.all_bytes(name)]

    def message(self, name: str, schema: Schema) -> "Message":
        """Give a message that comes once, or an empty one."""
        return Message(self.content(name), schema)

    def _single(self, name: str, values: list[T], default: T) -> T:
        # protobuf merges repeated messages and takes the last of repeated values: no file needs that.
        if len(values) > 1:
            raise WireError(f"{name} of {self._schema.name} comes {len(values)} times")
        return values[0] if values else default

    def _wrong(self, name: str) -> WireError:
        return WireError(f"{name} of {self._schema.name} is of another type")


def fields(message: memoryview) -> Iterator[Field]:
    """Go through the fields of a message.

    :raises WireError: at the first byte that belongs to none.
    """
    position = 0
    while position < len(message):
        start = position
        tag, position = _varint(message, position)
        number, wire_type = tag >> 3, tag & 7
        value: Value
        if wire_type == _VARINT:
            value, position = _varint(message, position)
        elif wire_type == _BYTES:
            size, position = _varint(message, position)
            value = _take(message, position, size)
            position += size
        elif wire_type == _FIXED32:
            (value,) = struct.unpack("<f", _take(message, position, 4))
            position += 4
        else:
            raise WireError(f"field {number} has the wire type {wire_type}")
        yield Field(number, value, message[start:position])


def encode(number: int, value: int | bytes) -> bytes:
    """Write one field."""
    if isinstance(value, int):
        return _encode_varint(number << 3 | _VARINT) + _encode_varint(value)
    return _encode_varint(number << 3 | _BYTES) + _encode_varint(len(value)) + value


def rewrite(message: memoryview, number: int, change: Callable[[memoryview], bytes]) -> bytes:
    """Copy a message with each of its nested messages `number` put through `change`."""
    return b"".join(
        encode(number, change(field.value))
        if field.number == number and isinstance(field.value, memoryview)
        else field.raw
        for field in fields(message)
    )


def _take(message: memoryview, position: int, size: int) -> memoryview:
    taken = message[position : position + size]
    if len(taken) != size:
        raise WireError("it ends in the middle of a field")
    return taken


def _unpack(packed: memoryview) -> list[int]:
    result: list[int] = []
    position = 0
    while position < len(packed):
        if len(result) == _MOST:
            raise WireError(f"more than {_MOST} packed numbers are not allowed")
        number, position = _varint(packed, position)
        result.append(number)
    return result


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    """Give the number at a position, and the position after it."""
    result = 0
    for index, byte in enumerate(message[position : position + _MAX_VARINT]):
        result |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            if result >= _MODULUS:
                break
            return result, position + index + 1
    raise WireError(f"no number at byte {position}")


def _encode_varint(value: int) -> bytes:
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
