import importlib.util
import itertools
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentcli.text.tokenizer import tokenize, truncate

# What each replacement of the tokenizer looks at, whole and in pieces, and what could look like it.
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
    """The tokenizer of torchtext 0.18.0 out of its file: the package itself loads with no torch of today."""
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
