"""The bulk encoder returns the ids that `Vocab.encode(words_of(text))` returns for each text."""

import itertools
import os
import subprocess
import sys
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentcli.text import encoder as encoding
from sentcli.text.encoder import Encoded, Encoder
from sentcli.text.tokenizer import PAD, REPLACEMENTS, UNK, UNK_ID, Vocab, words_of

ASCII = [chr(code) for code in range(128)]
SPACES = [chr(code) for code in range(0x10000) if chr(code).isspace()]
WRITTEN = [
    *"’“—…`\u200b\ufe0f\x85😍哈กﬀ𝓰①ｆ＆★Σ",
    *(
        "<p>",
        "<3",
        "<!-- x -->",
        "&amp;",
        "&#39;",
        "&lt;br /&gt;",
        "e\u0301",
        "aaa",
        "ÉÉé",
        "don’t",
        ":-)",
        "=D",
        "http://a",
        "@a",
    ),
]
PIECES = ["<br />", "<br", "/>", '<b"r />', "<br\x1f/>", "<br\xa0/>", "<BR />", "don't", PAD, UNK, "film"]
WORDS = ["film", "don", "'", "t", ".", ",", "!", "a", "é", "ß", "i̇", "σας", "❤", "😍", "aa", "\x00"]
VOCAB = Vocab([PAD, UNK, *WORDS])
BIGRAMS = Vocab([*VOCAB.words, "don '", "' t", "t a", "a film", "film .", ". .", "a a", "a t", "\x00 ."])

texts = st.lists(
    st.one_of(
        st.text(st.sampled_from(ASCII)),
        st.text(),
        st.lists(st.sampled_from([*WRITTEN, "a", "film"])).map("".join),
        st.lists(st.sampled_from([*PIECES, *ASCII, *SPACES, "É", "ẞ", "İ", "ΣΑΣ"])).map("".join),
    ),
    min_size=1,
    max_size=8,
)


@pytest.fixture(autouse=True)
def _always_in_bulk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "_BULK", 0)


def lists(encoded: Encoded) -> list[list[int]]:
    places = zip(encoded.starts.tolist(), encoded.lengths.tolist(), strict=True)
    return [encoded.ids[start : start + length].tolist() for start, length in places]


def says_something(vocab: Vocab, ids: list[int]) -> bool:
    known = "".join(vocab.words[number] for number in ids if number != UNK_ID)
    return any(each.isalpha() or unicodedata.category(each) == "So" for each in known)


def check(vocab: Vocab, given_texts: list[str]) -> None:
    encoded = Encoder(vocab).encode(given_texts)
    tokens = [words_of(text) for text in given_texts]
    wanted = [*map(vocab.encode, tokens)]
    assert lists(encoded) == [ids if says_something(vocab, ids) else [] for ids in wanted]
    assert encoded.words.tolist() == [*map(len, tokens)]
    assert encoded.unknown.tolist() == [ids.count(UNK_ID) for ids in wanted]
    assert encoded.ids.dtype == np.int32


def test_by_hand() -> None:
    encoded = Encoder(VOCAB).encode(["Don't!", "", "A zzz <pad> film<br />"])
    assert lists(encoded) == [[3, 4, 5, 8], [], [9, UNK_ID, 2]]
    assert encoded.unknown.tolist() == [0, 0, 1]


@pytest.mark.parametrize("bulk", [0, 1000])
def test_texts_without_a_known_letter_or_symbol_have_no_ids(
    monkeypatch: pytest.MonkeyPatch, bulk: int
) -> None:
    monkeypatch.setattr(encoding, "_BULK", bulk)
    vocab = Vocab([PAD, UNK, "10", ".", "*", "film", "😍", "好", "10 .", ". film"])
    nothing = ["10.", "zzz 10 *", "<unk> <pad>", "", "👍", ". . ."]
    encoded = Encoder(vocab).encode([*nothing, "10. Film", "😍", "好!", "zzz. film"])
    assert encoded.lengths.tolist() == [0] * len(nothing) + [2, 1, 2, 2]
    assert encoded.words.tolist() == [2, 3, 0, 0, 1, 3, 3, 1, 2, 3]
    assert lists(encoded)[len(nothing) :] == [[8, 5], [6], [7, UNK_ID], [UNK_ID, 9]]


