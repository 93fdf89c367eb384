import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentcli.backends.protobuf import Message, Schema, WireError, encode, fields, rewrite

SCHEMA = Schema("a thing", {1: "number", 2: "text", 3: "parts"}, {4: "external data"})
PART = Schema("a part", {1: "number"}, {})


def message(*parts: bytes) -> Message:
    return Message(memoryview(b"".join(parts)), SCHEMA)


@given(st.integers(0, 2**64 - 1), st.binary(max_size=300), st.integers(1, 2**20))
def test_what_was_written_is_read(number, content, field):
    written = memoryview(encode(field, number) + encode(field + 1, content))
    first, second = fields(written)
    assert (first.number, first.value) == (field, number)
    assert (second.number, bytes(second.value)) == (field + 1, content)
    assert bytes(first.raw) + bytes(second.raw) == bytes(written)


def test_values_by_name():
    read = message(
        encode(1, 7), encode(2, "grüße".encode()), encode(3, encode(1, 1)), encode(3, encode(1, 2))
    )
    assert read.integer("number") == 7
    assert read.text("text") == "grüße"
    assert [part.integer("number") for part in read.messages("parts", PART)] == [1, 2]
    assert "text" in read
    assert "text" not in message(encode(1, 7))


def test_what_is_missing_is_empty():
    read = message()
    assert (read.integer("number"), read.text("text"), read.messages("parts", PART)) == (0, "", [])
    assert bytes(read.content("text")) == b""


@pytest.mark.parametrize("value", [0, 1, 127, 128, -1, 2**63 - 1, -(2**63)])
def test_signed_numbers_packed_or_not(value):
    raw = encode(1, value % 2**64)
    packed = encode(1, raw[1:] + raw[1:])
    assert message(raw).integers("number") == [value]
    assert message(raw, packed).integers("number") == [value] * 3


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"\x08", "no number at byte 1"),
        (b"\x08" + b"\xff" * 10, "no number"),
        (b"\x08" + b"\xff" * 9 + b"\x7f", "no number"),  # more than 64 bits
        (b"\x12\x05abc", "ends in the middle of a field"),
        (b"\x12\xff\xff\xff\xff\x0fabc", "ends in the middle of a field"),
        (b"\x0d\x00\x00", "ends in the middle of a field"),
        (b"\x09\x00\x00\x00\x00\x00\x00\x00\x00", "field 1 has the wire type 1"),
        (b"\x0b\x0c", "field 1 has the wire type 3"),
        (b"\x0f", "field 1 has the wire type 7"),
    ],
)
def test_broken_bytes(content, error):
    with pytest.raises(WireError, match=error):
        message(content)


def test_fields_that_are_not_in_the_schema():
    with pytest.raises(WireError, match="a thing with external data is not allowed"):
        message(encode(4, b"elsewhere"))
    with pytest.raises(WireError, match="a thing with field 5 is not allowed"):
        message(encode(5, 1))


def test_a_field_that_comes_twice_is_not_merged():
    with pytest.raises(WireError, match="number of a thing comes 2 times"):
        message(encode(1, 7), encode(1, 7)).integer("number")


@pytest.mark.parametrize(
    "read", [lambda m: m.text("text"), lambda m: m.content("text"), lambda m: m.messages("text", PART)]
)
@pytest.mark.parametrize("raw", [encode(2, 5), b"\x15\x00\x00\x00\x00"])
def test_a_value_of_another_type(read, raw):
    with pytest.raises(WireError, match="text of a thing is of another type"):
        read(message(raw))


def test_a_number_that_comes_once_is_not_packed():
    """protobuf passes over one that is, and takes the default."""
    with pytest.raises(WireError, match="number of a thing is of another type"):
        message(encode(1, b"\x07")).integer("number")


@pytest.mark.parametrize("many", [encode(3, b"") * 2001, encode(1, 7) * 2001])
def test_small_fields_without_end_are_refused(many):
    message(many[: len(many) // 2001 * 2000])
    with pytest.raises(WireError, match="a thing with more than 2000 fields is not allowed"):
        message(many)


def test_packed_numbers_without_end_are_refused():
    assert len(message(encode(1, b"\x07" * 2000)).integers("number")) == 2000
    with pytest.raises(WireError, match="more than 2000 packed numbers"):
        message(encode(1, b"\x07" * 2001)).integers("number")


def test_a_float_is_no_integer():
    with pytest.raises(WireError, match="number of a thing is of another type"):
        message(b"\x0d\x00\x00\x00\x00").integer("number")


def test_text_that_is_not_utf8():
    with pytest.raises(WireError, match="text of a thing is no text"):
        message(encode(2, b"\xff\xfe")).text("text")


def test_rewrite_changes_the_field_alone():
    content = encode(1, 3) + encode(3, b"a") + encode(2, b"between") + encode(3, b"b")
    changed = rewrite(memoryview(content), 3, lambda part: bytes(part) * 200)
    assert changed == encode(1, 3) + encode(3, b"a" * 200) + encode(2, b"between") + encode(3, b"b" * 200)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(content):
    try:
        read = message(content)
    except WireError:
        return
    for get in (read.integers, read.texts):
        try:
            get("number")
        except WireError:
            pass
