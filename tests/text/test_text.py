import importlib.util
import itertools
import os
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentcli.errors import BundleError, is_utf8
from sentcli.text.tokenizer import tokenize, truncate
from sentcli.text.vocabulary import PAD, PAD_ID, UNK, UNK_ID, Vocab

# What each replacement of the tokeniser looks at, whole and in pieces, and what could look like it.
PIECES = [
    *"'\".,()!?;:<>/ \t\n\r\v\f-_*&#",
    *("<br />", "<b", "r />", "<br", " />", "<br/>", "<BR />", "<br  />", "</br>", "&quot;", "''", "..."),
    *("a", "B", "good", "İ", "ß", "\u017f", "K", "Σ", "ΑΣ", "ǅ", "ﬁ", "é", "e\u0301", "日本", "🎬"),
    *("\x00", "\x1c", "\x1f", "\x7f", "\x85", "\xa0", "\u1680", "\u180e", "\u200b", "\u2028", "\u3000"),
    *("\ufeff", "\ud800", "\udfff", "\ue000", "\U0010ffff"),
]
CATEGORIES = sorted({unicodedata.category(chr(point)) for point in range(sys.maxunicode + 1)})


@pytest.fixture(scope="session")
def basic_english() -> Callable[[str], list[str]]:
    """The tokeniser of torchtext 0.18.0 out of its file: the package itself loads with no torch of today."""
    package = importlib.util.find_spec("torchtext")
    if package is None or package.origin is None:
        pytest.skip("torchtext 0.18.0 is not installed")
    spec = importlib.util.spec_from_file_location("oracle", Path(package.origin).parent / "data" / "utils.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.get_tokenizer("basic_english")


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", []),
        (" \t\r\n ", []),
        ('"', []),
        ("Well, it's GOOD!", ["well", ",", "it", "'", "s", "good", "!"]),
        ("(who?) ...; no: one", ["(", "who", "?", ")", ".", ".", ".", "no", "one"]),
        ('a "quoted" wo"rd', ["a", "quoted", "word"]),
        ("one<br />two<BR />three", ["one", "two", "three"]),
        ("one<br/>two<br  />", ["one<br/>two<br", "/>"]),
        ('<b"r />x', ["x"]),  # without its quote it is a line break
        ("<b'r />x", ["<b", "'", "r", "/>x"]),
        ("ÉTÉ\u3000日本\x85x\x1cy", ["été", "日本", "x", "y"]),
        ("zero\u200bwidth\x00", ["zero\u200bwidth\x00"]),
        ("\ud800.", ["\ud800", "."]),
    ],
)
def test_tokens_by_hand(text: str, tokens: list[str]) -> None:
    assert tokenize(text) == tokens


def test_equals_torchtext_on_combined_pieces(
    basic_english: Callable[[str], list[str]],
) -> None:
    pairs, triples = itertools.product(PIECES, repeat=2), itertools.product(PIECES[:26], repeat=3)
    for pieces in itertools.chain(pairs, triples):
        text = "".join(pieces)
        assert tokenize(text) == basic_english(text), ascii(text)


@pytest.mark.parametrize("category", CATEGORIES)
def test_equals_torchtext_on_every_character(
    category: str, basic_english: Callable[[str], list[str]]
) -> None:
    characters = [c for c in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(c) == category]
    if category in ("Co", "Cn"):  # nearly a million without a meaning of their own
        characters = characters[::97]
    text = "".join(f"x{character}y.{character} " for character in characters)
    assert tokenize(text) == basic_english(text)


@settings(max_examples=400, deadline=None)
@given(text=st.lists(st.sampled_from(PIECES) | st.characters(codec=None), max_size=30).map("".join))
def test_equals_torchtext_on_any_text(text: str, basic_english: Callable[[str], list[str]]) -> None:
    assert tokenize(text) == basic_english(text)


