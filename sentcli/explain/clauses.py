"""Cut sentences into clauses that each say something: "fair price, rude staff" are two."""

import re
from collections.abc import Sequence
from itertools import pairwise

from sentcli.explain.parts import Parts

# Where a clause may end. It does if both sides have a word with this effect alone, in log odds: "fair price,
# rude staff", but not "the price, the staff and the food". A word with this effect keeps the "with" after it:
# "bad rooms with good beds", but not "happy with the beds".
_END = re.compile(r"[,;]\s+|\b([^\W_]+)\s(?=with\s)|\s(?=(?:and|while|whereas|though|yet)\s)", re.IGNORECASE)
_SAYS = 1.0

Place = tuple[int, int, int]  # the number of a text or sentence, and the start and the end of a part of it


def clauses_of(texts: Sequence[str], sentences: Sequence[Place], parts: Parts) -> list[Place]:
    """Return the clauses of sentences in order, each with the number of its sentence."""
    cut = []  # the number of the sentence, the start and the end of a possible clause, and the word before
    for number, (text, start, end) in enumerate(sentences):
        marks = [*_END.finditer(texts[text], start, end)]
        spans = pairwise([start, *(mark.end() for mark in marks), end])
        words = ["", *(mark[1] or "" for mark in marks)]
        cut += [(number, *span, word) for span, word in zip(spans, words, strict=True)]
    says = parts.alone([texts[sentences[number][0]][start:end] for number, start, end, _ in cut])
    words_say = parts.alone([word for *_, word in cut])
    clauses: list[tuple[int, int, int, float]] = []
    for (number, start, end, _), said, word_says in zip(cut, says, words_say, strict=True):
        last = clauses[-1] if clauses else (-1, -1, -1, -1.0)
        if last[0] == number and (min(said, last[3]) < _SAYS or word_says >= _SAYS):
            clauses[-1] = (*last[:2], end, max(said, last[3]))
        else:
            clauses.append((number, start, end, said))
    return [(number, start, end) for number, start, end, _ in clauses]
