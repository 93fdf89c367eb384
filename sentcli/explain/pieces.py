"""Cut a text into pieces and sentences of its own spelling: leaving a piece out leaves out its tokens."""

import re
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from sentcli.text.normalize import TOKENS
from sentcli.text.tokenizer import words_of

MARKS = frozenset("'.,!?()" + TOKENS)  # tokens that are no words


class Piece(NamedTuple):
    """A piece of a text, `text[start:end]`, with what the model reads of it: of a tag or a link, nothing."""

    start: int
    end: int
    tokens: tuple[str, ...]


_LT, _GT = "&(?:amp;)*lt;", "&(?:amp;)*gt;"
# What has no blank, or is a comment or a tag. Neither has a second beginning in it, so that a search for its
# end takes linear time.
_CHUNK = re.compile(
    rf"<!--(?:(?!<!--).)*?-->|(?:<|{_LT})/?[A-Za-z](?:(?!{_LT})[^<>])*?(?:>|{_GT})|<3|[^\s<]+|<", re.DOTALL
)
# Words with their apostrophes and hyphens, numbers such as 4.5 and 10/10, and the marks between them.
_WORD = re.compile(r"[^\W_]+(?:(?:['`\xb4\u02bc\u2018\u2019-]|(?<=\d)[./,:](?=\d))[^\W_]+)*|[\W_]+")
_CACHED = 40  # characters: longer chunks are rare, and would fill the memory

# Sentences end with a mark, but not with the period of "e.g." and "Mr.", a line break, or a tag. Clauses end
# before a word that begins another judgement, but not in "nothing but". Each alternative begins at the first
# of several marks, so that a search takes linear time, and with no letter, so that most places fail at once.
_SENTENCE_END = re.compile(
    r"(?=\W)(?:(?<![^\w\s<])(?:(?!\.\s)|(?<!\b[^\W\d_])(?<!\b[MD][rs])(?<!\bMrs))"
    r"(?=[^\w\s<]*[.!?…。])(?![^\w\s<]*,)[^\w\s<]++(?:\s+|(?=<))"
    r"|(?<!&amp)(?<!&quot)(?<!&#39)(?<!&nbsp);\s+|\n|<(?:br|/?p|/?div|/?li)\b[^<>]*>"
    r"|[,:\u2013\u2014-](?=\s?(?:but|although|though|however|yet|while|whereas|except)\s\w)"
    r"|(?<!\ball)(?<!\blast)(?<!\bnothing)(?<!\banything)(?<!\beverything)\s(?=but\s\w))",
    re.IGNORECASE,
)


def pieces_of(text: str) -> list[Piece]:
    """Return the pieces of a text in order. Together they have its tokens, and only blanks between them."""
    pieces = []
    for chunk in _CHUNK.finditer(text):
        cut = _cut if len(chunk[0]) <= _CACHED else _cut.__wrapped__
        first = chunk.start()
        pieces += [Piece(first + start, first + end, tokens) for start, end, tokens in cut(chunk[0])]
    return _complete(pieces, text)  # incomplete: a tag that is written in a way that no review was


def sentences_of(text: str) -> list[tuple[int, int]]:
    """Return the start and the end of each sentence or clause of a text that has a word."""
    ends = [found.end() for found in _SENTENCE_END.finditer(text)]
    spans = []
    for start, end in pairwise([0, *ends, len(text)]):
        sentence = text[start:end]
        if not MARKS.issuperset(words_of(sentence)):
            spans.append((end - len(sentence.lstrip()), start + len(sentence.rstrip())))
    return spans


@lru_cache(1 << 14)
def _cut(chunk: str) -> list[Piece]:
    """Return the words and marks of a chunk, or the whole chunk if it has other tokens than they."""
    words = [Piece(*found.span(), tuple(words_of(found[0]))) for found in _WORD.finditer(chunk)]
    return _complete(words, chunk)


def _complete(pieces: list[Piece], text: str) -> list[Piece]:
    """Return the pieces of a text, or the whole text as one if it has other tokens than they."""
    whole = tuple(words_of(text))
    is_same = tuple(token for piece in pieces for token in piece.tokens) == whole
    return pieces if is_same else [Piece(0, len(text), whole)]
