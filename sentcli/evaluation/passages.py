"""Passages of a few sentences, cut from longer texts at the borders of sentences."""

import re
from collections.abc import Sequence

import numpy as np

_LINE_BREAK = "<br />"
# Both begin with what `re` can skip to quickly. A run of marks is entered at its first one only, and nothing
# is tried twice: linear even for a page full of dots.
_SENTENCE_END = re.compile(r"""[.!?…](?<![.!?…].)[.!?…]*+[])}"'\u201d\u2019»]*+(?=\s|<br />)""", re.DOTALL)
_EMPTY_LINE = re.compile(r"<br />\s*+<br />")
# A full stop after one of these ends no sentence. The single letter is an initial, `U.S.` or `e.g.`, but not
# the end of `it's`.
_ABBREVIATION = re.compile(
    r"""(?<!['\u2019])\b(?:[^\W\d_]|mr|mrs|ms|messrs|dr|prof|st|jr|sr|rev|hon|gov|sen|rep|capt|lt|col|gen|sgt
    |vs|cf|etc|al|vol)\Z""",
    re.IGNORECASE | re.VERBOSE,
)
_LONGEST_ABBREVIATION = len("messrs")
_LETTER_OR_DIGIT = re.compile(r"[^\W_]")


def cut_passages(texts: Sequence[str], sentences: int = 3, seed: int = 1) -> list[str]:
    """Cut one passage of consecutive sentences out of each text; their number and place are drawn uniformly.

    The draw depends on the seed and on the text's place in the list, not on the other texts.

    :param sentences: the most that a passage has; at least 1. A text with fewer bounds it too.
    :returns: a passage for each text, as it stands there. It has a word in it when the text has one.
    """
    return [_cut(text, sentences, (seed, index)) for index, text in enumerate(texts)]


def split_sentences(text: str) -> list[str]:
    """Split a text after the marks that end sentences, and at empty lines (`<br /><br />`).

    :returns: the sentences as they stand in the text, without the white space and the line breaks around
        them. Each has a letter or a digit, unless the whole text has none; empty for a blank text.
    """
    return [text[start:end] for start, end in _sentences(text)]


def _cut(text: str, sentences: int, seed: tuple[int, int]) -> str:
    spans = _sentences(text)
    if len(spans) < 2:
        return "".join(text[start:end] for start, end in spans)
    random = np.random.default_rng(seed)
    count = random.integers(1, min(sentences, len(spans)), endpoint=True)
    first = random.integers(0, len(spans) - count, endpoint=True)
    return text[spans[first][0] : spans[first + count - 1][1]]


def _sentences(text: str) -> list[tuple[int, int]]:
    """Give the first place of each sentence and the one after its last."""
    plain = text.replace(_LINE_BREAK, " " * len(_LINE_BREAK))  # the same places, no letters
    spans: list[tuple[int, int]] = []
    has_word = True
    start = 0
    for end in _borders(text):
        sentence = plain[start:end].strip()
        if sentence:
            first = plain.index(sentence, start)
            last = first + len(sentence)
            word = _LETTER_OR_DIGIT.search(sentence) is not None
            if spans and not (has_word and word):  # one of the two is nothing but marks
                spans[-1] = (spans[-1][0], last)
                has_word |= word
            else:
                spans.append((first, last))
                has_word = word
        start = end
    return spans


def _borders(text: str) -> list[int]:
    """Give the places where a sentence may end, the end of the text the last of them."""
    marks = _SENTENCE_END.finditer(text)
    ends = {mark.end() for mark in marks if mark[0] != "." or not _is_abbreviated(text, mark.start())}
    return sorted({*ends, *(line.start() for line in _EMPTY_LINE.finditer(text)), len(text)})


def _is_abbreviated(text: str, end: int) -> bool:
    """Tell whether the word that ends here is an abbreviation."""
    return _ABBREVIATION.search(text, max(end - _LONGEST_ABBREVIATION, 0), end) is not None
