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
RUSSIAN = "2;очень хороший фильм\n"


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
        ([ASCII.decode().encode("utf-16-be")], "utf-16-be"),
        ([RUSSIAN.encode("utf-16-le")], "utf-16-le"),
        ([WESTERN.encode("utf-32")], "utf-32"),
        ([WESTERN.encode("utf-32-be")], "utf-32-be"),
        ([ASCII, b"2;it costs \xa35\n"], "cp1252"),
        ([ASCII, "2;• 20 m² at 30° for 5 €\n".encode("cp1252")], "cp1252"),
        ([ASCII * 9 + RUSSIAN.encode("cp1251")], "utf-8"),  # a damaged line
        ([bytes(range(4)) * 99], "ascii"),
        ([b"a,text\n,\b\0\n"], "ascii"),
        ([b"~{x;text\n1;~{ is a mark\n"], "ascii"),
        ([ASCII, "2;とても良い映画です\n".encode("iso2022_jp")], "iso2022_jp_2"),
        ([ASCII, "2;这家酒店非常好\n".encode("hz")], "hz"),
    ],
)
def test_bytes_show_their_encoding(blocks, name):
    assert detect_encoding(blocks) == (name, True)


SENTENCES = {  # by the encodings that people write the language in
    "cp1250 iso8859-2 cp852": "Hotel był wspaniały, a śniadanie źle podane; łóżko było za małe.",
    "cp1250 iso8859-2": "Pokoj byl špinavý, postel nepohodlná, káva studená a číšník pomalý.",
    "cp1250 iso8859-2 ": "Camera era murdară şi micul dejun rece, nu ne mai întoarcem niciodată.",
    "cp1250": "A szoba piszkos volt, az ágy kényelmetlen, de a felszolgáló nagyszerű, őszinte és hű.",
    "cp1254 iso8859-9": "Oda kirliydi ve yatak rahatsızdı, bir daha asla gelmeyeceğiz, çok kötü.",
    "cp1257 iso8859-13": "Kambarys buvo nešvarus, o lova nepatogi, daugiau niekada čia negrįšime.",
    "cp1251 koi8-r iso8859-5 cp866 mac-cyrillic": "очень хороший фильм, мы придём ещё раз",
    "cp1253 iso8859-7": "Το δωμάτιο ήταν βρώμικο και το κρεβάτι άβολο, ποτέ ξανά.",
    "cp1255": "המלון היה נפלא, הצוות אדיב וארוחת הבוקר טעימה",
    "cp1256": "كان الفندق رائعا والموظفون لطفاء والفطور لذيذا",
    "tis-620": "โรงแรมดีมาก พนักงานสุภาพ และอาหารเช้าอร่อย",
    "cp932 euc_jp": "とても良い映画です。また見たいと思います。",
    "gb18030": "酒店非常好，服务员很热情，早餐也很好吃。",
    "big5": "酒店非常好，服務員很熱情，早餐也很好吃。",
    "euc_kr": "호텔이 아주 좋았고 직원도 친절하고 아침 식사도 맛있었습니다.",
    "mac-roman cp850 cp437": "schön, frühstück, größer, wäre, das Zimmer für uns",
    "iso8859-15": "Le cœur de la ville était à côté, à 5 € près.",
}
LETTERS = [(text, name) for names, text in SENTENCES.items() for name in names.split()]


@pytest.mark.parametrize(("text", "name"), LETTERS, ids=[f"{name} {text[:9]}" for text, name in LETTERS])
@pytest.mark.parametrize("start", [b"", ASCII * 3], ids=["short", "English"])
def test_bytes_of_other_encodings_show_a_candidate_with_the_same_letters(text, name, start):
    data = start + f"2;{text}\n".encode(name)
    candidate, is_plain = detect_encoding([data])
    assert not is_plain
    assert data.decode(candidate) == data.decode(name)
    assert Encoding.named(candidate)


@pytest.mark.parametrize("data", [b"na\x81ve\n", b"x" * 9 + b"caf\xe9\n" + RUSSIAN.encode("cp1251")])
def test_bytes_of_no_encoding_are_not_plain(data):
    assert not detect_encoding([ASCII, data])[1]


@pytest.mark.parametrize("size", [1 << 16, 1 << 19, 1 << 22])
def test_the_same_bytes_show_an_encoding_for_any_size_of_the_blocks(size):
    data = WESTERN.encode("cp1252") * 20_000 + LETTERS[0][0].encode("cp1250") * 40_000
    blocks = iter([data[start : start + size] for start in range(0, len(data), size)])
    assert detect_encoding(blocks) == ("cp1252", True)


def test_blocks_after_a_character_beyond_ascii_are_not_read():
    blocks = iter([ASCII, WESTERN.encode(), ASCII])
    assert (detect_encoding(blocks), [*blocks]) == (("utf-8", True), [ASCII])


def test_the_encoding_of_bytes_that_are_utf_8():
    assert likely_encoding(ASCII) == likely_encoding(RUSSIAN.encode()) == ("utf-8", True)
