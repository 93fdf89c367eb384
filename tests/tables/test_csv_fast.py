"""Lines of CSV that are records by themselves, against a pattern of such lines and the csv module."""

import csv
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentcli.files.encodings import Encoding
from sentcli.files.lines import Block
from sentcli.tables.csv import Dialect
from sentcli.tables.csv_fast import PlainRecords

# What a line is made of; the long one leaves little outside of quotes.
PIECES = [b"a", b",", b";", b'"', b"'", b" ", b"\0", b"\xc3\xa9", b"\xff", b"x" * 90]


def find(lines, width, dialect=None):
    """Give the fields of each plain line, None for the others."""
    dialect = dialect or Dialect(",", '"', Encoding.named(None))
    found = PlainRecords(lines, dialect.delimiter, dialect.quotechar, dialect.encoding, width)
    fields = [None] * len(lines)
    for number in range(len(lines)):
        if found.stop(number) > number:
            place = found.ranks[number] - 1
            fields[number] = tuple(found.values(column)[place] for column in range(width))
    return fields


def expect(line, width, dialect):
    """Give the fields of a line that is plain, as its description has it."""
    delimiter, quote = dialect.delimiter, dialect.quotechar
    try:
        record = line.decode(dialect.encoding.name).rstrip("\r\n")
    except UnicodeDecodeError:
        return None
    field = f"[^{delimiter}]*"
    if quote:
        field = f"(?:{quote}(?:[^{quote}]|{quote}{quote})*{quote}|[^{delimiter}{quote}]*)"
    if not record or not re.fullmatch(f"{field}(?:{delimiter}{field}){{{width - 1}}}", record, re.DOTALL):
        return None
    (fields,) = dialect.parser(iter([record]))
    return tuple(fields)


@settings(max_examples=1000, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.lists(st.sampled_from(PIECES), max_size=9).map(b"".join),
            st.sampled_from([b"\n", b"\r\n", b"\r"]),
        ).map(b"".join),
        min_size=1,
        max_size=6,
    ),
    st.integers(1, 3),
    st.sampled_from([',"', ";'", ","]),
    st.sampled_from(["utf-8", "latin-1", "ascii"]),
    st.booleans(),
)
def test_lines_are_plain_and_split_as_the_parser_would(lines, width, characters, encoding, is_cut):
    """All that are like the pattern, and no others, wherever they stand in a block."""
    dialect = Dialect(characters[0], characters[1:], Encoding.named(encoding))
    assert dialect.is_based_on_ascii
    if is_cut:
        lines[-1] = lines[-1].rstrip(b"\r\n") or b"a"
    expected = [expect(line, width, dialect) for line in lines]
    assert find(Block.of(*lines), width, dialect) == expected
    within = Block.of(b'"\n', *lines, b'",\n').part(1, len(lines) + 1) if not is_cut else Block.of(*lines)
    assert find(within, width, dialect) == expected


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        (b"a", ("a",)),
        (b"a,b\r\n", ("a", "b")),
        (b",\n", ("", "")),
        (b'"a"\n', ("a",)),
        (b'"",""\r', ("", "")),
        (b'1,"a, ""b"" ""c""",,2,"d","e"\n', ("1", 'a, "b" "c"', "", "2", "d", "e")),
        (b'""""', ('"',)),
        (b'""",""",x', ('","', "x")),
        (b"\n", None),  # a blank line
        (b'"a\n', None),  # goes on, or is malformed
        (b'"a"b\n', None),
        (b'"a" ,b\n', None),
        (b'a"b"\n', None),  # quotes in a value
        (b'a,b "c" d\n', None),
        (b'"a"""b"\n', None),
        (b"\xff\n", None),
    ],
)
def test_the_fields_of_a_line(line, fields):
    assert find(Block.of(line), len(fields) if fields else 1) == [fields]


def test_lines_behind_one_in_doubt_are_plain_again():
    lines = Block.of(b"a\n", b'"b\n', b"c\n", b'd"\n', b'"e"\n', b"f,g\n")
    assert find(lines, 1) == [("a",), None, ("c",), None, ("e",), None]
    found = PlainRecords(lines, ",", '"', Encoding.named(None), 1)
    assert [found.stop(start) for start in range(6)] == [1, 1, 3, 3, 5, 5]


def test_two_quotes_in_a_field_stand_for_one():
    lines = Block.of(b'"a ""b""",1\n', b"c,2\n", b'"d",3\n')
    found = PlainRecords(lines, ",", '"', Encoding.named(None), 2)
    assert found.values(0) == ['a "b"', "c", "d"]


@pytest.mark.parametrize("delimiter", ["§", "é", "€"])
def test_a_delimiter_beyond_ascii_is_left_to_the_parser(delimiter):
    assert not Dialect(delimiter, '"', Encoding.named(None)).is_based_on_ascii


def test_the_csv_module_agrees_that_quotes_begin_and_end_fields():
    """What the pattern above takes for granted."""
    for line, fields in (('"a""b",c', ['a"b', "c"]), ('""', [""]), ('"",', ["", ""])):
        assert [*csv.reader([line], strict=True)] == [fields]
