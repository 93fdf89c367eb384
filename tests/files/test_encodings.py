import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentcli.files.encodings import Encoding, detect_encoding, likely_encoding


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


ASCII = b"id;text\n1;a fine film\n"
WESTERN = "2;schön, «très» œuvre – “señor’s” 5 €\n"
WESTERN_MAC = "2;schön, frühstück, größer, wäre\n"
RUSSIAN = "2;очень хороший фильм\n"
JAPANESE = "2;とても良い映画です\n"


@pytest.mark.parametrize(
    ("blocks", "name"),
    [
        ([], "ascii"),
        ([ASCII], "ascii"),
        ([(WESTERN + RUSSIAN).encode()], "utf-8"),
        ([ASCII, WESTERN.encode()[:7], WESTERN.encode()[7:]], "utf-8"),
        ([ASCII, WESTERN.encode("cp1252")], "cp1252"),
        ([ASCII, b"3; \x96 \n"], "cp1252"),
        ([ASCII, WESTERN.encode(), b"caf\xe9\n"], "utf-8"),
        ([WESTERN.encode() + b"caf\xe9\n"], "utf-8"),
        ([WESTERN.encode("utf-16")], "utf-16"),
        ([ASCII.decode().encode("utf-16-be")], "utf-16"),
        ([WESTERN.encode("utf-32")], "utf-32"),
        *(([ASCII, RUSSIAN.encode(name)], None) for name in ("cp1251", "koi8-r", "iso8859-5")),
        *(([ASCII, JAPANESE.encode(name)], None) for name in ("shift-jis", "euc-jp")),
        *(([ASCII, WESTERN_MAC.encode(name)], None) for name in ("mac_roman", "cp437", "cp850")),
        ([ASCII, "2;Hotel był wspaniały, źle było\n".encode("cp1250")], None),
        ([ASCII, b"2;it costs \xa35\n"], "cp1252"),
        ([ASCII * 9 + RUSSIAN.encode("cp1251")], "utf-8"),  # a damaged line
        ([ASCII, b"x" * 9, b"caf\xe9\n", RUSSIAN.encode("cp1251")], None),
        ([bytes(range(4)) * 99], "ascii"),
        ([b"na\x81ve\n"], None),
    ],
)
def test_bytes_show_their_encoding(blocks, name):
    assert detect_encoding(blocks) == name


def test_blocks_after_a_character_beyond_ascii_are_not_read():
    blocks = iter([ASCII, WESTERN.encode(), ASCII])
    assert (detect_encoding(blocks), [*blocks]) == ("utf-8", [ASCII])


def test_the_encoding_of_bytes_that_are_utf_8():
    assert likely_encoding(ASCII) == likely_encoding(RUSSIAN.encode()) == "utf-8"
