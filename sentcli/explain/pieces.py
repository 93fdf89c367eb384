"""Cut texts into pieces, sentences and clauses of their own spelling; the tokens of a piece go with it."""

import re
from collections.abc import Callable, Sequence
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
# Where a clause may end. It does if both sides have a word with this effect alone, in log odds: "fair price,
# rude staff", but not "the price, the staff and the food". A word with this effect keeps the "with" after it:
# "bad rooms with good beds", but not "happy with the beds".
_CLAUSE = re.compile(
    r"[,;]\s+|\b([^\W_]+)\s(?=with\s)|\s(?=(?:and|while|whereas|though|yet)\s)", re.IGNORECASE
)
_SAYS = 1.0

Span = tuple[int, int]  # a start and an end
# Returns for each text how far one of its words moves the log odds alone.
Effects = Callable[[Sequence[str]], list[float]]


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


def clauses_of(
    texts: Sequence[str], effects: Effects, is_wanted: Callable[[int, Span], bool] = lambda *_: True
) -> list[tuple[int, Span, Span]]:
    """Return the clauses of texts that each say something: the number of the text, the sentence, the clause.

    :param is_wanted: returns whether to cut a sentence of a text, which takes time.
    """
    cut = []  # the number of the text, the sentence, a possible clause, and the word before
    for number, text in enumerate(texts):
        for start, end in (span for span in sentences_of(text) if is_wanted(number, span)):
            marks = [*_CLAUSE.finditer(text, start, end)]
            spans = pairwise([start, *(mark.end() for mark in marks), end])
            words = ["", *(mark[1] or "" for mark in marks)]
            cut += [(number, (start, end), span, word) for span, word in zip(spans, words, strict=True)]
    says = effects([texts[number][slice(*span)] for number, _, span, _ in cut])
    words_say = effects([word for *_, word in cut])
    clauses: list[tuple[int, Span, Span]] = []
    last_said = 0.0
    for (number, sentence, span, _), said, word_says in zip(cut, says, words_say, strict=True):
        is_whole = min(said, last_said) < _SAYS or word_says >= _SAYS
        if is_whole and clauses and clauses[-1][:2] == (number, sentence):
            span, said = (clauses.pop()[2][0], span[1]), max(said, last_said)
        clauses.append((number, sentence, span))
        last_said = said
    return clauses


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
