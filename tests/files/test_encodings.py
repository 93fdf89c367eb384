import encodings
import pkgutil
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from sentcli.errors import UsageError
from sentcli.files.encodings import Encoding


@settings(max_examples=500, deadline=None)
@given(
    st.text(st.sampled_from("ab\r\n\x85 é"), max_size=30),
    st.sampled_from(["utf-8", "latin-1", "utf-16-le", "utf-32-be", "cp037"]),
    st.booleans(),
)
def test_bytes_are_cut_after_the_line_ends_that_are_sure(text, name, universal):
    """Those that end with a carriage return alone are sure when something follows it."""
    encoding = Encoding.named(name)
    ends = r"\r\n|\n|\r(?!\Z)" if universal else r"\n"
    lines = re.findall(rf"(?s).*?(?:{ends})", text)
    rest = text[sum(map(len, lines)) :]
    found, behind = encoding.split(text.encode(name), universal=universal)
    assert [*found] == [line.encode(name) for line in lines]
    assert behind == rest.encode(name)


def test_encodings_based_on_ascii_have_no_other_use_for_its_bytes():
    names = {
        name
        for _, name, is_package in pkgutil.iter_modules(encodings.__path__)
        if not is_package and _is_based_on_ascii(name)
    }
    assert names >= {"utf_8", "ascii", "latin_1", "cp1252", "koi8_r", "iso8859_15", "mac_roman"}
    assert not names & {
        "shift_jis",
        "cp932",
        "gbk",
        "gb18030",
        "big5",
        "johab",
        "cp037",
        "utf_16_le",
        "utf_32",
    }
    assert "mac_arabic" not in names  # it has a second quote, comma, ...
    for name in names:
        for lead in range(0x80, 0x100):
            for letter in ',|;"\n~':
                text = (bytes([lead]) + letter.encode()).decode(name, "replace")
                assert text.endswith(letter)
                assert not text[:-1].isascii() or len(text) == 1


def _is_based_on_ascii(name):
    try:
        return Encoding.named(name).is_based_on_ascii
    except UsageError:
        return False
