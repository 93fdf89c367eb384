"""Texts as people write them become the words that they say."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sampling import every

from sentcli.text.normalize import normalize
from sentcli.text.tokenizer import tokenize

PARTS = [
    *"&<>b/3'\"*+-_ ;’“—…é\u200b\u3000\u0307\ufe0f\x85\x92😍哈กİΣ；＆ｆﬀ𝓰①Ⓐ",
    *("&amp;", "&#39;", "aaa", "e\u0301", "<p>", "<br />", ":-)", ":'(", "=D", "ǟ\u0323"),
    *("\u0301" * 29, "\u0316" * 31, "\u0344" * 16),
]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("It isn’t good", "it isn ' t good"),
        ("<p>Excellent product</p>", "excellent product"),
        ('<b>great</b><a href="x">link</a><br/>', "great link"),
        ("Amazing😍😍 👍🏽❤️", "amazing 😍 😍 👍 ❤"),
        ("great-product, “great” awesome—really", "great product , great awesome really"),
        ("&quot;fine&quot; caf&eacute; &amp;lt;3 r&b", "fine café ❤ r b"),
        ("rooms < 20 m2 and > 3 beds", "rooms 20 m2 and 3 beds"),
        ("sooooo GOOOOD", "soo good"),
        ("10/10 *bold* _so_ A+ 100%", "10 10 * bold * so a + 100 %"),
        ("a\u200bb\xa0c…", "ab c . . ."),
        ("很好。ｆｕｌｌ 𝓰𝓸𝓸𝓭 ★★", "很 好 . full good ★ ★"),
        ("great:) bad :-(( =D ;-) :'( hm :/", "great 🙂 bad 🙁 😃 🙂 🙁 hm 😕"),
        (
            "pros:(1) //a.b/ x=(y) at 10:30 A:D and/or:",
            "pros ( 1 ) a . b x ( y ) at 10 30 a d and or",
        ),
        ("RT @some_one: nice! HTTPS://a.b/bad?c=1 a@b.c @ 5", "rt nice ! a b . c 5"),
        (" \n\u200b ", ""),
    ],
)
def test_words_are_found(text: str, words: str) -> None:
    assert tokenize(normalize(text)) == words.split()


def test_more_than_thirty_accents_on_one_letter_are_left_out() -> None:
    above, below = "\u0301" * 20, "\u0316" * 20
    assert normalize(f"x{below[:10]}{above} good") == f"x{below[:10]}{above} good"
    assert normalize(f"x{below}{above} good") == f"x{below}{above[:10]} good"
    assert normalize(f"x{below}\u200b{above} good") == f"x{below}{above[:10]} good"  # without a width


@settings(max_examples=2000 // every(5))
@given(st.one_of(st.text(), st.lists(st.sampled_from(PARTS)).map("".join)))
def test_a_normalized_text_does_not_change_again(text: str) -> None:
    assert normalize(normalize(text)) == normalize(text)
