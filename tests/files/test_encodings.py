import re

from hypothesis import given, settings
from hypothesis import strategies as st

from sentcli.files.encodings import Encoding


@settings(max_examples=500, deadline=None)
@given(
    st.text(st.sampled_from("ab\r\n\x85 é"), max_size=30),
    st.sampled_from(["utf-8", "latin-1", "utf-16-le", "utf-32-be", "cp037"]),
    st.booleans(),
)
def test_bytes_are_split_after_complete_line_ends(text, name, universal):
    """A carriage return alone is a complete line end only when a byte follows it."""
    encoding = Encoding.named(name)
    ends = r"\r\n|\n|\r(?!\Z)" if universal else r"\n"
    lines = re.findall(rf"(?s).*?(?:{ends})", text)
    rest = text[sum(map(len, lines)) :]
    found, left = encoding.split(text.encode(name), universal=universal)
    assert [*found] == [line.encode(name) for line in lines]
    assert left == rest.encode(name)