def test_every_character_between_words_at_the_ends_and_alone() -> None:
    characters = [*map(chr, range(0x3100)), "\ud800", "\udfff", "\ufeff", "\U0001f600"]
    for text in ("film{}film", "{}film", "film{}", "{}", "a{0}{0}<br{0}/>"):
        check(VOCAB, [text.format(character) for character in characters])


def test_every_pair_of_ascii_characters() -> None:
    check(VOCAB, ["".join(pair) for pair in itertools.product(ASCII, repeat=2)])


def test_marks_within_marks() -> None:
    marks = [mark for mark, _ in REPLACEMENTS] + ["<br", " />", "<b", "r />", "x"]
    check(VOCAB, ["".join(three) for three in itertools.product(marks, repeat=3)])


@given(texts)
@settings(deadline=None)
def test_of_any_texts(given_texts: list[str]) -> None:
    check(VOCAB, given_texts)
    check(BIGRAMS, given_texts)


@given(st.lists(st.lists(st.sampled_from(["don", "'", "t", "a", "film", ".", "zzz"])).map(" ".join)))
@settings(deadline=None)
def test_of_bigrams_in_a_row(given_texts: list[str]) -> None:
    check(BIGRAMS, given_texts)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_bigrams_that_share_a_slot_of_the_table(monkeypatch: pytest.MonkeyPatch, bits: int) -> None:
    monkeypatch.setattr(encoding, "_HASH_BITS", bits)
    words = BIGRAMS.words[2 : BIGRAMS.first_bigram]
    check(BIGRAMS, [" ".join(three) for three in itertools.product([*words, "zzz"], repeat=3)])


@pytest.mark.parametrize("vocab", [VOCAB, BIGRAMS])
@pytest.mark.parametrize("blank", [["", " "], ["<br />"], [" ;", "film", "\x1c"], ["", "a"], []])
def test_of_blank_texts_and_of_none(vocab: Vocab, blank: list[str]) -> None:
    check(vocab, blank)


def test_a_very_long_text_is_encoded_in_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "_SLICE", 10)
    monkeypatch.setattr(Encoder, "_encode_bulk", None)
    check(VOCAB, ["a film a film a film"])
    with pytest.raises(TypeError):
        check(VOCAB, ["a film", "film"])


def test_a_block_ends_where_a_text_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "_BLOCK", 7)
    check(VOCAB, ["Don't!", "", "a zzz film", " ", "film<br />", "/>", "É\xa0ß", ""])


def test_slices_are_put_together_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "_SLICE", 12)
    for bulk in (0, 8, 100):  # all in bulk, some, and none
        monkeypatch.setattr(encoding, "_BULK", bulk)
        check(BIGRAMS, ["film a film", "a", "", "a film", "zzz", "don't", " ", "film. a film. a film."])


@pytest.mark.parametrize(("texts", "loaded"), [("['a film'] * 100", False), ("['a film'] * 200_000", True)])
def test_pyarrow_is_loaded_for_many_words_alone(texts: str, loaded: bool) -> None:
    code = (
        "import sys\n"
        "from sentcli.text.encoder import Encoder\n"
        "from sentcli.text.tokenizer import Vocab\n"
        f"assert len(Encoder(Vocab(['<pad>', '<unk>', 'a'])).encode({texts}).ids) % 200 == 0\n"
        f"assert ('pyarrow' in sys.modules) == {loaded}\n"
        "assert 'pandas' not in sys.modules"  # which pyarrow likes to load: 45 MB
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_allocator_of_arrow_which_keeps_memory_is_not_asked() -> None:
    code = (
        "import pyarrow as pa\n"
        "from sentcli.text.encoder import Encoder\n"
        "from sentcli.text.tokenizer import Vocab\n"
        "Encoder(Vocab(['<pad>', '<unk>', 'a'])).encode(['a film'] * 200_000)\n"
        "assert pa.system_memory_pool().max_memory() > 0\n"
        "assert pa.default_memory_pool().max_memory() == 0\n"
    )
    environment = {**os.environ, "ARROW_DEFAULT_MEMORY_POOL": "mimalloc"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