@pytest.mark.slow
@pytest.mark.skipif("SENTCLI_IMDB" not in os.environ, reason="SENTCLI_IMDB names no copy of IMDb")
def test_equals_torchtext_on_imdb(basic_english: Callable[[str], list[str]]) -> None:
    import pyarrow.parquet as pq

    count = 0
    for file in sorted(Path(os.environ["SENTCLI_IMDB"]).rglob("*.parquet")):
        for batch in pq.ParquetFile(file).iter_batches(columns=["text"]):
            for text in batch.column("text").to_pylist():
                assert tokenize(text) == basic_english(text), ascii(text[:200])
                count += 1
    assert count == 100_000


def test_vocab_is_ordered_by_frequency_then_alphabet() -> None:
    texts = [["pear", "fig", "fig"], ["apple", "pear", "plum"], ["fig", "Zucchini", "été"]]
    words = (PAD, UNK, "fig", "pear", "Zucchini", "apple", "plum", "été")
    assert Vocab.build(texts, 1).words == words
    assert Vocab.build(reversed(texts), 1).words == words
    assert Vocab.build(iter(texts), 2).words == (PAD, UNK, "fig", "pear")
    assert Vocab.build(texts, 3).words == (PAD, UNK, "fig")
    assert Vocab.build(texts, 4).words == (PAD, UNK)
    assert Vocab.build([], 1).words == (PAD, UNK)


def test_specials_in_a_text_are_unknown_words() -> None:
    vocab = Vocab.build([[PAD, PAD, UNK, "word"]], 1)
    assert vocab.words == (PAD, UNK, "word")
    assert vocab.encode([PAD, UNK, "word"]) == [UNK_ID, UNK_ID, 2]
    assert PAD not in vocab
    assert UNK not in vocab
    assert "word" in vocab
    assert (PAD_ID, UNK_ID) == (0, 1)


def test_words_that_utf8_cannot_hold_are_left_out() -> None:
    texts = [["\ud800", "a\udfff", "fine", "\ud7ff", "\ue000", "🎬"]]
    vocab = Vocab.build(texts, 1)
    assert set(vocab.words[2:]) == {"fine", "\ud7ff", "\ue000", "🎬"}
    assert Vocab.from_text(vocab.to_text().encode().decode()).words == vocab.words


@pytest.mark.parametrize("text", ["", "a", "é", "\ud7ff", "\ue000", "\U0010ffff", "\ud800", "a\udfff"])
def test_is_utf8_where_it_can_be_encoded(text: str) -> None:
    assert is_utf8(text) == (text == text.encode(errors="ignore").decode())


def test_encode() -> None:
    vocab = Vocab([PAD, UNK, "good", "film"])
    assert vocab.encode(iter(["film", "new", "good", "Film", ""])) == [3, UNK_ID, 2, UNK_ID, UNK_ID]
    assert vocab.encode([]) == []
    assert len(vocab) == 4  # an unknown word is not added
    assert "new" not in vocab
    assert vocab.encode(["new"]) == [UNK_ID]


def test_phrases_are_two_words_read_as_one() -> None:
    vocab = Vocab([PAD, UNK, "not", "a", "good", "film", "not a", "a good", "good film", "a a"])
    assert vocab.bigrams == [(2, 3), (3, 4), (4, 5), (3, 3)]
    assert vocab.first_bigram == 6

    def read(text: str) -> list[str]:
        return [vocab.words[number] for number in vocab.encode(text.split())]

    assert read("not a good film") == ["not a", "good film"]  # from the left, each word in one phrase
    assert read("a good film") == ["a good", "film"]
    assert read("a a a") == ["a a", "a"]
    assert read("not new a") == ["not", UNK, "a"]
    assert read("") == []


def test_text_of_a_vocab_with_bigrams() -> None:
    words = (PAD, UNK, "a", "b", "a b", "b b")
    assert Vocab(words).to_text() == "<pad>\n<unk>\na\nb\na b\nb b\n"
    assert Vocab.from_text(Vocab(words).to_text()).words == words


