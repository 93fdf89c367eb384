import csv
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentcli.tables.charset import Encoding
from sentcli.tables.dialect import Dialect


@settings(max_examples=500, deadline=None)
@given(st.text(st.sampled_from("ab,;\"'\r\n\0 é"), max_size=12), st.sampled_from([',"', ";'", "ab", ","]))
def test_a_line_is_split_as_the_parser_would(line, characters):
    dialect = Dialect(characters[0], characters[1:], Encoding.named(None))
    fields = dialect.fields(line)
    assert fields is None or [fields] == list(dialect.parser(iter([line])))


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ("a", ["a"]),
        ("a,b\r\n", ["a", "b"]),
        (",\n", ["", ""]),
        ('"a"\n', ["a"]),
        ('"",""\r', ["", ""]),
        ('1,"a, ""b"" ""c""",,2,"d","e"\n', ["1", 'a, "b" "c"', "", "2", "d", "e"]),
        ('""""', ['"']),
        ('""",""",x', ['","', "x"]),
        ("", None),  # a blank line
        ("\r\n", None),
        ('"a', None),  # goes on, or is malformed
        ('"a"b', None),
        ('"a" ,b', None),
        ('a"b"', None),  # quotes in a value
        ('a,b "c" d', None),
        ('"a\nb"', None),  # of encodings in which other bytes end lines
        ("a\rb", None),
    ],
)
def test_the_fields_of_a_line(line, fields):
    assert Dialect(",", '"', Encoding.named(None)).fields(line) == fields


def test_labels_are_quoted_where_they_have_to_be():
    dialect = Dialect(",", '"', Encoding.named(None))
    fields = ["a,b", 'a"b', "a\nb", "a\rb", "a b", "", "ñ"]
    for values in itertools.permutations(fields, 3):
        assert next(csv.reader([dialect.record(values)], strict=True)) == list(values)
