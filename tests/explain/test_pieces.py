"""A text is cut into pieces and sentences of its own spelling."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sampling import every

from sentcli.explain.pieces import pieces_of, sentences_of
from sentcli.text.tokenizer import words_of

PARTS = [
    *"&<>b/3'\"*+-_ ;:().,!?@=’“—…é\u200b\u3000\u0307\ufe0f\x85\x92😍哈กİΣ；＆ｆﬀ𝓰①Ⓐ\n",
    *("&amp;", "&#39;", "aaa", "e\u0301", "<p>", "<br />", ":-)", ":'(", "=D", "&lt;", "&gt;", "<!--", "-->"),
    *("https://a.b/c", "@name", " x=", "10/10", "isn’t", "&nbsp;", "<a x=", " but ", "Mr."),
]
TEXTS = st.one_of(st.text(), st.lists(st.sampled_from(PARTS)).map("".join))


def spelled(text):
    return [text[piece.start : piece.end] for piece in pieces_of(text)]


def check(text):
    """Check that the pieces give back the text, and have its tokens."""
    end, tokens = 0, []
    for piece in pieces_of(text):
        assert piece.end > piece.start >= end
        assert not text[end : piece.start].strip()
        assert tuple(words_of(text[piece.start : piece.end])) == piece.tokens
        end = piece.end
        tokens += piece.tokens
    assert not text[end:].strip()
    assert tokens == words_of(text)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("It isn’t good, really", "It|isn’t|good|,|really"),
        ("services👍👍 rated 4.5/5 10/10!!", "services|👍👍|rated|4.5/5|10/10|!!"),
        ("over-priced—really “fun”.", "over-priced|—|really|“|fun|”."),
        (
            "<b class='x y'>a joy</b> &lt;br /&gt;now <!-- a b -->",
            "<b class='x y'>|a|joy|</b>|&lt;br /&gt;|now|<!-- a b -->",
        ),
        ("see https://a.b/bad?c=1 :) <3 good:)", "see|https://a.b/bad?c=1|:)|<3|good|:)"),
        ("good &amp;lt;b x='1 2'&amp;gt; bad", "good|&amp;lt;b x='1 2'&amp;gt;|bad"),
        ("rooms < 20 m2 and > 3", "rooms|<|20|m2|and|>|3"),
        ("caf&eacute; rock 'n' roll", "caf&eacute;|rock|'|n|'|roll"),
        ("", ""),
        (" \n\u200b ", "\u200b"),
    ],
)
def test_pieces_are_words_as_they_are_spelled(text, pieces):
    assert "|".join(spelled(text)) == pieces
    check(text)


def test_a_word_with_an_apostrophe_is_one_piece_of_three_tokens():
    assert [piece.tokens for piece in pieces_of("isn’t")] == [("isn", "'", "t")]


def test_pieces_give_back_5000_reviews_with_all_kinds_of_marks(marked_reviews):
    assert len({*marked_reviews}) > 2500
    assert len(marked_reviews) >= 5000
    for text in marked_reviews:
        check(text)


def test_leaving_out_a_piece_leaves_out_its_tokens(marked_reviews):
    for text in marked_reviews[::100]:
        pieces = pieces_of(text)
        for number, piece in enumerate(pieces):
            others = [token for other in pieces[:number] + pieces[number + 1 :] for token in other.tokens]
            assert words_of(f"{text[: piece.start]} {text[piece.end :]}") == others


@settings(max_examples=2000 // every(5), deadline=None)
@given(TEXTS)
def test_pieces_give_back_any_text(text):
    check(text)


def test_a_text_whose_chunks_have_other_tokens_alone_is_one_piece():
    text = "one &#60;b x='1 2'&#62; two three"
    assert spelled(text) == [text]
    check(text)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("It isn’t good, but the staff was lovely", "It isn’t good,|but the staff was lovely"),
        (
            "Mr. Lee, e.g., cooks. Good!! “Very.” Bad...so it goes. 4.5 stars",
            "Mr. Lee, e.g., cooks.|Good!!|“Very.”|Bad...so it goes.|4.5 stars",
        ),
        (
            "good but pricey; nothing but praise. last but not least",
            "good|but pricey;|nothing but praise.|last but not least",
        ),
        (
            "First<br />second &amp; third\n\nfourth , however it failed",
            "First<br />|second &amp; third|fourth ,|however it failed",
        ),
        ("... !!! 5", "5"),
        (" ", ""),
    ],
)
def test_sentences_and_clauses(text, sentences):
    found = [text[start:end] for start, end in sentences_of(text)]
    assert "|".join(found) == sentences


@settings(deadline=None)
@given(TEXTS)
def test_sentences_are_in_order_and_have_words(text):
    end = 0
    for start, stop in sentences_of(text):
        assert end <= start < stop
        assert text[start:stop] == text[start:stop].strip()
        assert words_of(text[start:stop])
        end = stop


@pytest.mark.parametrize(
    "text", ["<!--", "<a x=", "&amp;", "&lt;a ", "e\u0301", ".", ".)", " ", "a, but ", "\n", "a.b", "1/2/"]
)
def test_long_runs_take_linear_time(text):
    start = time.process_time()
    pieces_of(text * 20_000)
    sentences_of(text * 20_000)
    assert time.process_time() - start < 5  # 0.2 s; quadratic would be minutes