def test_text_of_a_vocab() -> None:
    vocab = Vocab([PAD, UNK, "a", "\ufeffb", "c\x00"])
    assert vocab.to_text() == "<pad>\n<unk>\na\n\ufeffb\nc\x00\n"
    assert Vocab.from_text(vocab.to_text()).words == vocab.words
    assert Vocab.from_text(vocab.to_text().removesuffix("\n")).words == vocab.words


@settings(deadline=None)
@given(texts=st.lists(st.text(st.characters(codec=None)).map(tokenize)), min_freq=st.integers(1, 3))
def test_any_vocab_comes_back_from_its_file(texts: list[list[str]], min_freq: int) -> None:
    vocab = Vocab.build(texts, min_freq)
    assert Vocab.from_text(vocab.to_text().encode().decode()).words == vocab.words
    assert vocab.encode(vocab.words[2:]) == list(range(2, len(vocab)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "begins with <pad> and <unk>, not with ['']"),
        ("<pad>\n", "not with ['<pad>']"),
        ("<unk>\n<pad>\nword\n", "not with ['<unk>', '<pad>']"),
        ("\ufeff<pad>\n<unk>\n", "begins with"),
        ("<pad>\r\n<unk>\r\n", "begins with"),
        ("<pad>\n<unk>\n\nword\n", "has '', which is empty"),
        ("<pad>\n<unk>\nword\n\n", "has '', which is empty"),
        ("<pad>\n<unk>\ntwo words\n", "has 'two words', which is not two words that it has before"),
        ("<pad>\n<unk>\ntwo\nwords\nthree two words\n", "has 'three two words', which is not"),
        ("<pad>\n<unk>\ntwo\ntwo  two\n", "has 'two  two', which is not"),
        ("<pad>\n<unk>\ntwo\n two\n", "has ' two', which is not"),
        ("<pad>\n<unk>\ntwo\n<unk> two\n", "has '<unk> two', which is not"),
        ("<pad>\n<unk>\ntwo\ntwo two\nwords\n", "has 'words', which is not"),
        ("<pad>\n<unk>\ntwo\ntwo two\ntwo two\n", "the word 'two two' twice"),
        ("<pad>\n<unk>\nword\r\n", r"has 'word\r', which"),
        ("<pad>\n<unk>\na\xa0b\n", r"has 'a\xa0b', which"),
        ("<pad>\n<unk>\nx\nword\ny\nword\n", "the word 'word' twice"),
        ("<pad>\n<unk>\n<unk>\n", "the word '<unk>' twice"),
    ],
)
def test_no_vocabulary(text: str, message: str) -> None:
    with pytest.raises(BundleError) as caught:
        Vocab.from_text(text)
    assert message in str(caught.value)


def test_message_on_a_long_word_is_short() -> None:
    with pytest.raises(BundleError) as caught:
        Vocab([PAD, UNK, "long " * 100_000])
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("length", "max_tokens", "kept"),
    [
        (8, 8, [0, 1, 2, 3, 4, 5, 6, 7]),
        (9, 8, [0, 1, 3, 4, 5, 6, 7, 8]),
        (20, 8, [0, 1, 14, 15, 16, 17, 18, 19]),
        (20, 4, [0, 17, 18, 19]),
        (20, 5, [0, 16, 17, 18, 19]),
        (20, 6, [0, 15, 16, 17, 18, 19]),
        (20, 7, [0, 14, 15, 16, 17, 18, 19]),
        (20, 9, [0, 1, 13, 14, 15, 16, 17, 18, 19]),
        (3, 4, [0, 1, 2]),
        (0, 4, []),
    ],
)
def test_truncate(length: int, max_tokens: int, kept: list[int]) -> None:
    assert truncate(list(range(length)), max_tokens) == kept


@given(length=st.integers(0, 300), max_tokens=st.integers(4, 200))
def test_truncate_keeps_a_quarter_and_the_rest_of_the_end(length: int, max_tokens: int) -> None:
    tokens = list(range(length))
    kept = truncate(tokens, max_tokens)
    if length <= max_tokens:
        assert kept == tokens
    else:
        head = max_tokens // 4
        assert kept == [*range(head), *range(length - (max_tokens - head), length)]
        assert len(kept) == max_tokens
