"""No text takes more than linear time; while a pattern is searched, nothing can stop the program."""

import time
from collections.abc import Callable

import pytest

from sentcli.text import encoder as encoding
from sentcli.text.encoder import Encoder
from sentcli.text.null_values import NULL_VALUES, NullValues
from sentcli.text.tokenizer import PAD, UNK, Vocab, words_of

LENGTH = 10_000
LEAST_SECONDS = 0.001  # less is measured too imprecisely

KINDS = "".join(map(chr, [*range(0x2190, 0x2C00), *range(0x1F000, 0x1FB00)]))
# What a text begins with, what is repeated, and what it ends with.
PATTERNS = [
    # Tags, comments and what looks like them.
    *(
        ("", piece, "")
        for piece in ("<", "</", "<a", "<a ", "<a/", "< ", "<3", "<br", "<br />", "<a b=", "<a b=c>")
    ),
    *(("<a", blank, end) for blank in " \n\u3000" for end in ("", "/", "b")),
    *(("<a b", " ", ""), ("<a b=", " ", ""), ("<a b=", " ", "x"), ("<a b= ", "/", ""), ("<a b=", " /", "<")),
    *(("<a ", "b", ""), ("<a ", "b:", ""), ("<a ", "b ", ">"), ("<a ", "b= ", "")),
    *(("", piece, "") for piece in ("<!--", "-->", "<!-->", "<!-- -->", "<!-- <a b= ", "--><a b= ")),
    # Entities.
    *(("", piece, "") for piece in ("&", "&amp;", "&#", "&#39;", "&#x", "&lt;", "&notit;", "&a")),
    *(("&", "amp;", ""), ("&", "amp;", "x"), ("&", "a", ""), ("&#", "1", ";")),
    # Links and names of users.
    *(("", piece, "") for piece in ("http://", "http://a ", "https", "h", "@", "@a", "a@", "@ ")),
    # Emoticons.
    *(("", piece, "") for piece in (":", ":(", ":-", ";'-", "=D", ":/", ":\\", ":)x")),
    *((":", "(", ""), (":", "(", "a"), (":", ")", "a"), (":", "/", "")),
    # Accents of several classes, also those that appear only when others were replaced or removed.
    *(("a", piece, "") for piece in ("\u0301", "e\u0301", "\u0301\u0316", "\u0f73", "\u0344\u0316")),
    *(("a", "\u0301" * 30 + "\u200b" + "\u0316" * 30 + "\u200b", ""), ("\uff76", "\uff9e", "")),
    # Letters in other cases and shapes, symbols of many kinds.
    *(("", piece, "") for piece in ("Σ", "Σ'", "İ", "aaab", "ééé", "ab", "\ufb03", "Ⓐ", "\uff21", "𝓰")),
    *(("", piece, "") for piece in ("\u1100\u1161\u11a8", "哈", "😍", "\u200b", "\ufe0f", "★é", KINDS)),
    # What separates words.
    *(("", piece, "") for piece in (" ", "\u3000", "\x00", "\ud800", ".", "'", '"', "*", "a-", "_", "n/a ")),
]


@pytest.fixture(scope="module")
def read() -> Callable[[str], None]:
    """Return a function that reads a text in all ways."""
    null_values = NullValues(NULL_VALUES)
    encoder = Encoder(Vocab([PAD, UNK, "a", "b", "a b"]))

    def read(text: str) -> None:
        assert text not in null_values
        words_of(text)
        encoder.encode([text])

    return read


@pytest.mark.parametrize(("begin", "piece", "end"), PATTERNS, ids=lambda part: ascii(part[:8]))
def test_the_time_is_linear(
    begin: str, piece: str, end: str, read: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoding, "_BULK", 0)

    def seconds(length: int) -> float:
        text = begin + (piece * (length // len(piece) + 1))[:length] + end
        times = []
        for _ in range(3):
            start = time.process_time()
            read(text)
            times.append(time.process_time() - start)
        return max(LEAST_SECONDS, min(times))

    assert any(seconds(4 * LENGTH) < 6 * seconds(LENGTH) for _ in range(3))
