from collections import Counter
from collections.abc import Iterable
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentcli.errors import BundleError
from sentcli.text.tokenizer import PAD, PAD_ID, UNK, UNK_ID, Vocab, tokenize


def vocab_of(texts: Iterable[list[str]], min_freq: int) -> Vocab:
    return Vocab.of_counts(Counter(chain.from_iterable(texts)), min_freq)


def test_vocab_is_ordered_by_frequency_then_alphabet() -> None:
    texts = [["pear", "fig", "fig"], ["apple", "pear", "plum"], ["fig", "Zucchini", "été"]]
    words = (PAD, UNK, "fig", "pear", "Zucchini", "apple", "plum", "été")
    assert vocab_of(texts, 1).words == words
    assert vocab_of(reversed(texts), 1).words == words
    assert vocab_of(iter(texts), 2).words == (PAD, UNK, "fig", "pear")
    assert vocab_of(texts, 3).words == (PAD, UNK, "fig")
    assert vocab_of(texts, 4).words == (PAD, UNK)
    assert vocab_of([], 1).words == (PAD, UNK)


def test_specials_in_a_text_are_unknown_words() -> None:
    vocab = vocab_of([[PAD, PAD, UNK, "word"]], 1)
    assert vocab.words == (PAD, UNK, "word")
    assert vocab.encode([PAD, UNK, "word"]) == [UNK_ID, UNK_ID, 2]
    assert PAD not in vocab
    assert UNK not in vocab
    assert "word" in vocab
    assert (PAD_ID, UNK_ID) == (0, 1)


def test_words_that_utf8_cannot_hold_are_left_out() -> None:
    texts = [["\ud800", "a\udfff", "fine", "\ud7ff", "\ue000", "🎬"]]
    vocab = vocab_of(texts, 1)
    assert set(vocab.words[2:]) == {"fine", "\ud7ff", "\ue000", "🎬"}
    assert Vocab.from_text(vocab.to_text().encode().decode()).words == vocab.words


def test_encode() -> None:
    vocab = Vocab([PAD, UNK, "good", "film"])
    assert vocab.encode(iter(["film", "new", "good", "Film", ""])) == [3, UNK_ID, 2, UNK_ID, UNK_ID]
    assert vocab.encode([]) == []
    assert len(vocab) == 4  # an unknown word is not added
    assert "new" not in vocab
    assert vocab.encode(["new"]) == [UNK_ID]


def test_bigrams_are_two_words_read_as_one() -> None:
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


def test_text_of_a_vocab() -> None:
    vocab = Vocab([PAD, UNK, "a", "\ufeffb", "c\x00"])
    assert vocab.to_text() == "<pad>\n<unk>\na\n\ufeffb\nc\x00\n"
    assert Vocab.from_text(vocab.to_text()).words == vocab.words
    assert Vocab.from_text(vocab.to_text().removesuffix("\n")).words == vocab.words


@settings(deadline=None)
@given(texts=st.lists(st.text(st.characters(codec=None)).map(tokenize)), min_freq=st.integers(1, 3))
def test_any_vocab_comes_back_from_its_file(texts: list[list[str]], min_freq: int) -> None:
    vocab = vocab_of(texts, min_freq)
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
        ("<pad>\n<unk>\ntwo words\n", "has 'two words', which is not a pair of its words"),
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
