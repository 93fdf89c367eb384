"""Measure the prose of a column: what people write, in words that are no names, numbers or addresses.

Each clause counts once, however often it is there and whatever its names and numbers are. So a template that
was sent a hundred times is one text, answers to choose from are few, and names of products are none.
"""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import Any, NamedTuple

_MOST, _LONGEST = 300, 500  # values, and characters of each
_LONG = 3  # blanks in a clause that may be of a template
_COPIES = 5  # of a clause of a template
_CLAUSE_END = re.compile(r"[.!?:;,|\n]+")
_WORD = re.compile(r"[^\d@/]+")  # no number, no address


class Prose(NamedTuple):
    """The prose of a column.

    :param size: the characters of its different clauses.
    :param is_template: whether the same few clauses are in most values.
    """

    size: int
    is_template: bool


def prose_of(values: Sequence[Any]) -> Prose:
    """Return the prose of a column by its first values, of which only strings that are no JSON count."""
    strings = (value for value in values if isinstance(value, str) and value[:1] not in ("", "{", "["))
    texts = [text[:_LONGEST] for text in islice(strings, _MOST)]
    counts: Counter[str] = Counter()
    prose = "\n".join(texts)
    clauses = _CLAUSE_END.split(prose.lower() if prose.isupper() else prose)
    for clause, count in Counter(clauses).items():
        counts[_words_of(clause)] += count
    long = [count for words, count in counts.items() if words.count(" ") >= _LONG]
    is_template = 2 * sum(long) > len(texts) and _COPIES * len(long) <= sum(long)
    return Prose(sum(map(len, counts)), is_template)


def _words_of(clause: str) -> str:
    """Return the words of a clause that do not begin with a capital, as names do; empty if most words do."""
    words = clause.split()
    plain = [word for word in filter(str.islower, words) if word.isalpha() or _WORD.fullmatch(word)]
    return " ".join(plain) if 2 <= len(words) <= 2 * len(plain) else ""
