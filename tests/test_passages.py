"""Passages of `data/passages.py`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from passages import cut_passages, sentence_spans

from sentcli.text.tokenizer import tokenize

PIECES = [
    *("good", "It", "is", "Mr.", "U.S.", "e.g.", "3.5", "J.", "it's.", "10/10", "br", "é", "日本", "_"),
    *(".", "!", "?", "...", "…", "?!", '"', "'", "(", ")", "]", "”", ",", " ", "  ", "\n", "\xa0"),
    *("<br />", "<br /><br />", "<br", "/>", " . ", " -- "),
]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=40).map("".join) | st.text(max_size=60)


def split_sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in sentence_spans(text)]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("", []),
        (" <br /> \n", []),
        ("!!! ... <br /><br /> ?", ["!!! ... <br /><br /> ?"]),
        ("no mark at all", ["no mark at all"]),
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("One...two... three?! four!!!", ["One...two...", "three?!", "four!!!"]),
        ("One… two.\n\nThree.", ["One…", "two.", "Three."]),
        ('He said "go." (And she went.) Well.', ['He said "go."', "(And she went.)", "Well."]),
        ("«So!» \u201cGo.\u201d \u2018Why?\u2019", ["«So!»", "\u201cGo.\u201d", "\u2018Why?\u2019"]),
        ("Is it (really!). Yes", ["Is it (really!).", "Yes"]),
        ("First.<br />Second. <br /> Third<br />goes on", ["First.", "Second.", "Third<br />goes on"]),
        ("A title<br /><br />Text.<br /> <br />More", ["A title", "Text.", "More"]),
        ("<br /><br />Text.<br /><br />", ["Text."]),
        ("Mr. and MRS. Smith met Dr. J. Lee. Good", ["Mr. and MRS. Smith met Dr. J. Lee.", "Good"]),
        ("The U.S. film, e.g. this one. Good", ["The U.S. film, e.g. this one.", "Good"]),
        ("Made in the U.S.<br /><br />Good", ["Made in the U.S.", "Good"]),
        ("I loved it's. And McDonald\u2019s. So", ["I loved it's.", "And McDonald\u2019s.", "So"]),
        ("It has 7.5 of 10. Or 3.14.", ["It has 7.5 of 10.", "Or 3.14."]),
        ("See imdb.com. OK.", ["See imdb.com.", "OK."]),
        ("Well . . . okay. ** Yes.", ["Well . . .", "okay.", "** Yes."]),
        ("** ! One. Two.", ["** ! One.", "Two."]),
        ("One. -- <br /><br /> Two.", ["One. --", "Two."]),
    ],
)
def test_sentences_by_hand(text: str, sentences: list[str]) -> None:
    assert split_sentences(text) == sentences


@given(st.lists(TEXTS, max_size=5), st.integers(1, 4), st.integers(0, 3))
def test_passages_are_runs_of_sentences(texts: list[str], most: int, seed: int) -> None:
    passages = cut_passages(texts, most, seed)

    assert len(passages) == len(texts)
    for text, passage in zip(texts, passages, strict=True):
        assert passage in text
        assert passage == passage.strip()
        assert not passage.startswith("<br />")
        assert not passage.endswith("<br />")
        sentences = split_sentences(text)
        if _letters(text):
            assert tokenize(passage)
        cut = split_sentences(passage)
        assert min(1, len(sentences)) <= len(cut) <= most
        assert cut in [sentences[first : first + len(cut)] for first in range(len(sentences) + 1)]


def _letters(text: str) -> str:
    """Leave what is no mark, no white space and no line break."""
    return "".join(filter(str.isalnum, text.replace("<br />", " ")))
